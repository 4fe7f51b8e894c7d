//! A small blog: authors, posts with tags and blocks, and a home page; what the tests of items work on.

use loggia_testkit::TestApp;
use serde_json::{Value, json};

use crate::parrot::start;

/// A server with the blog's collections, empty.
pub(crate) async fn blog() -> TestApp {
    let app = start().await;
    let key = || json!({"field": "id", "type": "uuid", "schema": {"is_primary_key": true}, "meta": {"special": ["uuid"]}});
    let field = |name: &str, ty: &str| json!({"field": name, "type": ty, "schema": {}, "meta": {}});
    let choices = json!({"choices": [{"text": "Draft", "value": "draft"}, {"text": "Published", "value": "published"}]});
    let collections = json!([
        {"collection": "authors", "schema": {}, "meta": {}, "fields": [
            {"field": "name", "type": "string", "schema": {"max_length": 40}, "meta": {"required": true}},
            {"field": "posts", "type": "alias", "meta": {"special": ["o2m"]}},
        ]},
        {"collection": "posts", "schema": {}, "meta": {}, "fields": [
            key(),
            {"field": "title", "type": "string", "schema": {}, "meta": {"required": true}},
            {"field": "slug", "type": "string", "schema": {"is_unique": true}, "meta": {}},
            {"field": "status", "type": "string", "schema": {"default_value": "draft"}, "meta": {"interface": "select-dropdown", "options": choices}},
            field("views", "integer"), field("big", "bigInteger"), field("price", "decimal"), field("on", "date"),
            field("extra", "json"), field("author", "integer"),
            {"field": "tags", "type": "alias", "meta": {"special": ["m2m"]}},
            {"field": "blocks", "type": "alias", "meta": {"special": ["m2a"]}},
        ]},
        {"collection": "tags", "schema": {}, "meta": {}, "fields": [
            {"field": "id", "type": "string", "schema": {"is_primary_key": true}, "meta": {}}, field("label", "string"),
        ]},
        {"collection": "posts_tags", "schema": {}, "meta": {"hidden": true}, "fields": [
            field("posts_id", "uuid"), field("tags_id", "string"), field("sort", "integer"),
        ]},
        {"collection": "quotes", "schema": {}, "meta": {}, "fields": [field("text", "text")]},
        {"collection": "images", "schema": {}, "meta": {}, "fields": [key(), field("url", "string")]},
        {"collection": "posts_blocks", "schema": {}, "meta": {"hidden": true}, "fields": [
            field("posts_id", "uuid"), field("collection", "string"), field("item", "string"), field("sort", "integer"),
        ]},
        {"collection": "home", "schema": {}, "meta": {"singleton": true}, "fields": [
            {"field": "headline", "type": "string", "schema": {"default_value": "Hello"}, "meta": {}},
        ]},
    ]);
    made(&app, "/collections", collections).await;
    let relation = |many: &str, field: &str, one: Option<&str>, meta: Value| json!({"collection": many, "field": field, "related_collection": one, "meta": meta, "schema": {}});
    for body in [
        relation("posts", "author", Some("authors"), json!({"one_field": "posts"})),
        relation(
            "posts_tags",
            "posts_id",
            Some("posts"),
            json!({
            "one_field": "tags", "junction_field": "tags_id", "sort_field": "sort", "one_deselect_action": "delete"}),
        ),
        relation(
            "posts_tags",
            "tags_id",
            Some("tags"),
            json!({"junction_field": "posts_id"}),
        ),
        relation(
            "posts_blocks",
            "posts_id",
            Some("posts"),
            json!({
            "one_field": "blocks", "junction_field": "item", "sort_field": "sort", "one_deselect_action": "delete"}),
        ),
        relation(
            "posts_blocks",
            "item",
            None,
            json!({
            "junction_field": "posts_id", "one_collection_field": "collection", "one_allowed_collections": ["quotes", "images"]}),
        ),
    ] {
        made(&app, "/relations", body).await;
    }
    app
}

/// What a POST made.
pub(crate) async fn made(app: &TestApp, path: &str, body: Value) -> Value {
    app.post(path, body).await.data().clone()
}
