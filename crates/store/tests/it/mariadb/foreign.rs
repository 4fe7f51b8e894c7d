//! Databases that other programs made.

use loggia_model::filter::{Place, Test};
use loggia_model::plan::SchemaStep;
use loggia_model::schema::{Action, Column, Default};
use loggia_model::{Filter, Scalar, StorageKind as Kind};
use loggia_servers::Database;
use loggia_store::Store;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use super::suite::world::{World, change, options};

/// Runs statements as another program would.
pub(crate) async fn say(url: &str, text: &str) {
    let url = url.split('?').next().unwrap();
    let mut connection = Conn::new(Opts::from_url(url).unwrap()).await.unwrap();
    connection.query_drop(text).await.unwrap();
    connection.disconnect().await.unwrap();
}

/// A store over a database that other programs made with `text`.
async fn over(text: &str) -> Option<(World, Database)> {
    let database = Database::empty(super::KIND).await?;
    say(&database.url, text).await;
    let store = Store::open(options(&database.url)).await.unwrap();
    Some((World::of(store, vec![]).await, database))
}

const PEOPLE: &str = "CREATE TABLE people (id int unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(80) NOT NULL UNIQUE, \
         age smallint DEFAULT 18 COMMENT 'in years' CHECK (age > 0), joined timestamp DEFAULT current_timestamp(), \
         active tinyint(1) DEFAULT 1, balance decimal(10, 2), mood enum('sad', 'ok', 'it''s fine') DEFAULT 'ok', \
         code char(5), size varchar(9) CHECK (size IN ('small', 'it''s large')), shouted varchar(80) AS (upper(name)) STORED, boss int unsigned, \
         data json, born date DEFAULT (curdate()), ratio float, long_one mediumtext, seen datetime, mark char(36), \
         raw varbinary(9), flag bit(1) DEFAULT b'1', place point, \
         UNIQUE KEY (code, age), KEY by_age (age), KEY by_both (age, name), \
         FOREIGN KEY (boss) REFERENCES people (id) ON DELETE SET NULL ON UPDATE CASCADE) \
         DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci COMMENT = 'who works here'; \
     CREATE TABLE pairs (a int, b int, PRIMARY KEY (a, b)); \
     CREATE VIEW adults AS SELECT * FROM people WHERE age > 17; \
     INSERT INTO people (name, balance, code, data, ratio, long_one, seen, mark, raw, place) \
         VALUES ('Ann', 1.5, 'xy', '{\"b\": 1, \"a\": [1.50]}', 0.1, 'long', '2026-01-31 10:00:00', \
         'AAAAAAAA-1111-4111-8111-111111111111', x'00ff', point(1, 2))";

#[tokio::test]
async fn tables_of_other_programs_are_understood() {
    let Some((world, _database)) = over(PEOPLE).await else {
        return;
    };
    let tables = world.store.tables().await.unwrap();
    let names: Vec<_> = tables
        .keys()
        .filter(|name| !loggia_model::system::is_reserved(name))
        .collect();
    assert_eq!(names, ["pairs", "people", "adults"]);
    assert!(tables["adults"].view && tables["adults"].columns.len() == tables["people"].columns.len());
    assert_eq!(tables["pairs"].uniques, [["a", "b"]]);
    assert_eq!(tables["people"].uniques, [["code", "age"]]);
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
        (Kind::BigInteger, true, true, false, &Default::None)
    );
    let name = column("name");
    assert_eq!(
        (name.max_length, name.unique, name.nullable),
        (Some(80), true, false)
    );
    assert_eq!(name.collation.as_deref(), Some("utf8mb4_general_ci"));
    let age = column("age");
    assert_eq!(
        (&age.default, age.indexed, age.unique),
        (&Default::Value(Scalar::Int(18)), true, false)
    );
    for (name, kind, default) in [
        ("joined", Kind::Timestamp, Default::Now),
        ("born", Kind::Date, Default::Now),
        ("active", Kind::Boolean, Default::Value(Scalar::Bool(true))),
        ("flag", Kind::Boolean, Default::Value(Scalar::Bool(true))),
        ("mood", Kind::String, Default::Value("ok".into())),
        ("data", Kind::Json, Default::None),
        ("long_one", Kind::Text, Default::None),
        ("seen", Kind::DateTime, Default::None),
        ("mark", Kind::Uuid, Default::None),
        ("raw", Kind::Binary, Default::None),
        ("ratio", Kind::Float, Default::None),
        ("place", Kind::Geometry, Default::None),
    ] {
        assert_eq!(
            (column(name).kind, &column(name).default),
            (kind, &default),
            "{name}"
        );
    }
    let balance = column("balance");
    assert_eq!((balance.precision, balance.scale), (Some(10), Some(2)));
    assert_eq!(
        column("mood").choices,
        [json!("sad"), json!("ok"), json!("it's fine")]
    );
    assert_eq!(column("code").max_length, Some(5));
    assert_eq!(column("size").choices, [json!("small"), json!("it's large")]);
    assert!(column("shouted").generated && !column("name").generated);
    let key = &people.foreign_keys[0];
    assert_eq!(
        (
            key.column.as_str(),
            key.foreign_table.as_str(),
            key.foreign_column.as_str()
        ),
        ("boss", "people", "id")
    );
    assert_eq!((key.on_delete, key.on_update), (Action::SetNull, Action::Cascade));
    assert!(!column("boss").indexed, "the index is the foreign key's");
    assert!(tables["pairs"].columns.iter().all(|column| !column.primary_key));
    let fields = [
        "name", "active", "flag", "shouted", "mood", "code", "data", "ratio", "balance", "seen", "mark",
        "raw", "place",
    ];
    let data: Value = serde_json::from_str(r#"{"b": 1, "a": [1.50]}"#).unwrap();
    assert_eq!(
        world.json(world.read("people", &fields)).await,
        json!([{"name": "Ann", "active": true, "flag": true, "shouted": "ANN", "mood": "ok", "code": "xy", "data": data,
            "ratio": 0.1, "balance": serde_json::from_str::<Value>("1.50").unwrap(), "seen": "2026-01-31T10:00:00",
            "mark": "AAAAAAAA-1111-4111-8111-111111111111", "raw": "AP8=",
            "place": {"type": "Point", "coordinates": [1, 2]}}])
    );
    assert_eq!(world.store.check().await.unwrap(), []);
}

