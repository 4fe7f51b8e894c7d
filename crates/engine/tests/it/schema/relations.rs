//! Relations of every kind: made, changed, deleted; and what is refused.

use loggia_access::Caller;
use loggia_engine::Engine;
use loggia_model::Link;
use serde_json::{Value, json};

use crate::fixture::{administrator, engine, insert, refused};

async fn with_collections() -> (Engine, Caller) {
    let (engine, admin) = (engine().await, administrator());
    let bodies = vec![
        json!({"collection": "articles", "fields": [
            {"field": "id", "type": "uuid"},
            {"field": "author", "type": "integer"},
            {"field": "title", "type": "string"},
            {"field": "sort", "type": "integer"},
            {"field": "owner", "type": "uuid"},
            {"field": "must", "type": "integer", "schema": {"is_nullable": false, "default_value": 1}},
        ]}),
        json!({"collection": "authors", "schema": {}}),
        json!({"collection": "tags", "schema": {}}),
        json!({"collection": "articles_tags", "fields": [
            {"field": "articles_id", "type": "uuid", "meta": {"hidden": true}},
            {"field": "tags_id", "type": "integer", "meta": {"hidden": true}},
            {"field": "sort", "type": "integer", "meta": {"hidden": true}},
        ]}),
        json!({"collection": "articles_blocks", "fields": [
            {"field": "articles_id", "type": "uuid", "meta": {"hidden": true}},
            {"field": "collection", "type": "string", "meta": {"hidden": true}},
            {"field": "item", "type": "string", "meta": {"hidden": true}},
        ]}),
        json!({"collection": "blk_text", "schema": {}}),
        json!({"collection": "blk_image", "fields": [{"field": "id", "type": "uuid"}]}),
        json!({"collection": "folder", "schema": null, "meta": {}}),
    ];
    engine.create_collections(&admin, bodies).await.unwrap();
    (engine, admin)
}

fn kind(engine: &Engine, collection: &str, field: &str) -> &'static str {
    match engine.schema().link(collection, field) {
        Some(Link::ToOne { .. }) => "one",
        Some(Link::ToMany { .. }) => "many",
        Some(Link::ToAny { .. }) => "any",
        None => "none",
    }
}

#[tokio::test]
async fn a_many_to_one_has_a_foreign_key_and_an_index() {
    let (engine, admin) = with_collections().await;
    let body = json!({
        "collection": "articles", "field": "author", "related_collection": "authors",
        "meta": {"one_field": "articles", "sort_field": "sort"}, "schema": {"on_delete": "SET NULL"},
    });
    let made = engine.create_relation(&admin, body).await.unwrap();
    assert_eq!(made["schema"]["on_delete"], "SET NULL");
    assert_eq!(made["schema"]["foreign_key_column"], "id");
    assert_eq!(made["meta"]["one_field"], "articles");
    assert_eq!(made["meta"]["one_deselect_action"], "nullify");
    assert!(made["meta"]["id"].is_i64() || made["meta"]["id"].is_u64());
    let field = engine.read_field(&admin, "articles", "author").unwrap();
    assert_eq!(field["schema"]["foreign_key_table"], "authors");
    assert_eq!(field["schema"]["is_indexed"], true);
    assert_eq!(
        field["meta"]["special"],
        Value::Null,
        "exactly what the body says"
    );
    assert_eq!(kind(&engine, "articles", "author"), "one");
    assert_eq!(kind(&engine, "authors", "articles"), "many");

    let changed = engine
        .update_relation(
            &admin,
            "articles",
            "author",
            json!({"schema": {"on_delete": "CASCADE"}, "meta": {"sort_field": null}}),
        )
        .await
        .unwrap();
    assert_eq!(changed["schema"]["on_delete"], "CASCADE");
    assert_eq!(changed["meta"]["sort_field"], Value::Null);
    assert_eq!(changed["meta"]["one_field"], "articles");
    let again = engine
        .update_relation(&admin, "articles", "author", changed.clone())
        .await
        .unwrap();
    assert_eq!(again, changed);

    engine
        .delete_relation(&admin, "articles", "author")
        .await
        .unwrap();
    assert_eq!(
        refused(engine.read_relation(&admin, "articles", "author")),
        ["FORBIDDEN "]
    );
    let field = engine.read_field(&admin, "articles", "author").unwrap();
    assert_eq!(field["schema"]["foreign_key_table"], Value::Null);
}

