//! Databases that other programs made.

use loggia_model::filter::{Place, Test};
use loggia_model::schema::{Action, Default};
use loggia_model::{Filter, Scalar, StorageKind as Kind};
use loggia_servers::Database;
use loggia_store::{Error, Store, Weight};
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use super::suite::world::{World, options};

/// Runs statements as another program would.
pub(crate) async fn say(url: &str, text: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let working = tokio::spawn(connection);
    client.batch_execute(text).await.unwrap();
    drop(client);
    working.await.unwrap().unwrap();
}

/// A store over a database that other programs made with `text`.
async fn over(text: &str) -> Option<(World, Database)> {
    let database = Database::empty(super::KIND).await?;
    say(&database.url, text).await;
    let store = Store::open(options(&database.url)).await.unwrap();
    Some((World::of(store, vec![]).await, database))
}

#[tokio::test]
async fn tables_of_other_programs_are_understood() {
    let text = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy');\n\
         CREATE DOMAIN percent AS integer CHECK (VALUE BETWEEN 0 AND 100);\n\
         CREATE TABLE people (id serial PRIMARY KEY, name varchar(80) NOT NULL UNIQUE, age smallint DEFAULT 18 CHECK (age > 0), \
             joined timestamptz DEFAULT now(), active boolean DEFAULT true, balance numeric(10, 2), mood mood DEFAULT 'ok', \
             tags text[], code char(5), shouted text GENERATED ALWAYS AS (upper(name)) STORED, \
             boss integer REFERENCES people ON DELETE SET NULL ON UPDATE CASCADE, address inet, data jsonb, share percent, \
             born date DEFAULT CURRENT_DATE, ratio real, UNIQUE (code, age));\n\
         COMMENT ON TABLE people IS 'who works here'; COMMENT ON COLUMN people.age IS 'in years';\n\
         CREATE INDEX by_age ON people (age); CREATE INDEX by_both ON people (age, name);\n\
         CREATE UNIQUE INDEX partly ON people (balance) WHERE balance > 5;\n\
         CREATE TABLE pairs (a integer, b integer, PRIMARY KEY (a, b));\n\
         CREATE TABLE counted (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text);\n\
         CREATE TABLE parted (id integer PRIMARY KEY, t text) PARTITION BY RANGE (id);\n\
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);\n\
         CREATE VIEW adults AS SELECT * FROM people WHERE age > 17;\n\
         CREATE SCHEMA other; CREATE TABLE other.hidden (id integer);\n\
         INSERT INTO people (name, tags, code, address, data, share, ratio) \
             VALUES ('Ann', '{a,\"b c\"}', 'xy', '10.0.0.1/8', '{\"b\": 1, \"a\": [1.50]}', 7, 0.1);";
    let Some((world, _database)) = over(text).await else {
        return;
    };
    let tables = world.store.tables().await.unwrap();
    let names: Vec<_> = tables
        .keys()
        .filter(|name| !loggia_model::system::is_reserved(name))
        .collect();
    assert_eq!(names, ["people", "pairs", "counted", "parted", "adults"]);
    assert!(tables["adults"].view && !tables["people"].view);
    assert_eq!(tables["people"].uniques, [["code", "age"]]);
    assert_eq!(tables["pairs"].uniques, [["a", "b"]]);
    let people = &tables["people"];
    let column = |name: &str| people.columns.iter().find(|column| column.name == name).unwrap();
    assert_eq!(people.comment.as_deref(), Some("who works here"));
    assert_eq!(column("age").comment.as_deref(), Some("in years"));
    let id = column("id");
    assert_eq!(
        (
            id.kind,
            id.primary_key,
            id.auto_increment,
            id.nullable,
            &id.default
        ),
        (Kind::Integer, true, true, false, &Default::None)
    );
    let name = column("name");
    assert_eq!(
        (name.max_length, name.unique, name.nullable),
        (Some(80), true, false)
    );
    assert_eq!(name.data_type, "character varying");
    assert_eq!(name.collation.as_deref(), Some("default"));
    assert_eq!(
        (
            &column("age").default,
            column("age").indexed,
            column("age").unique
        ),
        (&Default::Value(Scalar::Int(18)), true, false)
    );
    assert_eq!(
        (column("joined").kind, &column("joined").default),
        (Kind::Timestamp, &Default::Now)
    );
    assert_eq!(column("born").default, Default::Now);
    assert_eq!(column("active").default, Default::Value(Scalar::Bool(true)));
    let balance = column("balance");
    assert_eq!(
        (balance.precision, balance.scale, balance.unique),
        (Some(10), Some(2), false)
    );
    let mood = column("mood");
    assert_eq!(
        (mood.kind, &mood.default),
        (Kind::String, &Default::Value("ok".into()))
    );
    assert_eq!(mood.choices, [json!("sad"), json!("ok"), json!("very happy")]);
    assert_eq!(
        (column("tags").kind, column("address").kind),
        (Kind::Text, Kind::Text)
    );
    assert_eq!(
        (column("code").kind, column("code").max_length),
        (Kind::String, Some(5))
    );
    assert_eq!(
        (column("data").kind, column("share").kind),
        (Kind::Json, Kind::Integer)
    );
    assert!(column("shouted").generated && !column("name").generated);
    let key = &people.foreign_keys[0];
    assert_eq!(
        (key.foreign_table.as_str(), key.foreign_column.as_str()),
        ("people", "id")
    );
    assert_eq!((key.on_delete, key.on_update), (Action::SetNull, Action::Cascade));
    assert!(tables["pairs"].columns.iter().all(|column| !column.primary_key));
    assert!(tables["counted"].columns[0].auto_increment);
    let fields = [
        "name", "active", "shouted", "mood", "tags", "code", "address", "data", "share", "ratio",
    ];
    let data: Value = serde_json::from_str(r#"{"b": 1, "a": [1.50]}"#).unwrap();
    assert_eq!(
        world.json(world.read("people", &fields)).await,
        json!([{"name": "Ann", "active": true, "shouted": "ANN", "mood": "ok", "tags": "{a,\"b c\"}", "code": "xy",
            "address": "10.0.0.1/8", "data": data, "share": 7, "ratio": 0.1}])
    );
    assert_eq!(world.store.check().await.unwrap(), []);
}

#[tokio::test]
async fn their_values_are_compared_and_written_as_ours_are() {
    let text = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');\n\
         CREATE TABLE people (id serial PRIMARY KEY, name text, mood mood, tags text[], code char(5), ratio real, data jsonb);\n\
         INSERT INTO people (name, mood, tags, code, ratio) VALUES ('b', 'sad', '{x}', 'a', 0.1), ('A', 'happy', '{y}', 'b', 0.2), \
             ('a', 'ok', NULL, NULL, NULL), ('B', NULL, NULL, NULL, NULL);";
    let Some((world, _database)) = over(text).await else {
        return;
    };
    let names = async |filter: Filter, sort: &str, descending: bool| {
        let mut plan = world.read("people", &["name"]);
        plan.filter = filter;
        plan.sort = vec![world.sort(&format!("people.{sort}"), descending)];
        let rows = world.rows(plan).await;
        rows.iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect::<String>()
    };
    let test = |field: &str, test: Test| world.test(&format!("people.{field}"), test);
    // By bytes, whatever the database's own order is; enumerations as the texts that they are here.
    assert_eq!(names(Filter::All, "name", false).await, "ABab");
    assert_eq!(names(Filter::All, "mood", false).await, "BAab");
    assert_eq!(names(Filter::All, "mood", true).await, "baAB");
    assert_eq!(
        names(test("name", Test::Less("a".into())), "name", true).await,
        "BA"
    );
    assert_eq!(
        names(test("mood", Test::Greater("happy".into())), "name", false).await,
        "ab"
    );
    assert_eq!(
        names(
            test("mood", Test::In(vec!["ok".into(), "none".into()])),
            "name",
            false
        )
        .await,
        "a"
    );
    assert_eq!(
        names(test("code", Test::Equal("a".into())), "name", false).await,
        "b"
    );
    assert_eq!(
        names(test("ratio", Test::Equal(Scalar::Real(0.1))), "name", false).await,
        "b"
    );
    let piece = Test::Text {
        at: Place::Anywhere,
        piece: "X".to_owned(),
        ignore_case: true,
        negated: false,
    };
    assert_eq!(names(test("tags", piece), "name", false).await, "b");
    let row: &[(&str, Value)] = &[
        ("name", json!("c")),
        ("mood", json!("ok")),
        ("tags", json!("{p,q}")),
        ("code", json!("abc")),
        ("ratio", json!(0.3)),
        ("data", json!({"z": 1})),
    ];
    assert_eq!(
        world.write(world.insert("people", &[row])).await.unwrap(),
        [Scalar::Int(5)]
    );
    let error = world
        .write(world.insert("people", &[&[("mood", json!("angry"))]]))
        .await
        .unwrap_err();
    assert_eq!(error.problem().code.name, "INVALID_PAYLOAD", "{error}");
}

#[tokio::test]
async fn broken_rules_are_named_by_their_columns() {
    let text = "CREATE TABLE things (id integer PRIMARY KEY, a integer, b text, size integer CHECK (size > 0), \
             CONSTRAINT pair UNIQUE (b, a));\n\
         CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.size = 13 THEN RAISE EXCEPTION 'thirteen is unlucky'; END IF; RETURN NEW; END $$;\n\
         CREATE TRIGGER lucky BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION never();\n\
         INSERT INTO things VALUES (1, 1, 'x', 1);";
    let Some((world, _database)) = over(text).await else {
        return;
    };
    let problem = async |row: &[(&str, Value)]| {
        let error = world.write(world.insert("things", &[row])).await.unwrap_err();
        let problem = error.problem();
        let extensions = problem.extensions;
        json!([
            problem.code.name,
            problem.path,
            extensions["collection"],
            extensions.get("field"),
            error.row()
        ])
    };
    assert_eq!(
        problem(&[("id", json!(2)), ("a", json!(1)), ("b", json!("x"))]).await,
        json!(["RECORD_NOT_UNIQUE", "b", "things", "b, a", 0])
    );
    assert_eq!(
        problem(&[("id", json!(1))]).await,
        json!(["RECORD_NOT_UNIQUE", "id", "things", "id", 0])
    );
    assert_eq!(
        problem(&[("id", json!(2)), ("size", json!(-1))]).await,
        json!(["FAILED_VALIDATION", "", "things", null, null])
    );
    assert_eq!(
        problem(&[("id", json!(2)), ("size", json!(13))]).await,
        json!(["FAILED_VALIDATION", "", "things", null, null])
    );
    assert_eq!(
        problem(&[("a", json!(1))]).await,
        json!(["NOT_NULL_VIOLATION", "id", "things", "id", 0])
    );
}

#[tokio::test]
async fn keys_checked_only_at_commit_fail_their_own_transaction() {
    let text =
        "CREATE TABLE a (id integer PRIMARY KEY, b integer REFERENCES a DEFERRABLE INITIALLY DEFERRED)";
    let Some((world, _database)) = over(text).await else {
        return;
    };
    for (key, kept) in [(json!(null), true), (json!(999), false), (json!(1), true)] {
        let id = world.rows(world.read("a", &["id"])).await.len() + 1;
        let row: &[(&str, Value)] = &[("id", json!(id)), ("b", key)];
        let committed = world.write(world.insert("a", &[row])).await;
        assert_eq!(committed.is_ok(), kept);
        if let Err(error) = committed {
            assert!(matches!(error, Error::ForeignKey { .. }), "{error}");
        }
    }
    assert_eq!(world.rows(world.read("a", &["id"])).await.len(), 2);
}

#[tokio::test]
async fn a_key_that_is_given_is_not_given_out_again() {
    let text = "CREATE TABLE things (id serial PRIMARY KEY, name text)";
    let Some((world, _database)) = over(text).await else {
        return;
    };
    let named = |id: Option<i64>| {
        let mut row = vec![("name", json!("x"))];
        row.extend(id.map(|id| ("id", json!(id))));
        world.insert("things", &[&row])
    };
    for (given, expect) in [(None, 1), (Some(7), 7), (None, 8), (Some(3), 3), (None, 9)] {
        assert_eq!(world.write(named(given)).await.unwrap(), [Scalar::Int(expect)]);
    }
    world.write(world.delete("things", Filter::All)).await.unwrap();
    world.write(named(Some(2))).await.unwrap();
    assert_eq!(world.write(named(None)).await.unwrap(), [Scalar::Int(10)]);
    let error = world.write(named(Some(1 << 40))).await.unwrap_err();
    let problem = error.problem();
    assert_eq!(
        (problem.code.name, problem.path.as_str(), error.row()),
        ("VALUE_OUT_OF_RANGE", "id", Some(0)),
        "{error}"
    );
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let Some(database) = Database::empty(super::KIND).await else {
        return;
    };
    drop(Store::open(options(&database.url)).await.unwrap());
    say(
        &database.url,
        "INSERT INTO loggia_migrations (number, name) VALUES (999, 'of the future')",
    )
    .await;
    let error = Store::open(options(&database.url)).await.unwrap_err();
    assert!(matches!(error, Error::Newer { found: 999, .. }), "{error}");
}

#[tokio::test]
async fn a_look_at_a_database_changes_nothing() {
    let Some(database) = Database::empty(super::KIND).await else {
        return;
    };
    let findings = Store::examine(options(&database.url)).await.unwrap().findings;
    assert!(
        findings.len() == 1 && findings[0].weight == Weight::MendedByStart,
        "{findings:?}"
    );
    let store = Store::open(options(&database.url)).await.unwrap();
    assert_eq!(Store::examine(options(&database.url)).await.unwrap().findings, []);
    drop(store);
    // What somebody did with the server's checks switched off is found.
    say(
        &database.url,
        "CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (id serial PRIMARY KEY, a integer REFERENCES a); \
         SET session_replication_role = replica; INSERT INTO b (a) VALUES (1), (2)",
    )
    .await;
    let findings = Store::examine(options(&database.url)).await.unwrap().findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].what, "2 row(s) point to nothing in a");
}

