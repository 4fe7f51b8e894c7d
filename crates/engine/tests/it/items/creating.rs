//! New items: what is stored, filled in and refused.

use loggia_engine::items::{Changed, Coerced, WriteOptions};
use loggia_model::Query;
use serde_json::{Value, json};

use super::newspaper::{ADMIN, all_fields, newspaper};
use crate::fixture::{nobody, refused};

#[tokio::test]
async fn every_value_comes_back_as_it_was_written() {
    let paper = newspaper().await;
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let cases: Vec<(&str, Value, Value)> = vec![
        (
            "title",
            json!("\u{1F600} \u{200f}é"),
            json!("\u{1F600} \u{200f}é"),
        ),
        ("views", json!(-2_147_483_648), json!(-2_147_483_648)),
        ("views", json!("12"), json!(12)),
        ("big", json!(9_007_199_254_740_993_i64), json!("9007199254740993")),
        (
            "big",
            json!("-9223372036854775808"),
            json!("-9223372036854775808"),
        ),
        ("price", number("19.900"), number("19.900")),
        ("price", json!("0.001"), number("0.001")),
        ("rating", number("1e-3"), number("0.001")),
        ("featured", json!(false), json!(false)),
        (
            "published_on",
            json!("2026-01-31T12:00:00+02:00"),
            json!("2026-01-31T10:00:00.000Z"),
        ),
        (
            "event_at",
            json!("2026-01-31T12:00:00"),
            json!("2026-01-31T12:00:00"),
        ),
        ("day", json!("2026-02-28"), json!("2026-02-28")),
        ("at", json!("23:59:59"), json!("23:59:59")),
        (
            "data",
            json!({"z": 1, "a": [null, {"k": "v"}]}),
            json!({"z": 1, "a": [null, {"k": "v"}]}),
        ),
        ("data", json!("{\"a\": 1}"), json!({"a": 1})),
        (
            "data",
            number("12345678901234567890.12345"),
            number("12345678901234567890.12345"),
        ),
        ("labels", json!(["a,b", "\"c\""]), json!(["a,b", "\"c\""])),
        (
            "token",
            json!("3FA85F64-5717-4562-B3FC-2C963F66AFA6"),
            json!("3fa85f64-5717-4562-b3fc-2c963f66afa6"),
        ),
        ("status", json!("published"), json!("published")),
        ("code", json!("ABC"), json!("ABC")),
        ("body", Value::Null, Value::Null),
    ];
    for (field, given, expect) in cases {
        let mut row = json!({"title": "T"});
        row[field] = given.clone();
        let made = paper.create("articles", row).await;
        let made = made.unwrap_or_else(|error| panic!("{field} {given}: {:?}", error.problems()));
        assert_eq!(
            made.rows[0][field].to_string(),
            expect.to_string(),
            "{field} {given}"
        );
    }
}

#[tokio::test]
async fn a_receipt_tells_what_became_of_it() {
    let paper = newspaper().await;
    let row = json!({"title": "New", "views": "7", "created": "2020-01-01T00:00:00Z"});
    let made = paper.create("articles", row).await.unwrap();
    assert_eq!(made.keys, [json!(6)]);
    assert_eq!(made.rows[0]["created_by"], ADMIN);
    let receipt = made.receipt;
    assert_eq!(receipt.applied, ["title", "views", "created"]);
    let filled: Vec<_> = receipt.defaulted.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(filled, ["status", "created_by", "id"]);
    assert_eq!(receipt.defaulted[0].1, "draft");
    assert_eq!(receipt.defaulted[2].1, 6);
    let coerced = |path: &str, from: Value, to: Value| Coerced {
        path: path.to_owned(),
        from,
        to,
    };
    assert!(
        receipt.coerced.contains(&coerced("views", json!("7"), json!(7))),
        "{:?}",
        receipt.coerced
    );
    let created = coerced(
        "created",
        json!("2020-01-01T00:00:00.000Z"),
        json!("2026-11-21T12:00:00.000Z"),
    );
    assert!(receipt.coerced.contains(&created), "{:?}", receipt.coerced);
    let changed = Changed {
        created: 1,
        ..Changed::default()
    };
    assert_eq!(receipt.changed.get("articles"), Some(&changed));
}

