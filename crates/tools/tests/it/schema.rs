//! The `schema` tool.

use serde_json::{Value, json};

use crate::fixture::{administrator, house};

#[tokio::test]
async fn without_keys_it_lists_collections() {
    let house = house().await;
    house.blog().await;
    house.succeeds("collections", json!({"action": "create", "data": [
        {"collection": "content", "schema": null, "meta": {"note": "Everything\u{200b} to read"}},
        {"collection": "home", "meta": {"singleton": true}, "fields": [{"field": "title", "type": "string"}]},
    ]})).await;
    let answer = house.succeeds("schema", json!({})).await;
    let names: Vec<_> = answer["collections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(names[..5], ["authors", "home", "posts", "posts_tags", "tags"]);
    assert!(names.contains(&"directus_users"));
    assert_eq!(answer["collection_folders"], json!(["content"]));
    assert_eq!(answer["notes"]["authors"], "Who writes");
    assert_eq!(answer["notes"]["content"], "Everything to read");
    assert_eq!(answer["singletons"], json!(["home"]));
    assert_eq!(answer["truncated"], false);
}

#[tokio::test]
async fn with_keys_it_describes_fields() {
    let house = house().await;
    house.blog().await;
    let answer = house
        .succeeds("schema", json!({"keys": ["posts", "posts_tags", "authors"]}))
        .await;
    let posts = &answer["fields"]["posts"];
    assert_eq!(posts["id"]["primary_key"], true);
    assert_eq!(posts["id"]["generated"], true);
    assert_eq!(posts["title"]["type"], "string");
    assert_eq!(posts["title"]["required"], true);
    assert_eq!(posts["title"]["max_length"], 80);
    assert_eq!(posts["slug"]["unique"], true);
    assert_eq!(posts["status"]["choices"], json!(["draft", "published"]));
    assert_eq!(posts["status"]["default"], "draft");
    assert_eq!(posts["content"]["interface"], "input-rich-text-md");
    assert_eq!(
        posts["author"]["relation"],
        json!({"type": "m2o", "collection": "authors"})
    );
    assert_eq!(
        posts["tags"]["relation"],
        json!({"type": "m2m", "collection": "tags", "junction": {
            "collection": "posts_tags", "many_field": "posts_id", "junction_field": "tags_id",
        }})
    );
    assert_eq!(
        answer["fields"]["authors"]["posts"]["relation"],
        json!({"type": "o2m", "collection": "posts", "many_field": "author"})
    );
    assert_eq!(
        answer["fields"]["posts_tags"]["tags_id"]["relation"]["type"],
        "m2o"
    );
}

#[tokio::test]
async fn many_to_any_names_its_collections() {
    let house = house().await;
    house
        .succeeds(
            "collections",
            json!({"action": "create", "data": [
                {"collection": "pages", "fields": [{"field": "title", "type": "string"}]},
                {"collection": "headings", "fields": [{"field": "text", "type": "string"}]},
                {"collection": "quotes", "fields": [{"field": "text", "type": "string"}]},
                {"collection": "pages_blocks", "meta": {"hidden": true}, "fields": [
                    {"field": "pages_id", "type": "integer"}, {"field": "item", "type": "string"},
                    {"field": "collection", "type": "string"}, {"field": "sort", "type": "integer"},
                ]},
            ]}),
        )
        .await;
    let meta = json!({"one_field": "blocks", "junction_field": "item", "sort_field": "sort"});
    house.relate("pages_blocks", "pages_id", "pages", meta).await;
    house.succeeds("relations", json!({"action": "create", "collection": "pages_blocks", "field": "item", "data": {
        "related_collection": null,
        "meta": {"one_allowed_collections": ["headings", "quotes"], "one_collection_field": "collection", "junction_field": "pages_id"},
    }})).await;
    let answer = house.succeeds("schema", json!({"keys": ["pages"]})).await;
    assert_eq!(
        answer["fields"]["pages"]["blocks"]["relation"],
        json!({
            "type": "m2a",
            "collections": ["headings", "quotes"],
            "junction": {
                "collection": "pages_blocks", "many_field": "pages_id", "junction_field": "item",
                "collection_field": "collection",
            },
            "sort_field": "sort",
        })
    );
    let data = json!({"title": "A", "blocks": [{"collection": "headings", "item": {"text": "Hello"}}]});
    let query = json!({"fields": ["blocks.collection", "blocks.item:headings.text"]});
    let made = house
        .succeeds(
            "items",
            json!({"action": "create", "collection": "pages", "data": data, "query": query}),
        )
        .await;
    assert_eq!(
        made["data"][0]["blocks"],
        json!([{"collection": "headings", "item": {"text": "Hello"}}])
    );
}

#[tokio::test]
async fn the_hash_changes_with_the_model_and_only_with_it() {
    let house = house().await;
    house.blog().await;
    let hash = async || house.succeeds("schema", json!({})).await["hash"].clone();
    let before = hash().await;
    assert_eq!(before.as_str().unwrap().len(), 16);
    house.create("tags", json!({"name": "news"})).await;
    assert_eq!(hash().await, before);
    let field = json!({"field": "motto", "type": "string"});
    house
        .succeeds(
            "fields",
            json!({"action": "create", "collection": "authors", "data": field}),
        )
        .await;
    assert_ne!(hash().await, before);
}

#[tokio::test]
async fn unknown_collections_are_errors_that_name_the_nearest() {
    let house = house().await;
    house.blog().await;
    let error = house.fails("schema", json!({"keys": ["post", "zzz"]})).await;
    assert_eq!(error["problems"][0]["path"], "keys[0]");
    assert!(error["problems"][0]["hint"].as_str().unwrap().contains("`posts`"));
    assert_eq!(error["problems"][1]["path"], "keys[1]");
}

#[tokio::test]
async fn a_long_description_is_cut_and_continues() {
    let house = house().await;
    house.blog().await;
    let keys = json!(["posts", "authors", "tags", "posts_tags"]);
    let mut arguments = json!({"keys": keys, "max_tokens": 300});
    let mut seen = Vec::new();
    loop {
        let answer = house.succeeds("schema", arguments).await;
        seen.extend(answer["fields"].as_object().unwrap().keys().cloned());
        assert!(
            answer.to_string().len() / 4 <= 330,
            "{}",
            answer.to_string().len()
        );
        match answer["next"].clone() {
            Value::Object(next) if next.contains_key("keys") => {
                arguments = json!({"keys": next["keys"], "max_tokens": 300});
            }
            _ => break,
        }
    }
    assert_eq!(json!(seen), keys);
    let hostile = "note \u{202e}".repeat(10_000);
    let data = json!({"collection": "authors", "meta": {"note": hostile}});
    house
        .succeeds(
            "collections",
            json!({"action": "update", "data": data, "max_tokens": 100}),
        )
        .await;
    let overview = house.call(&administrator(), "schema", json!({})).await.unwrap();
    let note = overview["notes"]["authors"].as_str().unwrap();
    assert!(note.chars().count() <= 240 && !note.contains('\u{202e}'));
}
