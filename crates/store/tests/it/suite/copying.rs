//! A project moves from an SQLite file to a database of the kind of the suite, and back.

use std::sync::Arc;

use loggia_model::filter::Test;
use loggia_model::plan::{InsertPlan, Plan, ReadPlan, SchemaStep};
use loggia_model::schema::{Action, Column};
use loggia_model::{Filter, Scalar, StorageKind as Kind};
use loggia_servers::{Database, Kind as Server};
use loggia_store::copy::{Copy, Doing, Progress, Report, Stopped};
use loggia_store::{Error, Options, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::super::KIND;
use super::world::{
    World, change, column, counted_key, key_to, newspaper_relations, newspaper_tables, table, write,
};

/// Rows enough for several transactions of a copy.
const MANY: i64 = 11_000;

/// Where databases of a test are; they go with it.
struct Place {
    folder: TempDir,
    held: Vec<Database>,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            held: Vec::new(),
        }
    }

    fn file(&self, name: &str) -> Options {
        let file = self.folder.path().join(name);
        options(&format!("sqlite://{}", file.display()))
    }

    /// An empty database of the kind of the suite; `None` where its server is not installed.
    async fn empty(&mut self, name: &str) -> Option<Options> {
        if KIND == Server::Sqlite {
            return Some(self.file(name));
        }
        let database = Database::empty(KIND).await?;
        let options = options(&database.url);
        self.held.push(database);
        Some(options)
    }
}

fn options(url: &str) -> Options {
    Options {
        durable: false,
        server: false,
        ..Options::new(url)
    }
}

fn copy(from: &Options, to: &Options) -> Copy {
    Copy {
        from: from.clone(),
        to: to.clone(),
        leave_out: Vec::new(),
    }
}

async fn run(copy: &Copy) -> Result<Report, Stopped> {
    copy.run(&mut |_| {}).await
}

async fn compare(from: &Options, to: &Options) -> Result<Report, Stopped> {
    copy(from, to).compare(&mut |_| {}).await
}

async fn world(options: &Options) -> World {
    let store = Store::open(options.clone()).await.unwrap();
    World::of(store, newspaper_relations()).await
}

/// Two tables in a ring, each with a key of its own kind.
fn ring() -> Vec<SchemaStep> {
    let key = |kind| Column {
        nullable: false,
        unique: true,
        primary_key: true,
        ..column("id", kind)
    };
    let columns = |kind, other| vec![key(kind), column("other", other), column("bytes", Kind::Binary)];
    vec![
        table("left", columns(Kind::String, Kind::BigInteger), vec![]),
        table(
            "right",
            columns(Kind::BigInteger, Kind::String),
            vec![key_to("other", "left", Action::Restrict)],
        ),
        SchemaStep::AddForeignKey {
            table: "left".to_owned(),
            key: key_to("other", "right", Action::Cascade),
        },
        SchemaStep::AddUnique {
            table: "right".to_owned(),
            columns: vec!["other".to_owned(), "id".to_owned()],
        },
        SchemaStep::AddColumn {
            table: "directus_users".to_owned(),
            column: Column {
                indexed: true,
                ..column("shoe_size", Kind::Decimal)
            },
        },
    ]
}

/// Rows in all of them, of every kind that values have, and with keys that are not in the order of the rows.
async fn fill(world: &World) {
    let authors: &[&[(&str, Value)]] = &[
        &[
            ("id", json!(7)),
            ("name", json!("Ann")),
            ("secret", json!("kept")),
        ],
        &[("id", json!(3)), ("name", json!("Bob")), ("editor", json!(7))],
        &[("id", json!(9)), ("name", json!("gone"))],
    ];
    world.write(world.insert("authors", authors)).await.unwrap();
    let points_behind = world.test("authors.name", Test::Equal("Ann".into()));
    let update = world.update("authors", points_behind, &[("editor", json!(3))]);
    world.write(update).await.unwrap();
    // The key 9 was given and is not there any more: it must not be given again.
    let gone = world.test("authors.name", Test::Equal("gone".into()));
    world.write(world.delete("authors", gone)).await.unwrap();
    let article: &[(&str, Value)] = &[
        ("title", json!("Ünïcode, 'quotes' \"and\" \\ 😀\n")),
        ("price", json!("12.50")),
        ("views", json!("9223372036854775807")),
        ("score", json!(0.1)),
        ("featured", json!(true)),
        ("data", json!({"b": [1, {"deep": "a\u{1}b"}], "a": null})),
        ("published", json!("2026-01-31T10:00:00.120Z")),
        ("author", json!(3)),
    ];
    let empty: &[(&str, Value)] = &[("title", json!("")), ("data", json!(""))];
    let insert = world.insert("articles", &[article, empty]);
    world.write(insert).await.unwrap();
    let left: &[&[(&str, Value)]] = &[
        &[("id", json!("b")), ("bytes", json!("AAEC/w=="))],
        &[("id", json!("É"))],
    ];
    world.write(world.insert("left", left)).await.unwrap();
    let right: &[&[(&str, Value)]] = &[&[("id", json!(-5)), ("other", json!("b"))]];
    world.write(world.insert("right", right)).await.unwrap();
    let update = world.update("left", Filter::All, &[("other", json!(-5))]);
    world.write(update).await.unwrap();
    let id = world.field("tags.id").clone();
    let name = world.field("tags.name").clone();
    let tag = |n: i64| {
        let key = format!("00000000-0000-4000-8000-{:012x}", (n * 7_919) % MANY);
        vec![
            (id.clone(), key.into()),
            (name.clone(), format!("tag {n}").into()),
        ]
    };
    let tags = InsertPlan {
        collection: world.collection("tags").clone(),
        rows: (0..MANY).map(tag).collect(),
    };
    world.write(Plan::Insert(tags)).await.unwrap();
}