#[tokio::test]
async fn keys_are_made_or_taken_as_given() {
    let paper = newspaper().await;
    let made = paper
        .create(
            "nodes",
            json!([{"name": "a"}, {"name": "b", "id": "3FA85F64-5717-4562-B3FC-2C963F66AFA6"}]),
        )
        .await
        .unwrap();
    assert_eq!(made.keys[0].as_str().map(str::len), Some(36));
    assert_eq!(made.keys[1], "3fa85f64-5717-4562-b3fc-2c963f66afa6");
    // Answers stand in the order of the request.
    assert_eq!([&made.rows[0]["name"], &made.rows[1]["name"]], ["a", "b"]);
    let made = paper
        .create("tags", json!([{"id": 50, "name": "x"}, {"name": "y"}]))
        .await
        .unwrap();
    assert_eq!(made.keys, [json!(50), json!(51)]);
    assert!(paper.create("tags", json!([])).await.unwrap().keys.is_empty());
}

#[tokio::test]
async fn all_problems_come_at_once_and_nothing_is_written() {
    let paper = newspaper().await;
    let rows = json!([
        {"titel": "x", "views": "many", "status": "gone", "code": "abc"},
        {"title": "T".repeat(41), "views": 3_000_000_000_i64, "token": "x", "day": "2026-02-30", "author": 77},
        {"title": null, "data": {}, "labels": "a,b", "price": "1.2345"},
    ]);
    let got = refused(paper.create("articles", rows).await);
    assert_eq!(
        got,
        [
            "INVALID_PAYLOAD [0].titel",
            "INVALID_PAYLOAD [0].views",
            "FAILED_VALIDATION [0].status",
            "VALUE_TOO_LONG [1].title",
            "VALUE_OUT_OF_RANGE [1].views",
            "INVALID_PAYLOAD [1].token",
            "INVALID_PAYLOAD [1].day",
            "VALUE_OUT_OF_RANGE [2].price",
            "FAILED_VALIDATION [0].title",
            "FAILED_VALIDATION [0].code",
            "INVALID_FOREIGN_KEY [1].author",
            "FAILED_VALIDATION [2].title",
        ]
    );
    assert_eq!(paper.ids("articles", json!({})).await.len(), 5);
}

#[tokio::test]
async fn problems_carry_what_clients_of_the_dialect_look_for() {
    let paper = newspaper().await;
    let check = async |collection: &str, row: Value, message: &str, extensions: Value| {
        let problem = paper
            .create(collection, row)
            .await
            .unwrap_err()
            .problems()
            .0
            .remove(0);
        assert_eq!(problem.message, message);
        for (name, value) in extensions.as_object().unwrap() {
            assert_eq!(problem.extensions.get(name), Some(value), "{message}: {name}");
        }
    };
    check(
        "articles",
        json!({}),
        "Validation failed for field \"title\". Value is required.",
        json!({"field": "title", "type": "required", "path": []}),
    )
    .await;
    check(
        "articles",
        json!({"title": null}),
        "Validation failed for field \"title\". Value can't be null.",
        json!({"field": "title", "type": "nnull"}),
    )
    .await;
    check(
        "articles",
        json!({"title": "x", "status": "gone"}),
        "Validation failed for field \"status\". Value has to be one of \"draft\", \"published\".",
        json!({"field": "status", "type": "in", "valid": ["draft", "published"]}),
    )
    .await;
    check(
        "articles",
        json!({"title": "x", "code": "abc"}),
        "Validation failed for field \"code\". Value doesn't have the correct format.",
        json!({"field": "code", "type": "regex", "invalid": "abc"}),
    )
    .await;
    check(
        "articles",
        json!({"title": "x", "author": 77}),
        "Invalid foreign key \"77\" for field \"author\" in collection \"articles\".",
        json!({"collection": "articles", "field": "author", "value": 77}),
    )
    .await;
    let got = paper
        .create(
            "articles",
            json!([{"title": "x"}, {"title": "y", "slug": "beta"}]),
        )
        .await;
    let problem = got.unwrap_err().problems().0.remove(0);
    assert_eq!(
        (problem.code.name, problem.path.as_str()),
        ("RECORD_NOT_UNIQUE", "[1].slug")
    );
    assert_eq!(problem.extensions["collection"], "articles");
    assert_eq!(problem.extensions["field"], "slug");
    assert_eq!(paper.ids("articles", json!({})).await.len(), 5);
}