#[tokio::test]
async fn whom_the_server_does_not_let_in_is_told_without_secrets() {
    let Some(database) = Database::empty(super::KIND).await else {
        return;
    };
    let nowhere = database.url.replace("/test-", "/nowhere-");
    let nobody = database.url.replace("postgres@", "nobody:secret@");
    for (url, says) in [(nowhere, "no such database"), (nobody, "let its user in")] {
        let error = Store::open(options(&url)).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn views_are_read_and_never_changed() {
    let text = "CREATE TABLE people (id serial PRIMARY KEY, name text, age smallint);\n\
         INSERT INTO people (name, age) VALUES ('Ann', 30), ('Bob', 10), ('Cid', 18);\n\
         CREATE VIEW adults AS SELECT id, name, age::numeric(5, 1) / 2 AS half FROM people WHERE age > 17;\n\
         CREATE MATERIALIZED VIEW kept AS SELECT age, count(*) AS people FROM people GROUP BY age;";
    let Some((world, _database)) = over(text).await else {
        return;
    };
    let tables = world.store.tables().await.unwrap();
    for (view, expect) in [
        (
            "adults",
            vec![
                ("id", Kind::Integer),
                ("name", Kind::Text),
                ("half", Kind::Decimal),
            ],
        ),
        ("kept", vec![("age", Kind::Integer), ("people", Kind::BigInteger)]),
    ] {
        let table = &tables[view];
        let kinds: Vec<_> = table
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.kind))
            .collect();
        assert_eq!(kinds, expect);
        assert!(
            table.view
                && table
                    .columns
                    .iter()
                    .all(|column| !column.primary_key && !column.auto_increment)
        );
    }
    let mut plan = world.read("adults", &["name"]);
    plan.filter = world.test("adults.half", Test::Greater("9".into()));
    assert_eq!(world.json(plan).await, json!([{"name": "Ann"}]));
    assert_eq!(world.rows(world.read("kept", &["people"])).await.len(), 3);
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
    let text = "CREATE TABLE pairs (a integer, b integer, PRIMARY KEY (a, b)); CREATE TABLE keyless (anything text);\n\
         CREATE TABLE pointing (id integer PRIMARY KEY, x integer, y integer, FOREIGN KEY (x, y) REFERENCES pairs);";
    let Some((_world, database)) = over(text).await else {
        return;
    };
    let examined = Store::examine(options(&database.url)).await.unwrap();
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
    ] {
        let found = |(name, what, weight): &(&str, &str, Weight)| {
            *name == table && what.starts_with(says) && *weight == Weight::Noted
        };
        assert!(told.iter().any(found), "{table} {says}: {told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
}
