//! Fields: every type, what is inferred, what is refused.

use serde_json::{Value, json};

use crate::fixture::{administrator, change_tables, engine, insert, refused};
use loggia_access::Caller;
use loggia_engine::Engine;
use loggia_model::field_types::FIELD_TYPES;

async fn with_posts() -> (Engine, Caller) {
    let (engine, admin) = (engine().await, administrator());
    engine
        .create_collections(&admin, vec![json!({"collection": "posts", "schema": {}})])
        .await
        .unwrap();
    (engine, admin)
}

#[tokio::test]
async fn every_type_comes_back_as_it_was_defined() {
    let (engine, admin) = with_posts().await;
    for ty in FIELD_TYPES {
        let name = format!("f_{}", ty.name().replace('.', "_"));
        let made = engine
            .create_field(&admin, "posts", json!({"field": name, "type": ty.name()}))
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", ty.name()));
        assert_eq!(made["type"], ty.name());
        assert_eq!(made["schema"].is_null(), ty.storage().is_none(), "{name}");
        let again = engine
            .update_field(&admin, "posts", &name, made.clone())
            .await
            .unwrap();
        assert_eq!(again, made, "written back as it was read, nothing changes");
    }
}

#[tokio::test]
async fn defaults_limits_and_indexes_come_back() {
    let (engine, admin) = with_posts().await;
    let check = async |body: Value, expect: Value| {
        let made = engine.create_field(&admin, "posts", body).await.unwrap();
        for (key, value) in expect.as_object().unwrap() {
            assert_eq!(made["schema"][key], *value, "{made}");
        }
    };
    check(
        json!({"field": "a", "type": "string", "schema": {"max_length": 10, "default_value": "x", "is_unique": true}}),
        json!({"max_length": 10, "default_value": "x", "is_unique": true, "is_nullable": true}),
    )
    .await;
    check(
        json!({"field": "b", "type": "string"}),
        json!({"max_length": 255, "default_value": null}),
    )
    .await;
    check(
        json!({"field": "c", "type": "decimal", "schema": {"numeric_precision": 12, "numeric_scale": 3, "default_value": "1.500"}}),
        json!({"numeric_precision": 12, "numeric_scale": 3}),
    )
    .await;
    check(
        json!({"field": "d", "type": "timestamp", "schema": {"default_value": "now()"}}),
        json!({"default_value": "CURRENT_TIMESTAMP"}),
    )
    .await;
    check(
        json!({"field": "e", "type": "boolean", "schema": {"default_value": false, "is_nullable": false}}),
        json!({"default_value": false, "is_nullable": false}),
    )
    .await;
    check(
        json!({"field": "f", "type": "json", "schema": {"default_value": "{\"a\":[1]}"}}),
        json!({"default_value": {"a": [1]}}),
    )
    .await;
    check(
        json!({"field": "g", "type": "integer", "schema": {"is_indexed": true, "default_value": 6}}),
        json!({"is_indexed": true, "default_value": 6, "is_unique": false}),
    )
    .await;
    check(
        json!({"field": "h", "type": "csv", "schema": {"default_value": ["a", "b"]}}),
        json!({"default_value": ["a", "b"]}),
    )
    .await;
}