#[tokio::test]
async fn a_reserved_key_waits_for_its_values() {
    let paper = newspaper().await;
    let reserve = WriteOptions {
        reserve_keys: true,
        ..all_fields()
    };
    assert_eq!(
        refused(paper.create("articles", json!({"id": 70})).await),
        ["FAILED_VALIDATION title"]
    );
    paper
        .create_with("articles", json!([{"id": 70}, {"id": 71}]), &reserve)
        .await
        .unwrap();
    // More than the key is an item like others.
    assert_eq!(
        refused(
            paper
                .create_with("articles", json!({"id": 72, "views": 1}), &reserve)
                .await
        ),
        ["FAILED_VALIDATION title"]
    );
    assert_eq!(
        refused(paper.update("articles", json!([70]), json!({"views": 1})).await),
        ["FAILED_VALIDATION title"]
    );
    paper
        .update("articles", json!([70]), json!({"title": "Now", "views": 1}))
        .await
        .unwrap();
    paper
        .update("articles", json!([70]), json!({"views": 2}))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_answer_is_shaped_by_the_query() {
    let paper = newspaper().await;
    let query = Query::from_json(&json!({"fields": ["title", "author.name"], "limit": 1})).unwrap();
    let options = WriteOptions {
        returning: Some(query),
        ..WriteOptions::default()
    };
    let made = paper
        .create_with(
            "articles",
            json!([{"title": "A", "author": 1}, {"title": "B"}]),
            &options,
        )
        .await
        .unwrap();
    assert_eq!(made.keys.len(), 2);
    assert_eq!(
        Value::from_iter(made.rows.into_iter().map(Value::Object)),
        json!([{"title": "A", "author": {"name": "Ada"}}])
    );
    let wrong = WriteOptions {
        returning: Some(Query::from_json(&json!({"fields": ["nope"]})).unwrap()),
        ..WriteOptions::default()
    };
    assert_eq!(
        refused(paper.create_with("articles", json!({"title": "C"}), &wrong).await),
        ["FORBIDDEN fields[0]"]
    );
    assert_eq!(paper.ids("articles", json!({"title": "C"})).await.len(), 0);
}

#[tokio::test]
async fn who_may_not_write_learns_nothing() {
    let paper = newspaper().await;
    let row = |text: &str| vec![super::newspaper::record(json!({"name": text}))];
    let options = WriteOptions::default();
    for collection in ["tags", "nothing"] {
        let made = paper
            .engine
            .create_items(&nobody(), collection, row("x"), &options)
            .await;
        let problem = made.unwrap_err().problems().0.remove(0);
        assert_eq!(problem.code.name, "FORBIDDEN");
        assert_eq!(problem.hint, None);
    }
}

#[tokio::test]
async fn of_very_many_problems_the_first_are_told() {
    let paper = newspaper().await;
    let rows: Vec<_> = (0..5_000).map(|i| json!({"name": {"no": i}, "x": 1})).collect();
    let got = refused(paper.create("tags", Value::Array(rows)).await);
    assert_eq!(got.len(), 1_001);
    assert_eq!(got[1_000], "INVALID_PAYLOAD ");
}

#[tokio::test]
async fn thousands_of_items_are_one_write() {
    let paper = newspaper().await;
    let rows: Vec<_> = (0..3_000)
        .map(|i| json!({"title": format!("No {i}"), "author": 1 + i % 3, "tags": [{"tags_id": 1}]}))
        .collect();
    let made = paper
        .create_with("articles", Value::Array(rows), &WriteOptions::default())
        .await
        .unwrap();
    assert_eq!(made.keys.len(), 3_000);
    assert_eq!(made.receipt.changed["articles_tags"].created, 3_000);
}

#[tokio::test]
async fn a_given_key_leaves_numbers_to_count_on() {
    let paper = newspaper().await;
    for key in [i64::MAX, 2_147_483_648, 2_147_483_647, 2_147_483_000] {
        let row = json!({"id": key, "name": "Last"});
        assert_eq!(
            refused(paper.create("authors", row.clone()).await),
            ["VALUE_OUT_OF_RANGE id"]
        );
        let nested = json!({"title": "x", "author": row});
        assert_eq!(
            refused(paper.create("articles", nested).await),
            ["VALUE_OUT_OF_RANGE author.id"]
        );
    }
    let counted = json!({"collection": "counted", "schema": {}, "fields": [
        {"field": "id", "type": "bigInteger", "schema": {"is_primary_key": true, "has_auto_increment": true}},
        {"field": "name", "type": "string"},
    ]});
    paper
        .engine
        .create_collections(&paper.admin, vec![counted])
        .await
        .unwrap();
    for key in [i64::MAX, i64::MAX - 1000] {
        let made = paper.create("counted", json!({"id": key, "name": "Last"})).await;
        assert_eq!(refused(made), ["VALUE_OUT_OF_RANGE id"]);
    }
    let far = json!({"id": 2_000_000_000, "name": "Far"});
    paper.create("authors", far).await.unwrap();
    let next = paper.create("authors", json!({"name": "Next"})).await.unwrap();
    assert_eq!(next.rows[0]["id"], 2_000_000_001);
    // SQLite has but one type of counted keys, which is read as `integer`.
    let schema = paper.engine.schema();
    let primary = schema.collection("counted").unwrap().primary.clone().unwrap();
    if primary.ty.name() == "integer" {
        return;
    }
    let far = json!({"id": 1_900_000_000_000_000_000_i64, "name": "Far"});
    paper.create("counted", far).await.unwrap();
    let next = paper.create("counted", json!({"name": "Next"})).await.unwrap();
    assert_eq!(next.rows[0]["id"], "1900000000000000001");
}

#[tokio::test]
async fn where_numbers_have_run_out_nothing_is_written() {
    let paper = newspaper().await;
    let counted = json!({"collection": "counted", "schema": {}, "fields": [
        {"field": "id", "type": "bigInteger", "schema": {"is_primary_key": true, "has_auto_increment": true}},
        {"field": "name", "type": "string"},
    ]});
    let made = paper.engine.create_collections(&paper.admin, vec![counted]);
    made.await.unwrap();
    // Another program used the last number but one, and the last.
    let last = json!({"id": i32::MAX - 1, "name": "Last but one"});
    crate::fixture::insert(&paper.engine, "tags", &[last]).await;
    crate::fixture::insert(&paper.engine, "counted", &[json!({"id": i64::MAX.to_string()})]).await;

    let two = json!([{"name": "a"}, {"name": "b"}]);
    // PostgreSQL does not say at which row of a statement.
    let refused_two = refused(paper.create("tags", two.clone()).await);
    assert!(
        refused_two == ["VALUE_OUT_OF_RANGE [1].id"] || refused_two == ["VALUE_OUT_OF_RANGE [0].id"],
        "{refused_two:?}"
    );
    let nested = json!({"title": "x", "tags": [{"tags_id": {"name": "a"}}, {"tags_id": {"name": "b"}}]});
    let error = paper.create("articles", nested).await.unwrap_err();
    let problem = error.problems().0.remove(0);
    assert!(
        ["tags[1].tags_id.id", "tags[0].tags_id.id"].contains(&problem.path.as_str()),
        "{problem}"
    );
    assert!(problem.message.contains("have run out"), "{problem}");
    let one = paper.create("counted", json!({"name": "a"})).await;
    assert_eq!(refused(one), ["VALUE_OUT_OF_RANGE id"]);
    assert_eq!(paper.ids("tags", json!({})).await.len(), 4);
    assert_eq!(paper.ids("articles", json!({})).await.len(), 5);
    assert_eq!(paper.ids("counted", json!({})).await.len(), 1);
    // A number that is free still does.
    paper
        .create("tags", json!({"id": 50, "name": "free"}))
        .await
        .unwrap();
}
