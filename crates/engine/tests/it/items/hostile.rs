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

fn numbered(count: usize, name: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(name).collect()
}

#[tokio::test]
async fn lists_without_end_are_refused_where_they_stand() {
    let paper = newspaper().await;
    let part = |i: usize| format!("json(data, a{i})");
    let parts = |count| numbered(count, part);
    let aliases = |count: usize| Map::from_iter((0..count).map(|i| (format!("f{i}"), json!("title"))));
    for (query, expect) in [
        (json!({"sort": parts(2_500)}), "sort"),
        (json!({"sort": parts(101)}), "sort"),
        (
            json!({"aggregate": {"count": ["*"]}, "groupBy": parts(2_100)}),
            "groupBy",
        ),
        (
            json!({"aggregate": {"count": numbered(2_500, |i| format!("f{i}"))}, "alias": aliases(100)}),
            "aggregate",
        ),
        (
            json!({"aggregate": {"count": ["*"]}, "sort": parts(2_100)}),
            "sort",
        ),
        (json!({"fields": parts(2_500)}), "fields"),
        (json!({"fields": numbered(3_000, |i| format!("f{i}"))}), "fields"),
        (json!({"alias": aliases(2_500), "fields": ["f1"]}), "alias"),
        (
            json!({"fields": ["comments.id"], "deep": {"comments": {"_sort": numbered(200, |i| format!("json(x, a{i})"))}}}),
            "deep.comments._sort",
        ),
        (
            json!({"fields": ["comments.id"], "deep": {"comments": {"_fields": parts(200)}}}),
            "deep.comments._fields",
        ),
    ] {
        let told = crate::fixture::refused(paper.page("articles", query).await);
        assert_eq!(told[0], format!("INVALID_QUERY {expect}"));
    }
    // As many as are allowed are done, and what is named again counts once.
    let again = |name: &str| vec![name.to_owned(); 3_000];
    for query in [
        json!({"sort": parts(100), "fields": parts(100)}),
        json!({"sort": again("title"), "fields": again("title")}),
        json!({"sort": again("author.name"), "fields": again("json(data, a)")}),
        json!({"aggregate": {"count": again("title")}, "groupBy": again("status"), "sort": again("-status")}),
        json!({"aggregate": {"count": ["*"]}, "groupBy": parts(100)}),
        json!({"alias": aliases(100), "fields": numbered(100, |i| format!("f{i}"))}),
    ] {
        paper.rows("articles", query).await;
    }
    let grouped = json!({"aggregate": {"count": ["id", "id"]}, "groupBy": ["status", "status", "views"], "sort": ["-views", "views", "status"]});
    let rows = paper.rows("articles", grouped).await;
    assert_eq!(rows[0]["views"], 20);
    assert_eq!(rows[0]["status"], "draft");
    assert_eq!(rows[0]["count"]["id"], 1);
}

#[tokio::test]
async fn filters_as_large_as_they_may_be_are_answered() {
    let paper = newspaper().await;
    let keys: Vec<_> = (0..20_000).collect();
    let long = numbered(5_000, |i| format!("a{i}")).join(".");
    for query in [
        json!({"filter": {"_or": [{"id": {"_in": keys}}, {"views": {"_in": keys}}, {"author": {"_nin": keys}}]}}),
        json!({"filter": {"_or": vec![json!({"author": {"name": {"_eq": "x"}}}); 900]}}),
        json!({"filter": {"_or": vec![json!({"tags": {"tags_id": {"name": {"_eq": "x"}}}}); 900]}}),
        json!({"fields": [format!("json(data, {long})")]}),
        json!({"filter": {"data": {"_json": {long.clone(): {"_eq": "x"}}}}}),
        json!({"search": "x".repeat(100_000)}),
        json!({"filter": {"title": {"_contains": "%_".repeat(50_000)}}}),
    ] {
        let shown = query.to_string().chars().take(80).collect::<String>();
        let query = Query::from_json(&query);
        let Ok(query) = query else { continue };
        answered(
            paper.engine.read_items(&paper.admin, "articles", query).await,
            &json!(shown),
        );
    }
}
