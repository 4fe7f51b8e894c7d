//! Results stay short, say what they left out, and how to go on.

use serde_json::{Value, json};

use crate::fixture::{Rights, context, house};

#[tokio::test]
async fn a_read_is_cut_at_the_rows_of_the_settings_and_continues() {
    let house = house().await;
    house.blog().await;
    house.settings(json!({"mcp_max_rows": 10})).await;
    let names: Vec<Value> = (0..25).map(|i| json!({"name": format!("tag {i}")})).collect();
    house.create("tags", json!(names)).await;
    let mut arguments =
        json!({"action": "read", "collection": "tags", "query": {"fields": ["id"], "sort": ["-id"]}});
    let mut seen: Vec<i64> = Vec::new();
    loop {
        let page = house.succeeds("items", arguments.clone()).await;
        let ids = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_i64().unwrap());
        seen.extend(ids);
        assert!(page["meta"]["returned"].as_u64().unwrap() <= 10);
        if page["meta"]["truncated"] == false {
            break;
        }
        assert_eq!(page["meta"]["total"], 25);
        for (name, value) in page["meta"]["next"].as_object().unwrap() {
            arguments[name] = value.clone();
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_read_is_cut_at_the_tokens_that_are_asked_for() {
    let house = house().await;
    house.blog().await;
    let posts: Vec<Value> = (0..20)
        .map(|i| json!({"title": format!("Post {i}"), "content": "x".repeat(1_000)}))
        .collect();
    house.create("posts", json!(posts)).await;
    let mut arguments = json!({"action": "read", "collection": "posts", "query": {"fields": ["id", "content"]}, "max_tokens": 1_200});
    let mut seen = 0;
    loop {
        let page = house.succeeds("items", arguments.clone()).await;
        assert!(page.to_string().len() / 4 <= 1_200, "{}", page.to_string().len());
        let returned = page["meta"]["returned"].as_u64().unwrap();
        assert!(returned > 0);
        seen += returned;
        match page["meta"].get("next") {
            Some(next) => arguments["query"] = next["query"].clone(),
            None => break,
        }
    }
    assert_eq!(seen, 20);
    let narrowed = context(Rights::Administrator, &[("max_tokens", "1200")]);
    let page = house
        .call(
            &narrowed,
            "items",
            json!({"action": "read", "collection": "posts"}),
        )
        .await
        .unwrap();
    assert_eq!(
        (&page["meta"]["truncated"], &page["meta"]["total"]),
        (&json!(true), &json!(20))
    );
}

#[tokio::test]
async fn a_limit_that_was_asked_for_is_a_page() {
    let house = house().await;
    house.blog().await;
    let names: Vec<Value> = (0..7).map(|i| json!({"name": format!("tag {i}")})).collect();
    house.create("tags", json!(names)).await;
    let read = async |query: Value| {
        house
            .succeeds(
                "items",
                json!({"action": "read", "collection": "tags", "query": query}),
            )
            .await["meta"]
            .clone()
    };
    let meta = read(json!({"limit": 3})).await;
    assert_eq!(
        meta,
        json!({"returned": 3, "truncated": true, "next": {"query": {"limit": 3, "offset": 3}}})
    );
    let meta = read(json!({"limit": 3, "page": 3})).await;
    assert_eq!(meta, json!({"returned": 1, "truncated": false}));
    assert_eq!(
        read(json!({"limit": 7})).await,
        json!({"returned": 7, "truncated": false})
    );
    assert_eq!(read(json!({"limit": 0})).await["returned"], 0);
}

#[tokio::test]
async fn a_row_that_is_too_long_loses_whole_fields_and_says_which() {
    let house = house().await;
    house.blog().await;
    let key = house
        .create("posts", json!({"title": "Long", "content": "y".repeat(500_000)}))
        .await
        .remove(0);
    let arguments = json!({"action": "read", "collection": "posts", "keys": [key]});
    let read = house.succeeds("items", arguments).await;
    assert_eq!(read["data"][0]["title"], "Long");
    assert_eq!(read["data"][0].get("content"), None);
    assert_eq!(
        read["meta"]["omitted"],
        json!([{"field": "content", "tokens": 125_001}])
    );
    assert!(read["meta"]["hint"].is_string());
    assert!(read.to_string().len() < 2_000);
}

#[tokio::test]
async fn a_long_receipt_and_many_written_rows_are_cut() {
    let house = house().await;
    house.blog().await;
    let names: Vec<Value> = (0..500).map(|i| json!({"name": format!("tag {i}")})).collect();
    let arguments = json!({"action": "create", "collection": "tags", "data": names});
    let made = house.succeeds("items", arguments).await;
    assert_eq!(made["meta"]["returned"], 100);
    assert_eq!(
        (&made["meta"]["truncated"], &made["meta"]["total"]),
        (&json!(true), &json!(500))
    );
    assert_eq!(made["receipt"]["changed"]["tags"]["created"], 500);
    assert!(made["receipt"]["applied"].as_array().unwrap().len() <= 100);
    assert!(made.to_string().len() / 4 < 20_000);
}

#[tokio::test]
async fn an_error_with_very_many_problems_is_short_and_counts_them() {
    let house = house().await;
    house.blog().await;
    let rows: Vec<Value> = (0..300)
        .map(|i| json!({"titel": format!("Post {i}"), "views": "many"}))
        .collect();
    let error = house
        .fails(
            "items",
            json!({"action": "create", "collection": "posts", "data": rows}),
        )
        .await;
    assert!(error["more"].as_u64().unwrap() > 100, "{error:#}");
    assert!(error["problems"].as_array().unwrap().len() >= 3);
    assert_eq!(house.rows("posts", &["id"]).await, json!([]));
}
