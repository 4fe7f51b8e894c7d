//! Databases of releases before this one.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use loggia_model::schema::{Column, Table};
use loggia_model::system;
use loggia_store::{Error, Options, Store};
use rusqlite::Connection;
use serde_json::json;

use super::suite::world::{World, empty};

/// A file as the first release left it.
fn first_release(folder: &tempfile::TempDir) -> PathBuf {
    let file = folder.path().join("first.db");
    let text = include_str!("first_release.sql");
    Connection::open(&file).unwrap().execute_batch(text).unwrap();
    file
}

async fn open(file: &Path) -> Result<Store, Error> {
    Store::open(Options {
        durable: false,
        ..Options::new(format!("sqlite://{}", file.display()))
    })
    .await
}

/// What a table holds, whatever the order in which it came to it.
fn sorted(table: &Table) -> (Vec<Column>, Vec<String>) {
    let mut columns = table.columns.clone();
    columns.sort_by(|left, right| left.name.cmp(&right.name));
    let keys = table.foreign_keys.iter().map(|key| format!("{key:?}"));
    let mut keys: Vec<_> = keys.collect();
    keys.sort();
    (columns, keys)
}

fn is_like_a_new_one(tables: &IndexMap<String, Table>, new: &IndexMap<String, Table>) {
    for definition in system::COLLECTIONS {
        let name = definition.name;
        assert_eq!(sorted(&tables[name]), sorted(&new[name]), "{name}");
    }
}

#[tokio::test]
async fn a_database_of_the_first_release_becomes_like_a_new_one_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = first_release(&folder);
    let store = open(&file).await.unwrap();
    let tables = store.tables().await.unwrap();
    is_like_a_new_one(&tables, &empty().await.unwrap().store.tables().await.unwrap());
    let indexed = |table: &str, name: &str| {
        let column = tables[table].columns.iter().find(|column| column.name == name);
        column.unwrap().indexed
    };
    assert!(indexed("directus_revisions", "item") && indexed("directus_revisions", "change"));
    assert!(indexed("directus_activity", "change"));
    let world = World::of(store, Vec::new()).await;
    for (table, fields, expect) in [
        (
            "directus_users",
            &["email"][..],
            json!([{"email": "ann@example.com"}]),
        ),
        (
            "directus_permissions",
            &["collection", "fields", "locales"],
            json!([{"collection": "articles", "fields": "id,title", "locales": null}]),
        ),
        (
            "directus_revisions",
            &["item", "number", "before"],
            json!([{"item": "1", "number": null, "before": null}]),
        ),
        ("articles", &["title"], json!([{"title": "one"}])),
    ] {
        let mut found = world.json(world.read(table, fields)).await;
        // The policies to start from came later, and so after what was there.
        if let (Some(found), Some(expect)) = (found.as_array_mut(), expect.as_array()) {
            found.truncate(expect.len());
        }
        assert_eq!(found, expect, "{table}");
    }
    assert_eq!(world.store.check().await.unwrap(), []);
    // The next start finds nothing to do.
    let version = world.store.schema_version().await.unwrap();
    drop(world);
    let store = open(&file).await.unwrap();
    assert_eq!(store.schema_version().await.unwrap(), version);
}

#[tokio::test]
async fn a_migration_that_cannot_finish_changes_nothing_and_is_done_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let file = first_release(&folder);
    let text = |file: &Path| -> Vec<String> {
        let connection = Connection::open(file).unwrap();
        let mut statement = connection
            .prepare(
                // What the store keeps for itself is made before any migration runs.
                "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL \
                 AND name NOT IN ('loggia_leases', 'loggia_schema_version') ORDER BY name",
            )
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    // The table that the next migration makes last is there already: everything before it must be taken back.
    let next = |collection: &&&system::SystemCollection| collection.since == 2;
    let obstacle = system::COLLECTIONS.iter().rfind(next).unwrap();
    let command = |text: &str| Connection::open(&file).unwrap().execute_batch(text).unwrap();
    command(&format!("CREATE TABLE {} (anything)", obstacle.name));
    let before = text(&file);
    open(&file).await.unwrap_err();
    assert_eq!(text(&file), before);
    command(&format!("DROP TABLE {}", obstacle.name));
    let store = open(&file).await.unwrap();
    is_like_a_new_one(
        &store.tables().await.unwrap(),
        &empty().await.unwrap().store.tables().await.unwrap(),
    );
}
