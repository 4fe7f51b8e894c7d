//! Hostile input gets its error, quickly, and changes nothing.

use serde_json::{Value, json};

use crate::fixture::{House, administrator, house};

/// Refused or not, it must not break anything.
async fn survives(house: &House, tool: &str, arguments: Value) {
    if let Err(error) = house.call(&administrator(), tool, arguments).await {
        assert_ne!(error["code"], "INTERNAL_SERVER_ERROR", "{error:#}");
        assert!(error.to_string().len() < 4_000);
    }
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!({"_and": [inner]}))
}

#[tokio::test]
async fn numbers_depth_names_and_sizes() {
    let house = house().await;
    house.blog().await;
    house.create("posts", json!({"title": "One"})).await;
    let before = (
        house.rows("posts", &["*"]).await,
        house.succeeds("schema", json!({})).await,
    );
    let huge = number(&format!("1{}", "0".repeat(4_000)));
    let exponent = number("1e999999999");
    let read = |query: Value| json!({"action": "read", "collection": "posts", "query": query});
    for value in [
        huge.clone(),
        exponent.clone(),
        number("-9223372036854775809"),
        number("0.1e-400"),
    ] {
        survives(&house, "items", read(json!({"limit": value}))).await;
        survives(&house, "items", read(json!({"offset": value}))).await;
        survives(&house, "items", read(json!({"page": value, "limit": 5}))).await;
        survives(
            &house,
            "items",
            read(json!({"filter": {"views": {"_eq": value}}})),
        )
        .await;
        survives(
            &house,
            "items",
            read(json!({"deep": {"tags": {"_limit": value}}})),
        )
        .await;
        survives(
            &house,
            "items",
            json!({"action": "read", "collection": "posts", "keys": [value]}),
        )
        .await;
        survives(
            &house,
            "items",
            json!({"action": "read", "collection": "posts", "max_tokens": value}),
        )
        .await;
        let data = json!({"title": "x", "views": value});
        let error = house
            .fails(
                "items",
                json!({"action": "create", "collection": "posts", "data": data}),
            )
            .await;
        assert!(error.to_string().contains("views"), "{error}");
    }
    for depth in [10, 100, 2_000] {
        // No JSON that is nested deeper than this is ever read from a client.
        survives(&house, "items", read(json!({"filter": nested(depth.min(60))}))).await;
        survives(&house, "items", read(json!({"filter": "[".repeat(depth)}))).await;
        survives(
            &house,
            "items",
            read(json!({"fields": [vec!["author.posts"; depth].join(".")]})),
        )
        .await;
    }
    assert_eq!(
        (
            house.rows("posts", &["*"]).await,
            house.succeeds("schema", json!({})).await
        ),
        before
    );
}

#[tokio::test]
async fn names_that_would_like_to_be_sql() {
    let house = house().await;
    house.blog().await;
    house.create("posts", json!({"title": "One"})).await;
    let before = house.succeeds("schema", json!({})).await;
    for name in [
        "posts\"; DROP TABLE posts; --",
        "posts'",
        "`posts`",
        "posts\u{0}",
        "../posts",
        "",
        " ",
        "ünïcödé\u{202e}",
    ] {
        for arguments in [
            json!({"action": "read", "collection": name}),
            json!({"action": "create", "collection": name, "data": {"title": "x"}}),
            json!({"action": "read", "collection": "posts", "query": {"fields": [name]}}),
            json!({"action": "read", "collection": "posts", "query": {"sort": [name]}}),
            json!({"action": "read", "collection": "posts", "query": {"groupBy": [name], "aggregate": {"count": ["*"]}}}),
            json!({"action": "read", "collection": "posts", "query": {"filter": {name: {"_eq": 1}}}}),
            json!({"action": "read", "collection": "posts", "query": {"alias": {name: "title"}, "fields": [name]}}),
            json!({"action": "create", "collection": "posts", "data": {"title": "x", name: 1}}),
        ] {
            let answer = house.call(&administrator(), "items", arguments.clone()).await;
            let harmless = arguments["query"].is_object();
            assert!(harmless || answer.is_err(), "{arguments}");
        }
        survives(&house, "schema", json!({"keys": [name]})).await;
        survives(
            &house,
            "fields",
            json!({"action": "create", "collection": "posts", "data": {"field": name, "type": "string"}}),
        )
        .await;
        survives(
            &house,
            "collections",
            json!({"action": "create", "data": {"collection": name}}),
        )
        .await;
        survives(&house, "relations", json!({"action": "create", "collection": "posts", "field": name, "data": {"related_collection": name}})).await;
    }
    let taken = json!({"action": "create", "data": {"collection": "sqlite_master"}});
    house.fails("collections", taken).await;
    let after = house.succeeds("schema", json!({})).await;
    assert_eq!(house.rows("posts", &["title"]).await, json!([{"title": "One"}]));
    assert_eq!(after["hash"], before["hash"], "{after:#}");
}

