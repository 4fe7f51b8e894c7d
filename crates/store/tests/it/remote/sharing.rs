//! Several processes over one database: each store here stands for one of them.

use std::sync::Arc;

use loggia_model::plan::{Plan, SchemaStep};
use loggia_model::schema::Column;
use loggia_model::{Scalar, StorageKind as Kind};
use loggia_servers::Database;
use loggia_store::Store;
use serde_json::json;

use super::suite::world::{
    World, change, column, newspaper_relations, newspaper_tables, options, permit, run,
};

/// So many stores over one newspaper.
async fn shared(count: usize) -> Option<(Vec<World>, Database)> {
    let make = async |url: String| drop(Store::open(options(&url)).await.unwrap());
    over(Database::like(super::KIND, make).await?, count).await
}

/// All opened at once: where the database is empty, each finds one that the others are making as well.
async fn over(database: Database, count: usize) -> Option<(Vec<World>, Database)> {
    let opening: Vec<_> = (0..count)
        .map(|_| tokio::spawn(Store::open(options(&database.url))))
        .collect();
    let mut stores = Vec::new();
    for store in opening {
        stores.push(store.await.unwrap().unwrap());
    }
    change(&stores[0], newspaper_tables()).await.unwrap();
    let mut worlds = Vec::new();
    for store in stores {
        worlds.push(World::of(store, newspaper_relations()).await);
    }
    Some((worlds, database))
}

fn author(world: &World, name: &str) -> Plan {
    world.insert("authors", &[&[("name", json!(name))]])
}

/// Reads a count and writes it back, grown by one: nobody's is lost where each is alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_of_all_processes_run_one_after_the_other() {
    let Some(database) = Database::empty(super::KIND).await else {
        return;
    };
    let Some((worlds, _database)) = over(database, 4).await else {
        return;
    };
    let first = worlds[0].insert("articles", &[&[("title", json!("x")), ("views", json!(0))]]);
    worlds[0].write(first).await.unwrap();
    let tasks: Vec<_> = worlds
        .into_iter()
        .map(Arc::new)
        .flat_map(|world| [world.clone(), world])
        .map(|world| {
            tokio::spawn(async move {
                for _ in 0..10 {
                    let mut tx = world.store.begin().await.unwrap();
                    let read = Plan::Read(world.read("articles", &["views"]));
                    let rows = run(&mut tx, read).await.unwrap().into_rows();
                    let views = rows[0]["views"].as_i64().unwrap();
                    let all = loggia_model::Filter::All;
                    let write = world.update("articles", all, &[("views", json!(views + 1))]);
                    run(&mut tx, write).await.unwrap();
                    tx.commit().await.unwrap();
                }
                world
            })
        })
        .collect();
    let mut last = None;
    for task in tasks {
        last = Some(task.await.unwrap());
    }
    let world = last.unwrap();
    assert_eq!(
        world.json(world.read("articles", &["views"])).await,
        json!([{"views": 80}])
    );
}

/// What one process has prepared is of no use when another has changed the tables.
#[tokio::test]
async fn a_change_of_tables_reaches_the_others() {
    let Some((worlds, _database)) = shared(2).await else {
        return;
    };
    let [one, other] = &worlds[..] else { unreachable!() };
    one.write(author(one, "Ann")).await.unwrap();
    let names = async || other.json(other.read("authors", &["name"])).await;
    assert_eq!(names().await, json!([{"name": "Ann"}]));
    other.write(author(other, "Bob")).await.unwrap();
    let name = one.field("authors.name").column.clone().unwrap();
    let alter = |kind| SchemaStep::AlterColumn {
        table: "authors".to_owned(),
        column: Column {
            kind,
            unique: false,
            ..name.clone()
        },
    };
    change(&one.store, vec![alter(Kind::Text)]).await.unwrap();
    // Read first, and then written; and the other way round.
    assert_eq!(names().await, json!([{"name": "Ann"}, {"name": "Bob"}]));
    other.write(author(other, "Cid")).await.unwrap();
    change(&one.store, vec![alter(Kind::Json)]).await.unwrap();
    let mut tx = other.store.begin().await.unwrap();
    run(&mut tx, other.insert("authors", &[&[("name", json!("\"Dan\""))]]))
        .await
        .unwrap();
    let seen = run(&mut tx, Plan::Read(other.read("authors", &["name"])))
        .await
        .unwrap();
    assert_eq!(seen.into_rows().len(), 4);
    tx.commit().await.unwrap();
    assert_eq!(names().await[3], json!({"name": "\"Dan\""}));
    let added = SchemaStep::AddColumn {
        table: "authors".to_owned(),
        column: column("more", Kind::Text),
    };
    change(&one.store, vec![added]).await.unwrap();
    assert_eq!(names().await.as_array().unwrap().len(), 4);
    assert_eq!(
        one.store.schema_version().await.unwrap(),
        other.store.schema_version().await.unwrap()
    );
}

