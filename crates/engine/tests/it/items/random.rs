//! Random filters against a plain reading of what they mean.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::newspaper::{articles, newspaper};

/// A condition on `views` (integers and NULL) or `title` (text).
fn leaf() -> impl Strategy<Value = Value> {
    let number = prop_oneof![Just(0), Just(10), Just(15), Just(20), Just(99)];
    let piece = prop_oneof![
        Just("a"),
        Just("A"),
        Just("Alpha"),
        Just("m"),
        Just(""),
        Just("%")
    ];
    let compare = prop_oneof!["_eq", "_neq", "_lt", "_lte", "_gt", "_gte"].prop_map(String::from);
    let text = prop_oneof![
        "_contains",
        "_ncontains",
        "_starts_with",
        "_nends_with",
        "_icontains"
    ]
    .prop_map(String::from);
    prop_oneof![
        (compare, number.clone()).prop_map(|(name, number)| json!({"views": { name: number }})),
        (proptest::collection::vec(number, 0..3), any::<bool>())
            .prop_map(|(list, negated)| json!({"views": { (if negated { "_nin" } else { "_in" }): list }})),
        any::<bool>().prop_map(|truth| json!({"views": {"_null": truth}})),
        (text, piece).prop_map(|(name, piece)| json!({"title": { name: piece }})),
        (1..4_i64).prop_map(|author| json!({"author": author})),
    ]
}

fn filter() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|all| json!({"_and": all})),
            proptest::collection::vec(inner, 0..3).prop_map(|any| json!({"_or": any})),
        ]
    })
}

/// Whether an article matches, spelled out.
fn matches(filter: &Value, article: &Value) -> bool {
    let (name, value) = filter.as_object().unwrap().iter().next().unwrap();
    match name.as_str() {
        "_and" => value
            .as_array()
            .unwrap()
            .iter()
            .all(|filter| matches(filter, article)),
        "_or" => {
            let any = value.as_array().unwrap();
            any.is_empty() || any.iter().any(|filter| matches(filter, article))
        }
        "author" => article.get("author") == Some(value),
        field => {
            let (operator, argument) = value.as_object().unwrap().iter().next().unwrap();
            holds(operator, argument, article.get(field).unwrap_or(&Value::Null))
        }
    }
}

fn holds(operator: &str, argument: &Value, value: &Value) -> bool {
    if operator == "_null" {
        return value.is_null() == argument.as_bool().unwrap();
    }
    if value.is_null() {
        return false;
    }
    let number = |value: &Value| value.as_i64().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match operator {
        "_eq" => number(value) == number(argument),
        "_neq" => number(value) != number(argument),
        "_lt" => number(value) < number(argument),
        "_lte" => number(value) <= number(argument),
        "_gt" => number(value) > number(argument),
        "_gte" => number(value) >= number(argument),
        "_in" => argument.as_array().unwrap().contains(value),
        "_nin" => !argument.as_array().unwrap().contains(value),
        "_contains" => text(value).contains(&text(argument)),
        "_ncontains" => !text(value).contains(&text(argument)),
        "_icontains" => text(value)
            .to_lowercase()
            .contains(&text(argument).to_lowercase()),
        "_starts_with" => text(value).starts_with(&text(argument)),
        "_nends_with" => !text(value).ends_with(&text(argument)),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn random_filters_find_what_a_plain_reading_finds() {
    let paper = newspaper().await;
    let articles = articles();
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    for _ in 0..400 {
        let filter = filter().new_tree(&mut runner).unwrap().current();
        let found = paper.ids("articles", filter.clone()).await;
        let expect: Vec<_> = articles
            .iter()
            .filter(|article| matches(&filter, article))
            .map(|article| article["id"].clone())
            .collect();
        assert_eq!(found, expect, "{filter}");
    }
}