#[tokio::test]
async fn their_values_are_compared_and_written_as_ours_are() {
    let text = "CREATE TABLE people (id int AUTO_INCREMENT PRIMARY KEY, name varchar(9), mood enum('sad', 'ok', 'happy'), \
             code char(5), ratio float, price decimal(8, 3), old text CHARACTER SET latin1) COLLATE = utf8mb4_general_ci; \
         INSERT INTO people (name, mood, code, ratio, price, old) VALUES ('b', 'sad', 'a', 0.1, 1.5, 'ä'), \
             ('A', 'happy', 'b', 0.2, -2, NULL), ('a', 'ok', NULL, NULL, 10, NULL), ('B', NULL, NULL, NULL, NULL, 'Ä')";
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
    // By bytes, whatever the collation of the column is; enumerations as the texts that they are here.
    assert_eq!(names(Filter::All, "name", false).await, "ABab");
    assert_eq!(names(Filter::All, "mood", false).await, "BAab");
    assert_eq!(names(Filter::All, "mood", true).await, "baAB");
    assert_eq!(names(Filter::All, "price", false).await, "BAba");
    let equal = |value: &str| Test::Equal(value.into());
    assert_eq!(names(test("name", equal("a")), "name", false).await, "a");
    assert_eq!(
        names(test("name", Test::Less("a".into())), "name", true).await,
        "BA"
    );
    assert_eq!(
        names(test("mood", Test::Greater("happy".into())), "name", false).await,
        "ab"
    );
    let some = Test::In(vec!["ok".into(), "none".into()]);
    assert_eq!(names(test("mood", some), "name", false).await, "a");
    assert_eq!(names(test("code", equal("a")), "name", false).await, "b");
    assert_eq!(
        names(test("ratio", Test::Equal(Scalar::Real(0.1))), "name", false).await,
        "b"
    );
    assert_eq!(names(test("price", equal("1.50000")), "name", false).await, "b");
    assert_eq!(names(test("old", equal("ä")), "name", false).await, "b");
    let piece = Test::Text {
        at: Place::Anywhere,
        piece: "ä".to_owned(),
        ignore_case: true,
        negated: false,
    };
    assert_eq!(names(test("old", piece), "name", false).await, "Bb");
    let row: &[(&str, Value)] = &[
        ("name", json!("c")),
        ("mood", json!("ok")),
        ("ratio", json!(0.3)),
        ("price", json!(7)),
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
async fn their_columns_are_changed_with_what_belongs_to_them() {
    let Some((world, _database)) = over(PEOPLE).await else {
        return;
    };
    let found = async |name: &str| {
        let tables = world.store.tables().await.unwrap();
        let columns = &tables["people"].columns;
        columns.iter().find(|column| column.name == name).unwrap().clone()
    };
    let alter = |column| SchemaStep::AlterColumn {
        table: "people".to_owned(),
        column,
    };
    let age = found("age").await;
    let balance = found("balance").await;
    let mood = found("mood").await;
    change(
        &world.store,
        vec![
            alter(Column {
                nullable: false,
                default: Default::Value(Scalar::Int(21)),
                ..age
            }),
            alter(Column {
                kind: Kind::Text,
                precision: None,
                scale: None,
                ..balance
            }),
            alter(Column {
                default: Default::None,
                ..mood
            }),
        ],
    )
    .await
    .unwrap();
    let age = found("age").await;
    assert_eq!(
        (age.default, age.nullable, age.indexed, age.comment.as_deref()),
        (Default::Value(Scalar::Int(21)), false, true, Some("in years"))
    );
    assert_eq!(found("mood").await.choices.len(), 3);
    let world = world.again(vec![]).await;
    assert_eq!(
        world.json(world.read("people", &["age", "balance"])).await,
        json!([{"age": 18, "balance": "1.50"}])
    );
    // The rule of another program still holds, and its index of two columns is still there.
    let broken: &[(&str, Value)] = &[("name", json!("x")), ("age", json!(0))];
    let error = world.write(world.insert("people", &[broken])).await.unwrap_err();
    assert_eq!(error.problem().code.name, "FAILED_VALIDATION", "{error}");
    let twice: &[(&str, Value)] = &[("name", json!("x")), ("age", json!(18)), ("code", json!("xy"))];
    let error = world.write(world.insert("people", &[twice])).await.unwrap_err();
    assert_eq!(error.problem().code.name, "RECORD_NOT_UNIQUE", "{error}");
}