/// What one process has raised is seen by the other from then on, and told to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_raises_the_others_see_and_hear() {
    let Some((worlds, database)) = shared(2).await else {
        return;
    };
    let [one, other] = &worlds[..] else { unreachable!() };
    for round in 0..3_u64 {
        let before = other.store.versions().await.unwrap();
        // Told of what has been so far.
        let mut heard = Box::pin(other.store.heard());
        while tokio::time::timeout(std::time::Duration::from_millis(50), &mut heard)
            .await
            .is_ok()
        {
            heard = Box::pin(other.store.heard());
        }
        let mut tx = one.store.begin().await.unwrap();
        run(&mut tx, author(one, &format!("a{round}"))).await.unwrap();
        tx.raise(loggia_store::Raises {
            rules: true,
            people: false,
        });
        tx.commit().await.unwrap();
        assert_eq!(other.store.versions().await.unwrap().rules, before.rules + 1);
        heard.await;
        super::cut(&database.url).await;
    }
}

/// Connections that the server closes are replaced.
#[tokio::test]
async fn connections_that_are_cut_are_made_again() {
    let Some((worlds, database)) = shared(1).await else {
        return;
    };
    let world = &worlds[0];
    world.write(author(world, "Ann")).await.unwrap();
    for round in 0..3 {
        let rows = world.rows(world.read("authors", &["name"])).await;
        assert_eq!(rows.len(), round + 1);
        super::cut(&database.url).await;
        let rows = world.rows(world.read("authors", &["name"])).await;
        assert_eq!(rows.len(), round + 1);
        super::cut(&database.url).await;
        world.write(author(world, &format!("a{round}"))).await.unwrap();
    }
    // In the middle of a transaction, nothing of it stays.
    let mut tx = world.store.begin().await.unwrap();
    run(&mut tx, author(world, "Zoe")).await.unwrap();
    super::cut(&database.url).await;
    let error = run(&mut tx, author(world, "Zoe")).await.unwrap_err();
    assert_eq!(error.problem().code.name, "SERVICE_UNAVAILABLE", "{error}");
    run(&mut tx, author(world, "Zoe")).await.unwrap_err();
    tx.commit().await.unwrap_err();
    assert_eq!(world.rows(world.read("authors", &["name"])).await.len(), 4);
    let key = world.write(author(world, "Zoe")).await.unwrap();
    assert!(matches!(key[..], [Scalar::Int(_)]));
}

/// Another program holds what a transaction wants, and wants what it holds.
#[tokio::test]
async fn a_deadlock_can_be_tried_again() {
    let Some((worlds, database)) = shared(1).await else {
        return;
    };
    let world = &worlds[0];
    for name in ["Ann", "Bob"] {
        world.write(author(world, name)).await.unwrap();
    }
    let mut client = super::Session::open(&database.url).await;
    client.say("BEGIN").await.unwrap();
    client
        .say("UPDATE authors SET secret = 'x' WHERE name = 'Bob'")
        .await
        .unwrap();
    let secret = |name: &str| {
        let one = world.test("authors.name", loggia_model::filter::Test::Equal(name.into()));
        permit(world.update("authors", one, &[("secret", json!("y"))]))
    };
    let mut tx = world.store.begin().await.unwrap();
    tx.run(secret("Ann")).await.unwrap();
    let theirs = async {
        client
            .say("UPDATE authors SET secret = 'x' WHERE name = 'Ann'")
            .await?;
        client.say("COMMIT").await
    };
    let (theirs, ours) = tokio::join!(theirs, tx.run(secret("Bob")));
    // The server lets one of them go on.
    match ours {
        Ok(_) => {
            theirs.unwrap_err();
            tx.commit().await.unwrap();
        }
        Err(error) => {
            assert!(matches!(error, loggia_store::Error::Contended(_)), "{error}");
            assert!(error.problem().code.retryable);
            drop(tx);
            theirs.unwrap();
        }
    }
    world.write(author(world, "Cid")).await.unwrap();
}
