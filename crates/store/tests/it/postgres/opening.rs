//! What a server must be like, what is said where it is not, and what can be said of how to open it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use loggia_model::plan::Plan;
use loggia_servers::{Database, postgres_alone};
use loggia_store::{Error, Options, Remote, Store, Weight};
use serde_json::json;

use super::foreign::say;
use super::suite::world::{World, change, newspaper_relations, newspaper_tables, options};

/// Options with a change of what only servers need to be told.
fn told(url: &str, change: impl FnOnce(&mut Remote)) -> Options {
    let mut options = options(url);
    change(&mut options.remote);
    options
}

#[tokio::test]
async fn a_schema_of_its_own_is_made_and_nothing_else_is_seen() {
    let Some(database) = Database::empty(super::KIND).await else {
        return;
    };
    say(&database.url, "CREATE TABLE stranger (id integer PRIMARY KEY)").await;
    let within = |schema: &str| told(&database.url, |remote| remote.schema = Some(schema.to_owned()));
    let mut worlds = Vec::new();
    for schema in ["press", "Odd \"name\""] {
        let store = Store::open(within(schema)).await.unwrap();
        assert!(!store.tables().await.unwrap().contains_key("stranger"));
        change(&store, newspaper_tables()).await.unwrap();
        let world = World::of(store, newspaper_relations()).await;
        world
            .write(world.insert("authors", &[&[("name", json!(schema))]]))
            .await
            .unwrap();
        worlds.push(world);
    }
    for (world, name) in worlds.iter().zip(["press", "Odd \"name\""]) {
        let rows = world.json(world.read("authors", &["name"])).await;
        assert_eq!(rows, json!([{"name": name}]));
    }
    // Once more, now that it is there.
    drop(Store::open(within("press")).await.unwrap());
    let examined = Store::examine(within("press")).await.unwrap();
    assert!(examined.about.unwrap().contains("schema \"press\""));
    assert_eq!(examined.findings, []);
}

#[tokio::test]
async fn a_user_without_rights_is_told_which_ones() {
    let Some(database) = Database::empty(super::KIND).await else {
        return;
    };
    say(
        &database.url,
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC; DROP ROLE IF EXISTS \"a reader\"; CREATE ROLE \"a reader\" LOGIN",
    )
    .await;
    let url = database.url.replace("postgres@", "a%20reader@");
    let check = async |options: Options, says: &str| {
        let error = Store::open(options.clone()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        let findings = Store::examine(options).await.unwrap().findings;
        assert!(
            findings[0].weight == Weight::Bad && findings[0].what.contains(says),
            "{findings:?}"
        );
    };
    check(
        options(&url),
        "GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"a reader\"",
    )
    .await;
    check(
        told(&url, |remote| remote.schema = Some("cms".to_owned())),
        "CREATE SCHEMA \"cms\" AUTHORIZATION \"a reader\"",
    )
    .await;
    say(&database.url, "CREATE SCHEMA cms AUTHORIZATION \"a reader\"").await;
    let own = told(&url, |remote| remote.schema = Some("cms".to_owned()));
    drop(Store::open(own.clone()).await.unwrap());
    // What was made for it can be worked with; that no more can be made is said.
    say(&database.url, "REVOKE CREATE ON SCHEMA cms FROM \"a reader\"").await;
    drop(Store::open(own.clone()).await.unwrap());
    let findings = Store::examine(own).await.unwrap().findings;
    assert!(
        findings.len() == 1 && findings[0].weight == Weight::Doubtful,
        "{findings:?}"
    );
    say(
        &database.url,
        "DROP OWNED BY \"a reader\"; DROP ROLE \"a reader\"",
    )
    .await;
}

#[tokio::test]
async fn a_database_that_is_not_encoded_in_utf_8_is_refused() {
    let Some(database) = Database::empty(super::KIND).await else {
        return;
    };
    let name = format!(
        "{}-latin",
        database
            .url
            .rsplit_once('/')
            .unwrap()
            .1
            .split_once('?')
            .unwrap()
            .0
    );
    say(
        &database.url,
        &format!(
            "CREATE DATABASE \"{name}\" ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
        ),
    )
    .await;
    let url = format!(
        "{}/{name}?sslmode=disable",
        database.url.rsplit_once('/').unwrap().0
    );
    let error = Store::open(options(&url)).await.unwrap_err();
    assert!(error.to_string().contains("encoded in LATIN1"), "{error}");
    say(&database.url, &format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_waits_for_a_server_that_is_not_up_yet() {
    let Some(mut server) = postgres_alone() else {
        return;
    };
    let url = server.url();
    server.kill();
    let impatient = told(&url, |remote| remote.starting = Duration::ZERO);
    let error = Store::open(impatient.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    let opening = tokio::spawn(Store::open(told(&url, |remote| {
        remote.starting = Duration::from_secs(60);
    })));
    let server = tokio::task::spawn_blocking(move || {
        server.start();
        server
    });
    let server = server.await.unwrap();
    opening.await.unwrap().unwrap();
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_never_more_connections_than_are_allowed() {
    let Some(database) = Database::empty(super::KIND).await else {
        return;
    };
    let few = told(&database.url, |remote| remote.connections = Some(3));
    let store = Store::open(few).await.unwrap();
    change(&store, newspaper_tables()).await.unwrap();
    let world = Arc::new(World::of(store, newspaper_relations()).await);
    let reads = (0..40).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.run(Plan::Read(world.read("authors", &["name"]))).await })
    });
    join_all(reads).await;
    assert!(world.store.activity().readers <= 2);
}

#[tokio::test]
async fn a_password_beside_the_address_is_used_and_not_shown() {
    let Some(database) = Database::empty(super::KIND).await else {
        return;
    };
    let options = told(&database.url, |remote| {
        remote.password = Some("hidden".to_owned());
    });
    assert!(!format!("{options:?}").contains("hidden"));
    drop(Store::open(options).await.unwrap());
    let shown = Store::address("postgres://me:hidden@db.example/cms?sslmode=require").unwrap();
    assert_eq!(shown, "postgres://db.example:5432/cms");
    for wrong in [
        "mongodb://me:hidden@x/y",
        "me:hidden@x/y",
        "postgres://me:hid@den@x/y",
    ] {
        let error = Store::address(wrong).unwrap_err().to_string();
        assert!(!error.contains("hid"), "{error}");
    }
}
