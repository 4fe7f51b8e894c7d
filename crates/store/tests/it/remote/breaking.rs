//! A server that breaks down and comes back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use loggia_model::plan::Plan;
use loggia_servers::Server;
use loggia_store::{Error, Options, Store};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::suite::world::{World, change, newspaper_relations, newspaper_tables, options, run};

/// Tags that each transaction writes beside its article.
const TAGS: i64 = 3;

/// A server of its own, and the newspaper on it.
async fn newspaper() -> Option<(World, Server)> {
    let server = super::alone()?;
    let store = Store::open(Options {
        // As a power failure leaves it.
        durable: true,
        patience: Duration::from_secs(60),
        ..options(&server.url())
    })
    .await
    .unwrap();
    change(&store, newspaper_tables()).await.unwrap();
    Some((World::of(store, newspaper_relations()).await, server))
}

async fn restart(mut server: Server) -> Server {
    tokio::task::spawn_blocking(move || {
        server.kill();
        server.start();
        server
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_and_beginnings_wait_for_a_server_that_comes_back() {
    let Some((world, server)) = newspaper().await else {
        return;
    };
    let world = Arc::new(world);
    let author = |name: &str| world.insert("authors", &[&[("name", json!(name))]]);
    world.write(author("Ann")).await.unwrap();
    let mut tx = world.store.begin().await.unwrap();
    run(&mut tx, author("Bob")).await.unwrap();
    let mut server = server;
    server.kill();
    // Asked while it is down.
    let reading = {
        let world = world.clone();
        tokio::spawn(async move { world.rows(world.read("authors", &["name"])).await })
    };
    let error = run(&mut tx, author("Cid")).await.unwrap_err();
    assert_eq!(error.problem().code.name, "SERVICE_UNAVAILABLE", "{error}");
    assert!(
        tx.commit().await.is_err(),
        "what it did before went with the server"
    );
    let writing = {
        let world = world.clone();
        let plan = author("Dan");
        tokio::spawn(async move { world.write(plan).await })
    };
    let server = tokio::task::spawn_blocking(move || {
        server.start();
        server
    });
    let _server = server.await.unwrap();
    // Whether Dan comes before or after is not said.
    let read = reading.await.unwrap().len();
    assert!((1..=2).contains(&read), "{read}");
    writing.await.unwrap().unwrap();
    assert_eq!(
        world.json(world.read("authors", &["name"])).await,
        json!([{"name": "Ann"}, {"name": "Dan"}])
    );
}

/// What a writer tells of each of its transactions.
enum Told {
    Kept(String),
    /// Said to have changed nothing.
    Failed(String),
    /// Nobody knows.
    Unsure,
}

async fn write_on(world: Arc<World>, writer: usize, told: mpsc::UnboundedSender<Told>) {
    for i in 0.. {
        let title = format!("{writer}-{i}");
        let what = match write_one(&world, &title).await {
            Ok(()) => Told::Kept(title),
            Err(Error::Unsure(_)) => Told::Unsure,
            Err(error) => {
                assert_eq!(error.problem().code.name, "SERVICE_UNAVAILABLE", "{error:?}");
                Told::Failed(title)
            }
        };
        if told.send(what).is_err() {
            return;
        }
    }
}

async fn write_one(world: &World, title: &str) -> Result<(), Error> {
    let mut tx = world.store.begin().await?;
    let article = world.insert("articles", &[&[("title", json!(title))]]);
    let keys = run(&mut tx, article).await?.into_keys();
    let loggia_model::Scalar::Int(key) = keys[0] else {
        panic!("{keys:?}")
    };
    for i in 0..TAGS {
        let link: &[(&str, Value)] = &[("article", json!(key)), ("sort", json!(i))];
        run(&mut tx, world.insert("articles_tags", &[link])).await?;
    }
    tx.commit().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_and_nothing_is_there_twice_or_by_half() {
    let Some((world, mut server)) = newspaper().await else {
        return;
    };
    let world = Arc::new(world);
    let (telling, mut told) = mpsc::unbounded_channel();
    let writers: Vec<_> = (0..6)
        .map(|writer| tokio::spawn(write_on(world.clone(), writer, telling.clone())))
        .collect();
    let (mut kept, mut failed) = (HashSet::new(), HashSet::new());
    for round in 0..6 {
        // Not a moment: a different count of transactions each time, and then whatever was under way.
        for _ in 0..30 + round * 17 {
            match told.recv().await.unwrap() {
                Told::Kept(title) => _ = kept.insert(title),
                Told::Failed(title) => _ = failed.insert(title),
                Told::Unsure => {}
            }
        }
        server = restart(server).await;
    }
    told.close();
    while let Some(what) = told.recv().await {
        match what {
            Told::Kept(title) => _ = kept.insert(title),
            Told::Failed(title) => _ = failed.insert(title),
            Told::Unsure => {}
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let links = world.read("articles_tags", &["sort"]);
    let mut articles = world.read("articles", &["title"]);
    articles
        .select
        .push(world.related("articles.tags", vec![links], false));
    let rows = world.rows(articles).await;
    let mut found = HashSet::new();
    for row in &rows {
        let title = row["title"].as_str().unwrap();
        assert!(found.insert(title.to_owned()), "{title} is there twice");
        assert!(!failed.contains(title), "{title} was said to have failed");
        assert_eq!(row["tags"].as_array().unwrap().len(), TAGS as usize, "{title}");
    }
    for title in &kept {
        assert!(found.contains(title), "{title} was acknowledged and is gone");
    }
    assert!(kept.len() > 250, "{}", kept.len());
    let plan = Plan::Read(world.read("authors", &["id"]));
    assert_eq!(world.run(plan).await.len(), 0);
}
