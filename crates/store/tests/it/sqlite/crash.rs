//! A process that is killed while it writes: what it was told is kept is there, and nothing is there by half.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use loggia_store::{Options, Store};
use serde_json::{Value, json};

use super::suite::world::{World, change, newspaper_relations, newspaper_tables, run};

/// Where the child writes; without it the child is no child.
const FILE: &str = "LOGGIA_TEST_CRASH_FILE";
/// What the child says when a transaction was acknowledged.
const KEPT: &str = "kept ";
/// Tags that each transaction writes beside its article.
const TAGS: usize = 3;

pub(crate) async fn open(file: &Path) -> World {
    let store = Store::open(Options::new(format!("sqlite://{}", file.display())))
        .await
        .unwrap();
    if !store.tables().await.unwrap().contains_key("articles") {
        change(&store, newspaper_tables()).await.unwrap();
    }
    World::of(store, newspaper_relations()).await
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_and_nothing_is_there_by_half() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("killed.db");
    drop(open(&file).await);
    let mut kept = Vec::new();
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sqlite::crash::child", "--nocapture"])
            .env(FILE, &file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Not a moment: a different count of transactions each time, and then whatever was under way.
        let mut wanted = 20 + round * 37;
        for line in &mut lines {
            let line = line.unwrap();
            if let Some(key) = line.trim().strip_prefix(KEPT) {
                kept.push(key.parse::<i64>().unwrap());
                wanted -= 1;
                if wanted == 0 {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        check(&open(&file).await, &kept).await;
    }
    assert!(kept.len() > 1_000, "{}", kept.len());
}

async fn check(world: &World, kept: &[i64]) {
    let links = world.read("articles_tags", &["article", "sort"]);
    let mut article = world.read("articles", &["id"]);
    article
        .select
        .push(world.related("articles.tags", vec![links], false));
    let rows = world.rows(article).await;
    let found: std::collections::HashSet<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    for key in kept {
        assert!(found.contains(key), "article {key} was acknowledged and is gone");
    }
    for row in &rows {
        let links = row["tags"].as_array().map(Vec::len);
        assert_eq!(links, Some(TAGS), "article {} is there by half", row["id"]);
    }
    assert_eq!(world.store.check().await.unwrap(), []);
}

/// Writes until it is killed; nothing at all unless the test above started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let world = Arc::new(open(Path::new(&file)).await);
    let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(write_on(world.clone()))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn write_on(world: Arc<World>) {
    loop {
        let mut tx = world.store.begin().await.unwrap();
        let article = world.insert("articles", &[&[("title", json!("x".repeat(300)))]]);
        let keys = run(&mut tx, article).await.unwrap().into_keys();
        let loggia_model::Scalar::Int(key) = keys[0] else {
            panic!("{keys:?}")
        };
        for i in 0..TAGS {
            let link: &[(&str, Value)] = &[("article", json!(key)), ("sort", json!(i))];
            run(&mut tx, world.insert("articles_tags", &[link]))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        say(&format!("{KEPT}{key}"));
    }
}

/// Tells the parent something, on a line of its own.
pub(crate) fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{what}").unwrap();
    out.flush().unwrap();
}
