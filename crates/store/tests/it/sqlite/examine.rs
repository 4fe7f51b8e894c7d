//! Looking at a database without working with it.

use loggia_store::{Options, Store, Weight};

fn address(file: &std::path::Path) -> Options {
    Options {
        server: false,
        durable: false,
        ..Options::new(format!("sqlite://{}", file.display()))
    }
}

#[tokio::test]
async fn a_database_that_a_start_has_made_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loggia.db");
    drop(Store::open(address(&file)).await.unwrap());
    assert_eq!(Store::examine(address(&file)).await.unwrap().findings, []);
}

#[tokio::test]
async fn nothing_is_made_or_changed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loggia.db");
    assert!(Store::examine(address(&file)).await.is_err(), "there is none");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // An empty file is an empty database of SQLite.
    std::fs::write(&file, "").unwrap();
    let findings = Store::examine(address(&file)).await.unwrap().findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].weight, Weight::MendedByStart);
    assert_eq!(std::fs::read(&file).unwrap(), b"");
    std::fs::write(
        &file,
        "not a database at all, but long enough to look at".repeat(100),
    )
    .unwrap();
    assert!(Store::examine(address(&file)).await.is_err());
}