#[tokio::test]
async fn a_complete_relation_makes_what_is_missing() {
    let (engine, admin) = with_collections().await;
    let body = json!({
        "collection": "tags", "field": "writer", "related_collection": "articles",
        "meta": {"one_field": "keywords", "sort_field": "position"}, "schema": {"on_delete": "SET NULL"},
    });
    engine.create_complete_relation(&admin, body).await.unwrap();
    let field = engine.read_field(&admin, "tags", "writer").unwrap();
    assert_eq!(
        (&field["type"], &field["meta"]["special"]),
        (&json!("uuid"), &json!(["m2o"]))
    );
    assert_eq!(field["meta"]["interface"], "select-dropdown-m2o");
    assert_eq!(field["meta"]["hidden"], false);
    let list = engine.read_field(&admin, "articles", "keywords").unwrap();
    assert_eq!(
        (&list["type"], &list["meta"]["special"]),
        (&json!("alias"), &json!(["o2m"]))
    );
    assert_eq!(list["meta"]["interface"], "list-o2m");
    assert_eq!(
        engine.read_field(&admin, "tags", "position").unwrap()["type"],
        "integer"
    );

    let body = json!({"collection": "articles", "field": "owner", "related_collection": "directus_users"});
    engine.create_complete_relation(&admin, body).await.unwrap();
    let field = engine.read_field(&admin, "articles", "owner").unwrap();
    assert_eq!(field["meta"]["special"], json!(["m2o"]));
    assert_eq!(field["meta"]["interface"], "select-dropdown-m2o");

    let body = json!({"collection": "articles", "field": "cover", "related_collection": "directus_files"});
    engine.create_complete_relation(&admin, body).await.unwrap();
    let field = engine.read_field(&admin, "articles", "cover").unwrap();
    assert_eq!(field["meta"]["special"], json!(["file"]));
}

#[tokio::test]
async fn a_many_to_many_goes_through_its_junction() {
    let (engine, admin) = with_collections().await;
    for (field, related, one_field, junction) in [
        ("articles_id", "articles", "tags", "tags_id"),
        ("tags_id", "tags", "articles", "articles_id"),
    ] {
        let body = json!({
            "collection": "articles_tags", "field": field, "related_collection": related,
            "meta": {"one_field": one_field, "junction_field": junction, "one_deselect_action": "delete"},
            "schema": {"on_delete": "CASCADE"},
        });
        engine.create_complete_relation(&admin, body).await.unwrap();
    }
    for (collection, field) in [("articles", "tags"), ("tags", "articles")] {
        let list = engine.read_field(&admin, collection, field).unwrap();
        assert_eq!(list["meta"]["special"], json!(["m2m"]));
        assert_eq!(list["meta"]["interface"], "list-m2m");
    }
    engine.delete_collection(&admin, "tags").await.unwrap();
    let left = engine.list_relations(&admin, Some("articles_tags")).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        left[0]["meta"]["junction_field"],
        Value::Null,
        "the other half is gone"
    );
    let column = engine.read_field(&admin, "articles_tags", "tags_id").unwrap();
    assert_eq!(
        column["schema"]["foreign_key_table"],
        Value::Null,
        "the column stays"
    );
    engine.delete_collection(&admin, "articles_tags").await.unwrap();
    assert!(
        engine.read_field(&admin, "articles", "tags").is_err(),
        "the list goes with its junction"
    );
}

#[tokio::test]
async fn a_many_to_any_names_its_targets() {
    let (engine, admin) = with_collections().await;
    let parent = json!({
        "collection": "articles_blocks", "field": "articles_id", "related_collection": "articles",
        "meta": {"one_field": "blocks", "junction_field": "item"},
    });
    engine.create_complete_relation(&admin, parent).await.unwrap();
    let any = json!({
        "collection": "articles_blocks", "field": "item", "related_collection": null, "schema": null,
        "meta": {"one_collection_field": "collection", "one_allowed_collections": ["blk_text", "blk_image"], "junction_field": "articles_id"},
    });
    let made = engine.create_complete_relation(&admin, any).await.unwrap();
    assert_eq!(made["related_collection"], Value::Null);
    assert_eq!(made["schema"], Value::Null);
    assert_eq!(
        made["meta"]["one_allowed_collections"],
        json!(["blk_text", "blk_image"])
    );
    assert_eq!(kind(&engine, "articles_blocks", "item"), "any");
    let list = engine.read_field(&admin, "articles", "blocks").unwrap();
    assert_eq!(list["meta"]["special"], json!(["m2a"]));
    assert_eq!(list["meta"]["interface"], "list-m2a");
    engine.delete_collection(&admin, "blk_text").await.unwrap();
    let left = engine.read_relation(&admin, "articles_blocks", "item").unwrap();
    assert_eq!(left["meta"]["one_allowed_collections"], json!(["blk_image"]));
    engine
        .delete_field(&admin, "articles_blocks", "item")
        .await
        .unwrap();
    assert!(engine.read_relation(&admin, "articles_blocks", "item").is_err());
    let parent = engine
        .read_relation(&admin, "articles_blocks", "articles_id")
        .unwrap();
    assert_eq!(parent["meta"]["junction_field"], Value::Null);
}