#[tokio::test]
async fn special_decides_types_and_types_mark_themselves() {
    let (engine, admin) = with_posts().await;
    let check = async |body: Value, ty: &str, special: Value, interface: &str| {
        let made = engine.create_field(&admin, "posts", body.clone()).await.unwrap();
        assert_eq!(
            (&made["type"], &made["meta"]["special"]),
            (&json!(ty), &special),
            "{body}"
        );
        assert_eq!(made["meta"]["interface"], interface, "{body}");
    };
    check(
        json!({"field": "a", "type": "csv"}),
        "csv",
        json!(["cast-csv"]),
        "tags",
    )
    .await;
    check(
        json!({"field": "b", "type": "hash"}),
        "hash",
        json!(["hash"]),
        "input-hash",
    )
    .await;
    check(
        json!({"field": "c", "type": "text", "meta": {"special": ["cast-json"]}}),
        "json",
        json!(["cast-json"]),
        "input-code",
    )
    .await;
    check(
        json!({"field": "d", "type": "string", "meta": {"special": ["file"]}}),
        "uuid",
        json!(["file"]),
        "file",
    )
    .await;
    check(
        json!({"field": "e", "meta": {"special": ["uuid"]}}),
        "uuid",
        json!(["uuid"]),
        "input",
    )
    .await;
    check(
        json!({"field": "f", "type": "string", "meta": {"options": {"choices": [{"text": "A", "value": "a"}]}}}),
        "string",
        Value::Null,
        "select-dropdown",
    )
    .await;
    check(
        json!({"field": "g", "type": "m2m"}),
        "alias",
        json!(["m2m"]),
        "list-m2m",
    )
    .await;
    check(
        json!({"field": "h", "type": "boolean"}),
        "boolean",
        Value::Null,
        "boolean",
    )
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_path() {
    let (engine, admin) = with_posts().await;
    engine
        .create_field(&admin, "posts", json!({"field": "title", "type": "string"}))
        .await
        .unwrap();
    let check = async |body: Value, expect: &[&str]| {
        let refused = refused(engine.create_field(&admin, "posts", body.clone()).await);
        assert_eq!(refused, expect, "{body}");
    };
    check(
        json!({"field": "title", "type": "string"}),
        &["INVALID_PAYLOAD field"],
    )
    .await;
    check(
        json!({"field": "TITLE", "type": "string"}),
        &["INVALID_PAYLOAD field"],
    )
    .await;
    check(
        json!({"field": "_eq", "type": "string"}),
        &["INVALID_PAYLOAD field"],
    )
    .await;
    check(json!({"field": "x"}), &["INVALID_PAYLOAD type"]).await;
    check(json!({"type": "string"}), &["INVALID_PAYLOAD field"]).await;
    check(json!([]), &["INVALID_PAYLOAD "]).await;
    check(
        json!({"field": "x", "type": "uuid", "schema": {"is_primary_key": true}}),
        &["INVALID_PAYLOAD schema.is_primary_key"],
    )
    .await;
    check(
        json!({"field": "x", "type": "integer", "schema": {"has_auto_increment": true}}),
        &["INVALID_PAYLOAD schema.has_auto_increment"],
    )
    .await;
    check(
        json!({"field": "x", "type": "integer", "schema": {"default_value": "many"}}),
        &["INVALID_PAYLOAD schema.default_value"],
    )
    .await;
    check(
        json!({"field": "x", "type": "string", "schema": {"max_length": 3, "default_value": "long"}}),
        &["VALUE_TOO_LONG schema.default_value"],
    )
    .await;
    check(
        json!({"field": "x", "type": "decimal", "schema": {"numeric_precision": 2, "numeric_scale": 3}}),
        &["INVALID_PAYLOAD schema.numeric_scale"],
    )
    .await;
    check(
        json!({"field": "x", "type": "string", "meta": {"required": "yes", "widht": "half"}, "extra": 1}),
        &[
            "INVALID_PAYLOAD meta.required",
            "INVALID_PAYLOAD meta.widht",
            "INVALID_PAYLOAD extra",
        ],
    )
    .await;
    let nowhere = engine
        .create_field(&admin, "nope", json!({"field": "x", "type": "string"}))
        .await;
    assert_eq!(refused(nowhere), ["FORBIDDEN "]);
    assert_eq!(engine.list_fields(&admin, Some("posts")).unwrap().len(), 2);
}

#[tokio::test]
async fn several_fields_are_made_all_or_none() {
    let (engine, admin) = with_posts().await;
    let bodies = vec![
        json!({"field": "a", "type": "string"}),
        json!({"field": "A", "type": "string"}),
        json!({"field": "b", "type": "strng"}),
    ];
    let refused = refused(engine.create_fields(&admin, "posts", bodies).await);
    assert_eq!(refused, ["INVALID_PAYLOAD [1].field", "INVALID_PAYLOAD [2].type"]);
    let bodies = vec![
        json!({"field": "a", "type": "string"}),
        json!({"field": "b", "type": "text"}),
    ];
    let made = engine.create_fields(&admin, "posts", bodies).await.unwrap();
    assert_eq!(made[0]["meta"]["sort"], 2);
    assert_eq!(made[1]["meta"]["sort"], 3);
    let bodies = vec![
        json!({"field": "a", "meta": {"sort": 9}}),
        json!({"field": "b", "meta": {"sort": 8}}),
    ];
    engine.update_fields(&admin, "posts", bodies).await.unwrap();
    let order: Vec<_> = engine
        .schema()
        .collection("posts")
        .unwrap()
        .fields
        .keys()
        .cloned()
        .collect();
    assert_eq!(order, ["id", "b", "a"]);
}

#[tokio::test]
async fn a_field_that_demands_values_needs_a_default_beside_items() {
    let (engine, admin) = with_posts().await;
    let demanding = json!({"field": "kind", "type": "string", "schema": {"is_nullable": false}});
    insert(&engine, "posts", &[json!({"id": 1})]).await;
    let refused_then = refused(engine.create_field(&admin, "posts", demanding).await);
    assert_eq!(refused_then, ["CONTAINS_NULL_VALUES schema.is_nullable"]);
    let with_default =
        json!({"field": "kind", "type": "string", "schema": {"is_nullable": false, "default_value": "note"}});
    engine.create_field(&admin, "posts", with_default).await.unwrap();
    assert_eq!(crate::fixture::column(&engine, "posts", "kind").await, ["note"]);
}

#[tokio::test]
async fn deleting_a_field_leaves_no_mention_of_it() {
    let (engine, admin) = with_posts().await;
    for field in ["order", "state", "inner"] {
        let body = json!({"field": field, "type": "string", "meta": {"group": "box"}});
        engine.create_field(&admin, "posts", body).await.unwrap();
    }
    engine
        .create_field(
            &admin,
            "posts",
            json!({"field": "box", "type": "alias", "meta": {"special": ["alias", "no-data", "group"]}}),
        )
        .await
        .unwrap();
    let meta = json!({"meta": {"sort_field": "order", "archive_field": "state"}});
    engine.update_collection(&admin, "posts", meta).await.unwrap();
    for field in ["order", "state", "box"] {
        engine.delete_field(&admin, "posts", field).await.unwrap();
    }
    let posts = engine.read_collection(&admin, "posts").unwrap();
    assert_eq!(posts["meta"]["sort_field"], Value::Null);
    assert_eq!(posts["meta"]["archive_field"], Value::Null);
    assert_eq!(
        engine.read_field(&admin, "posts", "inner").unwrap()["meta"]["group"],
        Value::Null
    );
    assert_eq!(
        refused(engine.delete_field(&admin, "posts", "id").await),
        ["INVALID_PAYLOAD "]
    );
    assert_eq!(
        refused(engine.delete_field(&admin, "posts", "order").await),
        ["FORBIDDEN "]
    );
    change_tables(&engine, Vec::new()).await;
    assert_eq!(
        engine
            .refresh_schema()
            .await
            .unwrap()
            .collection("posts")
            .unwrap()
            .fields
            .len(),
        2
    );
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_is_refused_where_it_is_defined() {
    let (engine, admin) = with_posts().await;
    let body = |rule: Value| json!({"field": "slug", "type": "string", "meta": {"validation": rule}});
    let bad = engine
        .create_field(
            &admin,
            "posts",
            body(json!({"_and": [{"slug": {"_regx": "^a"}}]})),
        )
        .await;
    assert_eq!(
        refused(bad),
        ["INVALID_PAYLOAD meta.validation._and[0].slug._regx"]
    );
    let good = json!({"_and": [{"slug": {"_regex": "^a"}}]});
    let made = engine
        .create_field(&admin, "posts", body(good.clone()))
        .await
        .unwrap();
    assert_eq!(made["meta"]["validation"], good);
}
