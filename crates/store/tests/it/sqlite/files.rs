//! Who may have a file open, and how files are named.

use loggia_model::plan::Plan;
use loggia_store::{Error, Options, Store};
use serde_json::json;

use super::suite::world::{World, change, newspaper_relations, newspaper_tables};

fn author(world: &World, name: &str) -> Plan {
    world.insert("authors", &[&[("name", json!(name))]])
}

#[tokio::test]
async fn one_server_at_a_time_has_a_file_and_tools_may_join() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options {
        durable: false,
        ..Options::new(format!(
            "sqlite://{}",
            folder.path().join("new/folder/a.db").display()
        ))
    };
    let server = Store::open(options()).await.unwrap();
    let second = Store::open(options()).await.unwrap_err();
    assert!(matches!(second, Error::InUse { .. }), "{second}");
    let tool = Store::open(Options {
        server: false,
        ..options()
    })
    .await
    .unwrap();
    change(&tool, newspaper_tables()).await.unwrap();
    let world = World::of(server, newspaper_relations()).await;
    let other = World::of(tool, newspaper_relations()).await;
    for i in 0..20 {
        let (world, name) = (if i % 2 == 0 { &world } else { &other }, format!("a{i}"));
        world.write(author(world, &name)).await.unwrap();
    }
    assert_eq!(world.rows(world.read("authors", &["id"])).await.len(), 20);
    drop(world);
    let again = Store::open(options()).await.unwrap();
    assert!(again.tables().await.unwrap().contains_key("authors"));
}

#[tokio::test]
async fn addresses_are_checked() {
    for url in ["mysql://x", "sqlite://", "sqlite:x", "nothing"] {
        let error = Store::open(Options::new(url)).await.unwrap_err();
        assert!(matches!(error, Error::Address(_)), "{url}: {error}");
    }
}