#[tokio::test]
async fn deleting_an_end_cleans_the_other() {
    let (engine, admin) = with_collections().await;
    let body = json!({
        "collection": "articles", "field": "author", "related_collection": "authors",
        "meta": {"one_field": "articles", "sort_field": "sort"},
    });
    engine.create_complete_relation(&admin, body).await.unwrap();
    engine.delete_field(&admin, "articles", "sort").await.unwrap();
    let relation = engine.read_relation(&admin, "articles", "author").unwrap();
    assert_eq!(relation["meta"]["sort_field"], Value::Null);
    engine.delete_field(&admin, "authors", "articles").await.unwrap();
    let relation = engine.read_relation(&admin, "articles", "author").unwrap();
    assert_eq!(relation["meta"]["one_field"], Value::Null);
    engine.delete_field(&admin, "articles", "author").await.unwrap();
    assert!(
        engine
            .list_relations(&admin, Some("articles"))
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_path() {
    let (engine, admin) = with_collections().await;
    let check = async |body: Value, expect: &[&str]| {
        assert_eq!(
            refused(engine.create_relation(&admin, body.clone()).await),
            expect,
            "{body}"
        );
    };
    let relation = |field: &str, related: Value, meta: Value, on_delete: &str| json!({"collection": "articles", "field": field, "related_collection": related, "meta": meta, "schema": {"on_delete": on_delete}});
    check(
        json!({}),
        &["INVALID_PAYLOAD collection", "INVALID_PAYLOAD field"],
    )
    .await;
    check(
        json!({"collection": "tags", "field": "id", "related_collection": "authors"}),
        &["INVALID_PAYLOAD field"],
    )
    .await;
    check(
        json!({"collection": "nope", "field": "x"}),
        &["INVALID_PAYLOAD collection"],
    )
    .await;
    check(
        relation("authr", json!("autors"), json!({}), "BREAK"),
        &[
            "INVALID_PAYLOAD schema.on_delete",
            "INVALID_PAYLOAD related_collection",
            "INVALID_PAYLOAD field",
        ],
    )
    .await;
    check(
        relation("title", json!("authors"), json!({}), "NO ACTION"),
        &["INVALID_PAYLOAD related_collection"],
    )
    .await;
    check(
        relation("author", json!("folder"), json!({}), "NO ACTION"),
        &["INVALID_PAYLOAD related_collection"],
    )
    .await;
    check(
        relation("must", json!("authors"), json!({}), "SET NULL"),
        &["INVALID_PAYLOAD schema.on_delete"],
    )
    .await;
    check(
        relation("author", Value::Null, json!({}), "NO ACTION"),
        &["INVALID_PAYLOAD related_collection"],
    )
    .await;
    check(
        relation("author", json!("authors"), json!({"one_field": "id", "sort_field": "nope", "junction_field": "author", "one_deselect_action": "drop"}), "NO ACTION"),
        &[
            "INVALID_PAYLOAD meta.one_deselect_action",
            "INVALID_PAYLOAD meta.junction_field",
            "INVALID_PAYLOAD meta.sort_field",
            "INVALID_PAYLOAD meta.one_field",
        ],
    )
    .await;
    check(
        json!({"collection": "articles_blocks", "field": "item", "meta": {"one_collection_field": "id", "one_allowed_collections": ["blk_text", "nope", "folder"]}}),
        &[
            "INVALID_PAYLOAD meta.one_collection_field",
            "INVALID_PAYLOAD meta.one_allowed_collections[1]",
            "INVALID_PAYLOAD meta.one_allowed_collections[2]",
        ],
    )
    .await;
    let good = relation("author", json!("authors"), json!({}), "NO ACTION");
    engine.create_relation(&admin, good.clone()).await.unwrap();
    check(good, &["INVALID_PAYLOAD field"]).await;
    let moved = engine
        .update_relation(
            &admin,
            "articles",
            "author",
            json!({"related_collection": "tags"}),
        )
        .await;
    assert_eq!(refused(moved), ["INVALID_PAYLOAD related_collection"]);
    let unfit = engine
        .update_field(&admin, "articles", "author", json!({"type": "uuid"}))
        .await;
    assert_eq!(refused(unfit), ["INVALID_PAYLOAD type"]);
}

#[tokio::test]
async fn items_that_point_to_nothing_stand_against_a_foreign_key() {
    let (engine, admin) = with_collections().await;
    let id = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    insert(&engine, "articles", &[json!({"id": id, "author": 7})]).await;
    let body = json!({"collection": "articles", "field": "author", "related_collection": "authors"});
    let problems = refused(engine.create_relation(&admin, body.clone()).await);
    assert!(problems[0].starts_with("INVALID_FOREIGN_KEY"), "{problems:?}");
    assert!(engine.read_relation(&admin, "articles", "author").is_err());
    insert(&engine, "authors", &[json!({"id": 7})]).await;
    engine.create_relation(&admin, body).await.unwrap();
}
