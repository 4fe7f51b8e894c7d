//! Files that other programs made.

use std::sync::Arc;

use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, FigureKey, FigureSort, Group, Plan};
use loggia_model::schema::{Action, Default};
use loggia_model::{Filter, Scalar, StorageKind as Kind};
use loggia_store::{Error, Options, Store, Weight};
use rusqlite::Connection;
use serde_json::json;

use super::suite::world::{World, run};

/// A store over a file that other programs made with `text`.
async fn over(folder: &tempfile::TempDir, text: &str) -> Store {
    let file = folder.path().join("foreign.db");
    Connection::open(&file).unwrap().execute_batch(text).unwrap();
    Store::open(Options {
        durable: false,
        ..Options::new(format!("sqlite://{}", file.display()))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn tables_of_other_programs_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let store = over(
        &folder,
        "CREATE TABLE people (id char(36) PRIMARY KEY, name varchar(80) NOT NULL UNIQUE, age int DEFAULT 18, \
             joined datetime DEFAULT CURRENT_TIMESTAMP, active boolean DEFAULT 1, balance numeric(10, 2), \
             shouted TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL, boss char(36) REFERENCES PEOPLE ON DELETE SET NULL, \
             CHECK (age > 0));\n\
         CREATE INDEX by_age ON people (age);\n\
         CREATE INDEX by_both ON people (age, name);\n\
         CREATE UNIQUE INDEX some ON people (balance) WHERE balance > 5;\n\
         CREATE TABLE pairs (a INT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;\n\
         CREATE TABLE keyless (anything, other);\n\
         CREATE TABLE counted (id INTEGER PRIMARY KEY, t TEXT) STRICT;\n\
         CREATE VIEW adults AS SELECT * FROM people WHERE age > 17;\n\
         CREATE VIRTUAL TABLE searched USING fts5(body);\n\
         INSERT INTO people (id, name) VALUES ('a', 'Ann');",
    )
    .await;
    let tables = store.tables().await.unwrap();
    let names: Vec<_> = tables
        .keys()
        .filter(|name| !loggia_model::system::is_reserved(name))
        .collect();
    assert_eq!(names, ["people", "pairs", "keyless", "counted", "adults"]);
    assert!(tables["adults"].view && !tables["people"].view);
    assert_eq!(tables["pairs"].uniques, [["a", "b"]]);
    let people = &tables["people"];
    let column = |name: &str| people.columns.iter().find(|column| column.name == name).unwrap();
    assert_eq!(
        (column("id").kind, column("id").primary_key, column("id").nullable),
        (Kind::Uuid, true, false)
    );
    assert_eq!(
        (
            column("name").max_length,
            column("name").unique,
            column("name").nullable
        ),
        (Some(80), true, false)
    );
    assert_eq!(
        (&column("age").default, column("age").indexed),
        (&Default::Value(Scalar::Int(18)), true)
    );
    assert_eq!(
        (column("joined").kind, &column("joined").default),
        (Kind::DateTime, &Default::Now)
    );
    assert_eq!(column("active").default, Default::Value(Scalar::Bool(true)));
    assert_eq!(
        (
            column("balance").precision,
            column("balance").scale,
            column("balance").unique
        ),
        (Some(10), Some(2), false)
    );
    assert!(column("shouted").generated && !column("name").generated);
    let key = &people.foreign_keys[0];
    assert_eq!(
        (
            key.foreign_table.as_str(),
            key.foreign_column.as_str(),
            key.on_delete
        ),
        ("people", "id", Action::SetNull)
    );
    assert!(
        tables["pairs"]
            .columns
            .iter()
            .all(|column| !column.primary_key && !column.auto_increment)
    );
    assert!(
        tables["keyless"]
            .columns
            .iter()
            .all(|column| column.kind == Kind::Text)
    );
    assert!(tables["counted"].columns[0].auto_increment);

    let world = World::of(store, vec![]).await;
    assert_eq!(world.rows(world.read("pairs", &["a"])).await.len(), 0);
    assert_eq!(
        world
            .json(world.read("people", &["name", "active", "shouted"]))
            .await,
        json!([{"name": "Ann", "active": true, "shouted": "ANN"}])
    );
    let error = world
        .write(world.insert(
            "people",
            &[&[
                ("id", json!("3fa85f64-5717-4562-b3fc-2c963f66afa6")),
                ("name", json!("Bob")),
                ("age", json!(-1)),
            ]],
        ))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Check { table, .. } if table == "people"),
        "{error}"
    );
    assert_eq!(world.store.check().await.unwrap(), []);
}

