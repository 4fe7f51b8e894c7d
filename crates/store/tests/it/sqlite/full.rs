//! A disk that takes no more.

use std::process::Command;

use loggia_store::Error;
use serde_json::json;

use super::crash;

/// Where the child writes; without it the child is no child.
const FILE: &str = "LOGGIA_TEST_FULL_FILE";

#[tokio::test]
async fn a_full_disk_fails_what_it_cannot_keep_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("full.db");
    drop(crash::open(&file).await);
    // A bound on the size of files, in blocks of 512 bytes, stands in for the disk; the signal that goes with it would
    // end the process.
    let output = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 6000; exec \"$0\" --exact sqlite::full::child --nocapture",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(FILE, &file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let world = crash::open(&file).await;
    let rows = world.rows(world.read("articles", &["title"])).await;
    let told = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| *line == "kept")
        .count();
    assert!(told > 0);
    assert_eq!(rows.len(), told);
    assert_eq!(world.store.check().await.unwrap(), []);
}

/// Writes until the disk takes no more, and reads then.
#[tokio::test]
async fn child() {
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let world = crash::open(std::path::Path::new(&file)).await;
    let title = "x".repeat(100_000);
    let error = loop {
        let article = world.insert("articles", &[&[("title", json!(title))]]);
        match world.write(article).await {
            Ok(_) => crash::say("kept"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let problem = error.problem();
    assert_eq!(problem.code.name, "SERVICE_UNAVAILABLE");
    assert!(!world.rows(world.read("articles", &["id"])).await.is_empty());
    assert!(
        world
            .write(world.delete("tags", loggia_model::Filter::Nothing))
            .await
            .is_ok()
    );
}
