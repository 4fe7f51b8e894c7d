//! The data: a newspaper of 100 authors, 20 categories, 200 tags and as many articles as asked for, each with an
//! author, a category and two tags. Filled over REST, so any server of the dialect can have it.

use crate::server::Target;
use anyhow::Result;
use serde_json::{Value, json};

/// Articles in a full run.
pub(crate) const ARTICLES: u64 = 10_000;
const AUTHORS: u64 = 100;
const CATEGORIES: u64 = 20;
const TAGS: u64 = 200;
/// Rows in one request: Directus takes bodies up to 1 MB.
const BATCH: usize = 500;

/// Makes the collections and their rows, unless there are articles already.
///
/// # Errors
/// When the server refuses a part of it.
pub(crate) async fn fill(target: &Target, articles: u64) -> Result<()> {
    if target.ask("GET", "/items/articles/1", None).await.is_ok() {
        return Ok(());
    }
    model(target).await?;
    let named = |count, name: fn(u64) -> String| (1..=count).map(|i| json!({ "name": name(i) })).collect();
    insert(
        target,
        "authors",
        (1..=AUTHORS)
            .map(
                |i| json!({ "name": format!("Author {i}"), "bio": format!("Bio of author {i}. ").repeat(5) }),
            )
            .collect(),
    )
    .await?;
    insert(
        target,
        "categories",
        named(CATEGORIES, |i| format!("Category {i}")),
    )
    .await?;
    insert(target, "tags", named(TAGS, |i| format!("tag-{i}"))).await?;
    insert(target, "articles", (1..=articles).map(article).collect()).await?;
    let tagged = (1..=articles).flat_map(|i| {
        [i % TAGS + 1, (i * 3 + 7) % TAGS + 1].map(|tag| json!({ "articles_id": i, "tags_id": tag }))
    });
    insert(target, "articles_tags", tagged.collect()).await
}

/// Collections beside those of the newspaper, each with five fields.
///
/// # Errors
/// When the server refuses one.
pub(crate) async fn add_collections(target: &Target, numbers: std::ops::Range<u32>) -> Result<()> {
    for number in numbers {
        let collection = json!({ "collection": format!("extra_{number:03}"), "meta": {}, "schema": {}, "fields": [
            key(), field("title", "string"), field("body", "text"), field("amount", "integer"), field("day", "date"),
        ] });
        target.ask("POST", "/collections", Some(&collection)).await?;
    }
    Ok(())
}

async fn model(target: &Target) -> Result<()> {
    let named = |name: &str| json!({ "collection": name, "meta": {}, "schema": {}, "fields": [key(), required("name")] });
    let collections = [
        json!({ "collection": "authors", "meta": { "note": "People who write articles" }, "schema": {},
            "fields": [key(), required("name"), field("bio", "text")] }),
        named("categories"),
        named("tags"),
        json!({ "collection": "articles", "meta": { "note": "News articles" }, "schema": {}, "fields": [
            key(), required("title"),
            { "field": "slug", "type": "string", "meta": { "interface": "input" }, "schema": { "is_unique": true } },
            field("body", "text"),
            { "field": "views", "type": "integer", "meta": { "interface": "input" }, "schema": { "default_value": 0 } },
            field("published_on", "dateTime"),
            { "field": "status", "type": "string", "schema": { "default_value": "draft" }, "meta": {
                "interface": "select-dropdown", "options": { "choices": [
                    { "text": "Draft", "value": "draft" }, { "text": "Published", "value": "published" },
                    { "text": "Archived", "value": "archived" } ] } } },
            many_to_one("author"), many_to_one("category"),
        ] }),
        json!({ "collection": "articles_tags", "meta": { "hidden": true }, "schema": {},
            "fields": [key(), field("articles_id", "integer"), field("tags_id", "integer")] }),
    ];
    for collection in &collections {
        target.ask("POST", "/collections", Some(collection)).await?;
    }
    let tags =
        json!({ "field": "tags", "type": "alias", "meta": { "special": ["m2m"], "interface": "list-m2m" } });
    target.ask("POST", "/fields/articles", Some(&tags)).await?;
    let relations = [
        ("articles", "author", "authors", json!({}), "SET NULL"),
        ("articles", "category", "categories", json!({}), "SET NULL"),
        (
            "articles_tags",
            "articles_id",
            "articles",
            json!({ "one_field": "tags", "junction_field": "tags_id" }),
            "CASCADE",
        ),
        (
            "articles_tags",
            "tags_id",
            "tags",
            json!({ "junction_field": "articles_id" }),
            "CASCADE",
        ),
    ];
    for (collection, field, related, meta, on_delete) in relations {
        let relation = json!({ "collection": collection, "field": field, "related_collection": related, "meta": meta,
            "schema": { "on_delete": on_delete } });
        target.ask("POST", "/relations", Some(&relation)).await?;
    }
    Ok(())
}

fn key() -> Value {
    json!({ "field": "id", "type": "integer", "meta": { "hidden": true, "interface": "input", "readonly": true },
        "schema": { "is_primary_key": true, "has_auto_increment": true } })
}

fn field(name: &str, kind: &str) -> Value {
    json!({ "field": name, "type": kind, "meta": { "interface": "input" }, "schema": {} })
}

fn required(name: &str) -> Value {
    json!({ "field": name, "type": "string", "meta": { "interface": "input", "required": true }, "schema": {} })
}

fn many_to_one(name: &str) -> Value {
    json!({ "field": name, "type": "integer", "meta": { "interface": "select-dropdown-m2o", "special": ["m2o"] },
        "schema": {} })
}

fn article(i: u64) -> Value {
    let status = ["draft", "published", "archived"][usize::try_from(i % 3).unwrap_or(0)];
    json!({
        "title": format!("Article number {i}"),
        "slug": format!("article-{i}"),
        "body": format!("<p>{}</p>", format!("Lorem ipsum dolor sit amet {i}. ").repeat(20)),
        "views": i * 7919 % 100_000,
        "published_on": format!("2024-{:02}-{:02}T{:02}:00:00", i / 672 % 12 + 1, i / 24 % 28 + 1, i % 24),
        "status": status,
        "author": i % AUTHORS + 1,
        "category": i % CATEGORIES + 1,
    })
}

async fn insert(target: &Target, collection: &str, rows: Vec<Value>) -> Result<()> {
    let path = format!("/items/{collection}?fields=id");
    for batch in rows.chunks(BATCH) {
        target.ask("POST", &path, Some(&Value::from(batch))).await?;
    }
    Ok(())
}