/// Decimals that other programs keep as numbers, and columns with the names that a statement could give to its own.
#[tokio::test]
async fn their_values_are_compared_as_values_where_only_some_rows_have_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = over(
        &folder,
        "CREATE TABLE items (id INTEGER PRIMARY KEY, price NUMERIC(10, 2), kind TEXT, g0 TEXT, f0 INT);\n\
         INSERT INTO items (price, kind, g0, f0) VALUES (10.5, 'a', 'x', 3), (3, 'a', 'y', 1), (7, 'b', 'x', 9);",
    )
    .await;
    let world = World::of(store, vec![]).await;
    let price = || Operand::Case {
        when: Arc::new(world.test("items.kind", Test::Equal("a".into()))),
        operand: Box::new(Operand::Field(world.field("items.price").clone())),
    };
    for (test, expect) in [
        (Test::Equal("10.5".into()), json!([{"id": 1}])),
        (Test::Equal("7".into()), json!([])),
        (
            Test::In(vec!["3".into(), "7".into(), "10.5".into()]),
            json!([{"id": 1}, {"id": 2}]),
        ),
        (Test::Less("4".into()), json!([{"id": 2}])),
        (Test::Null, json!([{"id": 3}])),
    ] {
        let mut plan = world.read("items", &["id"]);
        plan.filter = Filter::Test {
            operand: price(),
            test: test.clone(),
        };
        assert_eq!(world.json(plan).await, expect, "{test:?}");
    }
    let rows = world
        .run(Plan::Aggregate(AggregatePlan {
            collection: world.collection("items").clone(),
            filter: Filter::All,
            group_by: vec![Group {
                alias: "kind".to_owned(),
                operand: Operand::Field(world.field("items.kind").clone()),
            }],
            figures: vec![Figure {
                function: Aggregate::Sum,
                field: Some(world.field("items.f0").clone()),
                when: None,
            }],
            sort: vec![FigureSort {
                key: FigureKey::Figure(0),
                descending: true,
            }],
            limit: None,
            offset: 0,
        }))
        .await;
    let rows: serde_json::Value = rows.into_iter().map(serde_json::Value::Object).collect();
    assert_eq!(
        rows,
        json!([{"kind": "b", "sum": {"f0": 9}}, {"kind": "a", "sum": {"f0": 4}}])
    );
}

#[tokio::test]
async fn their_rules_stay_when_columns_change() {
    use super::suite::world::change;
    use loggia_model::plan::SchemaStep;
    use loggia_model::schema::Column;
    let folder = tempfile::tempdir().unwrap();
    let store = over(
        &folder,
        "CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT, -- counted, (really)\n name TEXT COLLATE NOCASE, \
             size INT CHECK (size > 0), code TEXT UNIQUE, [odd name] TEXT DEFAULT 'a,b');\n\
         CREATE TRIGGER shout AFTER INSERT ON things BEGIN UPDATE things SET code = upper(new.code) WHERE id = new.id; END;\n\
         CREATE VIEW named AS SELECT name FROM things;\n\
         INSERT INTO things (name, size, code) VALUES ('one', 1, 'x');",
    )
    .await;
    let world = World::of(store, vec![]).await;
    let size = world.field("things.size").column.clone().unwrap();
    let alter = |column| SchemaStep::AlterColumn {
        table: "things".to_owned(),
        column,
    };
    let code = world.field("things.code").column.clone().unwrap();
    change(
        &world.store,
        vec![
            alter(Column {
                kind: Kind::Decimal,
                nullable: false,
                ..size
            }),
            SchemaStep::DropColumn {
                table: "things".to_owned(),
                column: "odd name".to_owned(),
            },
        ],
    )
    .await
    .unwrap();
    let refused = change(
        &world.store,
        vec![alter(Column {
            unique: false,
            ..code
        })],
    )
    .await
    .unwrap_err();
    assert!(
        refused.to_string().contains("made by another program"),
        "{refused}"
    );
    let refused = change(
        &world.store,
        vec![SchemaStep::DropColumn {
            table: "things".to_owned(),
            column: "name".to_owned(),
        }],
    )
    .await
    .unwrap_err();
    assert!(
        refused.problem().message.contains("a view, a trigger or a check"),
        "{refused}"
    );
    let world = World::of(world.store, vec![]).await;
    let row = |size: &str| {
        world.insert(
            "things",
            &[&[
                ("name", json!("two")),
                ("size", json!(size)),
                ("code", json!("y")),
            ]],
        )
    };
    assert!(matches!(world.write(row("-1.5")).await, Err(Error::Check { .. })));
    assert_eq!(world.write(row("2.50")).await.unwrap(), [Scalar::Int(2)]);
    assert_eq!(
        world.rows(world.read("things", &["size", "code"])).await[1]["code"],
        json!("Y"),
        "the trigger works"
    );
    assert_eq!(world.store.check().await.unwrap(), []);
}

