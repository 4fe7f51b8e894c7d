//! Whatever is sent is answered, never by a failure of ours, and what is refused changes nothing.

use loggia_engine::Error;
use loggia_engine::items::{Target, WriteOptions};
use loggia_model::Query;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use super::newspaper::{Newspaper, newspaper, record};

/// Names that mean something somewhere, rarely where they stand.
fn name() -> impl Strategy<Value = String> {
    let known = prop_oneof![
        "id|title|views|author|tags|blocks|item|collection|data|secret|status|price|published_on|labels|comments",
        "_eq|_neq|_in|_between|_some|_none|_null|_json|_contains|_and|_or|_not|create|update|delete|item:texts",
        "year\\(day\\)|count\\(tags\\)|json\\(data, a\\)|\\$FOLLOW\\(articles,author\\)",
        "\"; DROP TABLE articles; --|\\*|\\.|a\\.b|-id|'|\\$NOW|\u{0}|\u{202e}",
        ".{0,6}",
    ];
    known
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..6_i64).prop_map(Value::from),
        name().prop_map(Value::from),
        Just(json!("$NOW(-1 day)")),
        Just(json!("$CURRENT_USER")),
        Just(serde_json::from_str("1e999").unwrap_or(Value::Null)),
        Just(json!("9".repeat(400))),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    proptest::collection::vec((name(), anything()), 0..4)
        .prop_map(|members| Value::Object(Map::from_iter(members)))
}

fn runner() -> TestRunner {
    TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    )
}

/// An error must be the request's fault, and say something.
fn answered<T>(result: Result<T, Error>, sent: &Value) {
    if let Err(error) = result {
        let problems = error.problems().0;
        assert!(!problems.is_empty(), "{sent}");
        for problem in problems {
            assert!(problem.code.status < 500, "{sent}: {problem:?} {error:?}");
            assert!(
                problem.message.ends_with('.') || problem.code.status < 500,
                "{problem:?}"
            );
        }
    }
}

async fn count(paper: &Newspaper) -> usize {
    let mut all = 0;
    for collection in [
        "articles",
        "authors",
        "tags",
        "articles_tags",
        "texts",
        "comments",
    ] {
        let rows = paper
            .rows(collection, json!({"limit": -1, "fields": ["id"]}))
            .await;
        all += rows.len();
    }
    all
}

#[tokio::test]
async fn queries() {
    let paper = newspaper().await;
    let mut runner = runner();
    for _ in 0..600 {
        let filter = object().new_tree(&mut runner).unwrap().current();
        answered(paper.page("articles", json!({"filter": filter})).await, &filter);
        let query = json!({
            "fields": proptest::collection::vec(name(), 0..4).new_tree(&mut runner).unwrap().current(),
            "sort": proptest::collection::vec(name(), 0..2).new_tree(&mut runner).unwrap().current(),
            "deep": object().new_tree(&mut runner).unwrap().current(),
        });
        answered(paper.page("articles", query.clone()).await, &query);
        let query = json!({
            "aggregate": {"count": [name().new_tree(&mut runner).unwrap().current()], "max": [name().new_tree(&mut runner).unwrap().current()]},
            "groupBy": [name().new_tree(&mut runner).unwrap().current()],
        });
        answered(paper.page("articles", query.clone()).await, &query);
    }
}

#[tokio::test]
async fn data() {
    let paper = newspaper().await;
    let mut runner = runner();
    for _ in 0..400 {
        let row = object().new_tree(&mut runner).unwrap().current();
        let before = count(&paper).await;
        let made = paper.create("articles", row.clone()).await;
        if made.is_err() {
            assert_eq!(count(&paper).await, before, "{row}");
        }
        answered(made, &row);
        let target = Target::Keys {
            keys: vec![json!(1)],
            data: record(row.clone()),
        };
        let options = WriteOptions {
            returning: Some(Query::default()),
            ..WriteOptions::default()
        };
        let changed = paper
            .engine
            .update_items(&paper.admin, "articles", target, &options)
            .await;
        answered(changed, &row);
        let key = anything().new_tree(&mut runner).unwrap().current();
        answered(
            paper
                .engine
                .read_item(&paper.admin, "articles", &key, Query::default())
                .await,
            &key,
        );
    }
}