#[tokio::test]
async fn megabytes_come_back_as_they_were_or_are_refused() {
    let house = house().await;
    house.blog().await;
    let long = "ß\u{1F600}\"\\\n".repeat(100_000);
    let key = house
        .create("posts", json!({"title": "Long", "content": long}))
        .await
        .remove(0);
    let query = json!({"fields": ["id"], "filter": {"content": {"_eq": long}}});
    let read = house
        .succeeds(
            "items",
            json!({"action": "read", "collection": "posts", "query": query}),
        )
        .await;
    assert_eq!(read["data"], json!([{"id": key}]));
    let error = house
        .fails(
            "items",
            json!({"action": "create", "collection": "posts", "data": {"title": long}}),
        )
        .await;
    assert!(
        error.to_string().len() < 2_100 && error.to_string().contains("title"),
        "{error}"
    );
    survives(&house, "items", json!({"action": long, "collection": long})).await;
    survives(
        &house,
        "items",
        json!({"action": "read", "collection": "posts", long.clone(): 1}),
    )
    .await;
    survives(&house, "schema", json!({"keys": vec!["posts"; 50_000]})).await;
}

#[tokio::test]
async fn errors_say_only_what_people_see() {
    let house = house().await;
    house.blog().await;
    let hidden = |text: &str| format!("{text}\u{200b}\u{e0041}\u{202e}");
    let field = json!({"action": "update", "collection": "posts", "data": {"field": "title", "meta": {
        "options": {"choices": [{"text": "A", "value": hidden("alpha")}]}}}});
    house.succeeds("fields", field).await;
    let field = json!({"action": "update", "collection": "posts", "data": {"field": "slug", "meta": {
        "validation": {"_and": [{"slug": {"_eq": "x"}}]}, "validation_message": hidden("Ask nobody.")}}});
    house.succeeds("fields", field).await;
    for (data, visible) in [
        (json!({"title": "b"}), "alpha"),
        (json!({"title": hidden("alpha"), "slug": "y"}), "slug"),
        (json!({"title": "b", "slug": "y", (hidden("nope")): 1}), "alpha"),
    ] {
        let arguments = json!({"action": "create", "collection": "posts", "data": data});
        let error = house.fails("items", arguments).await;
        let mut told = vec![error["message"].clone(), error["hint"].clone()];
        for problem in error["problems"].as_array().into_iter().flatten() {
            told.extend([problem["message"].clone(), problem["hint"].clone()]);
        }
        let told = Value::from(told).to_string();
        assert!(told.contains(visible), "{error:#}");
        for character in ['\u{200b}', '\u{e0041}', '\u{202e}'] {
            assert!(!told.contains(character), "{error:#}");
        }
    }
}

#[tokio::test]
async fn an_item_of_a_list_points_to_nothing_but_the_item_above() {
    let house = house().await;
    house.blog().await;
    house.create("posts", json!({"title": "One"})).await;
    for value in [json!(1), json!("garbage"), json!({"nope": [1]})] {
        let data = json!({"title": "o", "tags": [{"posts_id": value, "tags_id": {"name": "x"}}]});
        let arguments = json!({"action": "create", "collection": "posts", "data": data});
        let error = house.fails("items", arguments).await;
        assert!(error.to_string().contains("tags[0].posts_id"), "{error:#}");
    }
    assert_eq!(house.all("posts").await.len(), 1);
    let many: Vec<_> = (0..2_500).map(|i| format!("f{i}")).collect();
    let arguments = json!({"action": "read", "collection": "posts", "query": {"sort": many}});
    let error = house.fails("items", arguments).await;
    assert_eq!(error["code"], "INVALID_QUERY", "{error:#}");
}