#[tokio::test]
async fn keys_checked_only_at_commit_fail_their_own_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let store = over(
        &folder,
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INT REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);",
    )
    .await;
    let world = std::sync::Arc::new(World::of(store, vec![]).await);
    let tasks: Vec<_> = (0..20)
        .map(|i| {
            let world = world.clone();
            tokio::spawn(async move {
                let mut tx = world.store.begin().await.unwrap();
                let key = if i % 2 == 0 { json!(null) } else { json!(999) };
                let plan = world.insert("a", &[&[("b", key)]]);
                run(&mut tx, plan).await.unwrap();
                tx.commit().await.is_ok()
            })
        })
        .collect();
    let mut kept = 0;
    for task in tasks {
        kept += usize::from(task.await.unwrap());
    }
    assert_eq!(kept, 10);
    assert_eq!(world.rows(world.read("a", &["id"])).await.len(), 10);
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(over(&folder, "").await);
    let file = folder.path().join("foreign.db");
    let connection = Connection::open(&file).unwrap();
    connection
        .execute_batch("INSERT INTO loggia_migrations (number, name) VALUES (999, 'of the future')")
        .unwrap();
    drop(connection);
    let error = Store::open(Options::new(format!("sqlite://{}", file.display())))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Newer { found: 999, .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_database_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    let letter = "Dear reader, ".repeat(200);
    std::fs::write(&file, &letter).unwrap();
    Store::open(Options::new(format!("sqlite://{}", file.display())))
        .await
        .unwrap_err();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), letter);
}

#[tokio::test]
async fn views_are_read_and_never_changed() {
    let folder = tempfile::tempdir().unwrap();
    let store = over(
        &folder,
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name varchar(80), age int, city text, UNIQUE (name, city));\n\
         CREATE UNIQUE INDEX folded ON people (lower(name), age);\n\
         CREATE VIEW adults AS SELECT id, name, CAST(age * 2 AS INTEGER) AS twice, age > 20 AS old FROM people WHERE age > 17;\n\
         CREATE VIEW broken AS SELECT * FROM gone;\n\
         INSERT INTO people (name, age) VALUES ('Ann', 30), ('Bob', 10), ('Cid', 18);",
    )
    .await;
    let world = World::of(store, Vec::new()).await;
    let tables = world.store.tables().await.unwrap();
    assert!(
        !tables.contains_key("broken"),
        "it keeps no other from being read"
    );
    assert_eq!(tables["people"].uniques, [["name", "city"]]);
    let adults = &tables["adults"];
    let kinds: Vec<_> = adults
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.kind))
        .collect();
    assert_eq!(
        &kinds[..3],
        [
            ("id", Kind::Integer),
            ("name", Kind::String),
            ("twice", Kind::Integer)
        ]
    );
    assert!(
        adults.view
            && adults
                .columns
                .iter()
                .all(|column| !column.primary_key && !column.auto_increment)
    );
    let mut plan = world.read("adults", &["name", "twice"]);
    plan.filter = world.test("adults.twice", Test::Greater(Scalar::Int(36)));
    assert_eq!(world.json(plan).await, json!([{"name": "Ann", "twice": 60}]));
    let step = loggia_model::plan::SchemaStep::DropTable {
        table: "adults".to_owned(),
    };
    let refused = super::suite::world::change(&world.store, vec![step])
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("is a view"), "{refused}");
}

#[tokio::test]
async fn what_is_no_collection_like_others_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = over(
        &folder,
        "CREATE TABLE pairs (a INT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;\n\
         CREATE TABLE keyless (anything);\n\
         CREATE TABLE pointing (id INTEGER PRIMARY KEY, x INT, y INT, FOREIGN KEY (x, y) REFERENCES pairs (a, b));\n\
         CREATE VIRTUAL TABLE searched USING fts5(body);",
    )
    .await;
    drop(store);
    let file = folder.path().join("foreign.db");
    let examined = Store::examine(Options::new(format!("sqlite://{}", file.display())))
        .await
        .unwrap();
    let told: Vec<_> = examined
        .findings
        .iter()
        .map(|finding| {
            (
                finding.table.as_deref().unwrap(),
                finding.what.as_str(),
                finding.weight,
            )
        })
        .collect();
    for (table, says) in [
        ("pairs", "its key has several columns (a, b)"),
        ("keyless", "it has no primary key"),
        ("pointing", "its foreign key of several columns to pairs"),
        ("searched", "a virtual table"),
    ] {
        let found = |(name, what, weight): &(&str, &str, Weight)| {
            *name == table && what.starts_with(says) && *weight == Weight::Noted
        };
        assert!(told.iter().any(found), "{table} {says}: {told:?}");
    }
    assert_eq!(told.len(), 4, "{told:?}");
}