/// A project in a file.
async fn project(options: &Options) -> World {
    let store = Store::open(options.clone()).await.unwrap();
    let steps = [newspaper_tables(), ring()].concat();
    change(&store, steps).await.unwrap();
    let world = World::of(store, newspaper_relations()).await;
    fill(&world).await;
    world
}

#[tokio::test]
async fn a_project_comes_back_as_it_left() {
    let mut place = Place::new();
    let (first, last) = (place.file("first.db"), place.file("last.db"));
    let Some(middle) = place.empty("middle.db").await else {
        return;
    };
    drop(project(&first).await);
    let there = run(&copy(&first, &middle)).await.unwrap();
    assert!(!there.resumed && there.notes.is_empty(), "{there:?}");
    let rows = |report: &Report| report.tables.iter().map(|moved| moved.rows).sum::<u64>();
    assert!(rows(&there) > MANY as u64);
    let back = run(&copy(&middle, &last)).await.unwrap();
    assert_eq!(rows(&there), rows(&back));
    for (left, right) in [(&first, &middle), (&middle, &last), (&first, &last)] {
        compare(left, right).await.unwrap();
    }
    // Tables, keys, indexes and counters are those of the source.
    let target_tables = world(&last).await.store.tables().await.unwrap();
    for (name, table) in world(&first).await.store.tables().await.unwrap() {
        let found = &target_tables[&name];
        assert_eq!(table.columns, found.columns, "{name}");
        assert_eq!(table.uniques, found.uniques, "{name}");
        let sorted = |keys: &[loggia_model::schema::ForeignKey]| {
            let mut keys = keys.to_vec();
            keys.sort_by(|a, b| a.column.cmp(&b.column));
            keys
        };
        assert_eq!(sorted(&table.foreign_keys), sorted(&found.foreign_keys), "{name}");
    }
    for options in [&middle, &last] {
        let target = world(options).await;
        assert!(target.store.check().await.unwrap().is_empty());
        let made = target
            .write(target.insert("authors", &[&[("name", json!("next"))]]))
            .await;
        assert_eq!(
            made.unwrap(),
            [Scalar::Int(10)],
            "a key that was given is not given again"
        );
        let twice = target
            .write(target.insert("authors", &[&[("name", json!("Ann"))]]))
            .await;
        assert!(matches!(twice, Err(Error::Unique { .. })), "{twice:?}");
        let cut = target.write(target.delete("left", Filter::All)).await;
        assert!(matches!(cut, Err(Error::StillPointedTo { .. })), "{cut:?}");
    }
}

/// Runs a copy until it has said something so many times, and then lets it fall.
async fn run_until(copy: &Copy, mut times: usize) -> Option<Result<Report, Stopped>> {
    let enough = Arc::new(Notify::new());
    let tell = enough.clone();
    let mut told = move |_: Progress<'_>| {
        times = times.saturating_sub(1);
        if times == 0 {
            tell.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = enough.notified() => None,
        done = copy.run(&mut told) => Some(done),
    }
}

