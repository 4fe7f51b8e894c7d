//! Figures and groups.

use serde_json::{Value, json};

use super::newspaper::newspaper;
use crate::fixture::refused;

#[tokio::test]
async fn figures_are_worked_out() {
    let paper = newspaper().await;
    let check = async |query: Value, expect: Value| {
        let rows = Value::Array(paper.rows("articles", query.clone()).await);
        assert_eq!(rows, expect, "{query}");
    };
    check(json!({"aggregate": {"count": "*"}}), json!([{"count": 5}])).await;
    check(
        json!({"aggregate": {"count": ["id"]}}),
        json!([{"count": {"id": 5}}]),
    )
    .await;
    check(json!({"aggregate": {"countAll": "*"}}), json!([{"countAll": 5}])).await;
    check(
        json!({"aggregate": {"sum": "views", "min": ["views", "day"], "max": "title", "countDistinct": "status"}}),
        json!([{"sum": {"views": 50}, "min": {"views": 0, "day": "2025-03-04"}, "max": {"title": "Ärger"}, "countDistinct": {"status": 2}}]),
    )
    .await;
    check(
        json!({"aggregate": {"sumDistinct": "views"}}),
        json!([{"sumDistinct": {"views": 30}}]),
    )
    .await;
    check(
        json!({"aggregate": {"count": "*"}, "groupBy": "status"}),
        json!([{"status": null, "count": 1}, {"status": "draft", "count": 2}, {"status": "published", "count": 2}]),
    )
    .await;
    check(
        json!({"aggregate": {"count": "*"}, "groupBy": ["status"], "sort": "-count,status", "limit": 1}),
        json!([{"status": "draft", "count": 2}]),
    )
    .await;
    check(
        json!({"aggregate": {"count": ["id"], "sum": ["views"]}, "groupBy": ["year(published_on)"], "sort": ["-sum.views"], "filter": {"day": {"_nnull": true}}}),
        json!([{"published_on_year": 2026, "count": {"id": 1}, "sum": {"views": 20}}, {"published_on_year": 2025, "count": {"id": 1}, "sum": {"views": 10}}]),
    )
    .await;
    check(
        json!({"aggregate": {"count": "*"}, "groupBy": ["count(tags)"], "filter": {"author": {"name": "Ada"}}}),
        json!([{"tags_count": 1, "count": 1}, {"tags_count": 2, "count": 1}]),
    )
    .await;
    check(
        json!({"groupBy": "author", "filter": {"author": {"_nnull": true}}}),
        json!([{"author": 1}, {"author": 2}]),
    )
    .await;
    check(
        json!({"aggregate": {"count": "*"}, "search": "a", "filter": {"views": 20}}),
        json!([{"count": 2}]),
    )
    .await;
}

#[tokio::test]
async fn decimals_and_large_sums_keep_their_digits() {
    let paper = newspaper().await;
    let rows = paper
        .rows(
            "articles",
            json!({"aggregate": {"sum": ["price", "big"], "max": "big"}}),
        )
        .await;
    assert_eq!(rows[0]["sum"]["price"].to_string(), "1025.40");
    assert_eq!(rows[0]["max"]["big"], "9223372036854775807");
}

#[tokio::test]
async fn mistakes_are_named() {
    let paper = newspaper().await;
    let cases: Vec<(Value, &[&str])> = vec![
        (
            json!({"aggregate": {"cuont": "*"}}),
            &["INVALID_QUERY aggregate.cuont"],
        ),
        (
            json!({"aggregate": {"sum": "*"}}),
            &["INVALID_QUERY aggregate.sum[0]"],
        ),
        (
            json!({"aggregate": {"sum": "title"}}),
            &["INVALID_QUERY aggregate.sum[0]"],
        ),
        (
            json!({"aggregate": {"sum": ["views", "nope"]}}),
            &["FORBIDDEN aggregate.sum[1]"],
        ),
        (
            json!({"aggregate": {"max": "secret"}}),
            &["INVALID_QUERY aggregate.max[0]"],
        ),
        (
            json!({"aggregate": {"max": "data"}}),
            &["INVALID_QUERY aggregate.max[0]"],
        ),
        (
            json!({"aggregate": {"count": []}}),
            &["INVALID_QUERY aggregate.count"],
        ),
        (
            json!({"aggregate": {"count": "*"}, "groupBy": ["nope", "tags"]}),
            &["FORBIDDEN groupBy[0]", "INVALID_QUERY groupBy[1]"],
        ),
        (
            json!({"aggregate": {"count": "*"}, "groupBy": ["author.name"]}),
            &["INVALID_QUERY groupBy[0]"],
        ),
        (
            json!({"aggregate": {"count": "*"}, "groupBy": ["status"], "sort": "views"}),
            &["INVALID_QUERY sort[0]"],
        ),
    ];
    for (query, expect) in cases {
        let got = refused(paper.page("articles", query.clone()).await);
        assert_eq!(got, expect, "{query}");
    }
}