#[tokio::test]
async fn a_copy_that_was_ended_at_any_point_goes_on() {
    let mut place = Place::new();
    let first = place.file("first.db");
    let Some(to) = place.empty("to.db").await else {
        return;
    };
    drop(project(&first).await);
    let copy = copy(&first, &to);
    let (mut ended, mut step) = (0, 1);
    let report = loop {
        match run_until(&copy, step).await {
            None => ended += 1,
            Some(done) => break done.unwrap(),
        }
        // Every step in the beginning, then further and further.
        step += 1 + step / 4;
        if ended % 5 == 0
            && let Err(error) = Store::open(to.clone()).await
        {
            assert!(
                matches!(error, Error::Unfinished),
                "nobody works with it: {error}"
            );
        }
    };
    assert!(ended > 10, "{ended}");
    assert!(report.resumed);
    let there: u64 = report.tables.iter().map(|moved| moved.there).sum();
    assert!(there >= MANY as u64, "{there}");
    compare(&first, &to).await.unwrap();
    let world = world(&to).await;
    assert!(world.store.check().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_changed_in_the_source_while_nobody_copied_is_copied() {
    let mut place = Place::new();
    let first = place.file("first.db");
    let Some(to) = place.empty("to.db").await else {
        return;
    };
    let source = project(&first).await;
    let copy = copy(&first, &to);
    let until_compared = async {
        let enough = Arc::new(Notify::new());
        let tell = enough.clone();
        let mut told = move |progress: Progress<'_>| {
            if progress.doing == Doing::Comparing {
                tell.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = enough.notified() => {}
            done = copy.run(&mut told) => panic!("it must not be done: {done:?}"),
        }
    };
    until_compared.await;
    let name = |name: &str| source.test("tags.name", Test::Equal(name.into()));
    for plan in [
        source.update("tags", name("tag 5"), &[("name", json!("another"))]),
        source.delete("tags", name("tag 6")),
        source.insert(
            "tags",
            &[&[
                ("id", json!("ffffffff-0000-4000-8000-000000000000")),
                ("name", json!("new")),
            ]],
        ),
    ] {
        source.write(plan).await.unwrap();
    }
    let report = run(&copy).await.unwrap();
    let tags = report.tables.iter().find(|moved| moved.table == "tags").unwrap();
    assert_eq!((tags.mended, tags.there), (2, MANY as u64 - 2), "{tags:?}");
    compare(&first, &to).await.unwrap();
}

#[tokio::test]
async fn a_source_that_changes_meanwhile_is_told() {
    let mut place = Place::new();
    let first = place.file("first.db");
    let Some(to) = place.empty("to.db").await else {
        return;
    };
    let source = project(&first).await;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let copy = copy(&first, &to);
    let mut told = move |progress: Progress<'_>| {
        if progress.doing == Doing::Comparing {
            // The receiver has gone once it has what it waited for.
            let _ = sender.send(());
        }
    };
    let changing = async {
        receiver.recv().await.unwrap();
        drop(receiver);
        let steps = vec![table("late", vec![counted_key()], vec![])];
        change(&source.store, steps).await.unwrap();
    };
    let (done, ()) = tokio::join!(copy.run(&mut told), changing);
    assert!(matches!(done, Err(Stopped::Changed)), "{done:?}");
    let report = run(&copy).await.unwrap();
    assert!(report.tables.iter().any(|moved| moved.table == "late"));
}

#[tokio::test]
async fn a_target_that_was_tampered_with_is_noticed() {
    let mut place = Place::new();
    let first = place.file("first.db");
    let Some(to) = place.empty("to.db").await else {
        return;
    };
    drop(project(&first).await);
    run(&copy(&first, &to)).await.unwrap();
    let target = world(&to).await;
    let differs = async || match compare(&first, &to).await {
        Err(Stopped::Differs(tables)) => tables,
        other => panic!("{other:?}"),
    };
    let all = target.read("tags", &["id", "name"]);
    let five = target.test("tags.name", Test::Equal("tag 5".into()));
    let update = target.update("tags", five, &[("name", json!("tag 5 "))]);
    write(&target.store, update).await.unwrap();
    assert_eq!(differs().await, ["tags: as many rows, with another content"]);
    let rows = target
        .rows(ReadPlan {
            limit: Some(1),
            ..all
        })
        .await;
    let key = rows[0]["id"].as_str().unwrap();
    let one = target.test("tags.id", Test::Equal(key.into()));
    write(&target.store, target.delete("tags", one)).await.unwrap();
    assert_eq!(
        differs().await,
        [format!(
            "tags: {MANY} rows in the source, {} in the target",
            MANY - 1
        )]
    );
}

#[tokio::test]
async fn what_is_no_empty_target_is_refused_and_left_alone() {
    let mut place = Place::new();
    let (first, other, none) = (
        place.file("first.db"),
        place.file("other.db"),
        place.file("none.db"),
    );
    let Some(to) = place.empty("to.db").await else {
        return;
    };
    drop(project(&first).await);
    let refused = async |copy: Copy, says: &str| match run(&copy).await {
        Err(Stopped::Refused(why)) => assert!(why.contains(says), "{why}"),
        other => panic!("{says}: {other:?}"),
    };
    refused(copy(&none, &to), "nothing to copy").await;
    assert!(
        !place.folder.path().join("none.db").exists(),
        "looking makes nothing"
    );
    refused(copy(&first, &first), "are both").await;
    let leave_out = |name: &str| Copy {
        leave_out: vec![name.to_owned()],
        ..copy(&first, &to)
    };
    refused(leave_out("nothing"), "no table \"nothing\"").await;
    refused(leave_out("directus_users"), "part of every project").await;
    // Somebody works with it.
    let store = Store::open(to.clone()).await.unwrap();
    change(&store, vec![table("mine", vec![counted_key()], vec![])])
        .await
        .unwrap();
    drop(store);
    refused(copy(&first, &to), "the collections mine").await;
    assert!(Store::open(to.clone()).await.is_ok());
    // An unfinished copy of another project.
    let Some(begun) = place.empty("begun.db").await else {
        return;
    };
    drop(project(&other).await);
    assert!(run_until(&copy(&other, &begun), 40).await.is_none());
    refused(copy(&first, &begun), "another project").await;
    let onwards = run(&copy(&begun, &place.file("x.db"))).await;
    assert!(
        matches!(onwards, Err(Stopped::Database("source", Error::Unfinished))),
        "{onwards:?}"
    );
    run(&copy(&other, &begun)).await.unwrap();
}
