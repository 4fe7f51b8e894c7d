//! Changes of a column that carry its values along, or change nothing.

use loggia_access::Caller;
use loggia_engine::Engine;
use serde_json::{Value, json};

use crate::fixture::{administrator, column, engine, insert, refused};

async fn with_values(ty: &str, values: &[Value]) -> (Engine, Caller) {
    let (engine, admin) = (engine().await, administrator());
    let body = json!({"collection": "rows", "fields": [{"field": "value", "type": ty}]});
    engine.create_collections(&admin, vec![body]).await.unwrap();
    let rows: Vec<_> = values.iter().map(|value| json!({"value": value})).collect();
    insert(&engine, "rows", &rows).await;
    (engine, admin)
}

#[tokio::test]
async fn values_are_converted() {
    let check = async |from: &str, to: &str, values: Value, expect: Value| {
        let (engine, admin) = with_values(from, values.as_array().unwrap()).await;
        let changed = engine
            .update_field(&admin, "rows", "value", json!({"type": to}))
            .await
            .unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
        assert_eq!(changed["type"], to);
        assert_eq!(
            Value::from(column(&engine, "rows", "value").await),
            expect,
            "{from} to {to}"
        );
    };
    check("string", "text", json!(["a", null, "é"]), json!(["a", null, "é"])).await;
    check("text", "string", json!(["a", "b"]), json!(["a", "b"])).await;
    check(
        "integer",
        "bigInteger",
        json!([1, -5, null]),
        json!([1, -5, null]),
    )
    .await;
    check("integer", "string", json!([1, 20]), json!(["1", "20"])).await;
    check(
        "text",
        "integer",
        json!(["1", "-20", null]),
        json!([1, -20, null]),
    )
    .await;
    check(
        "string",
        "json",
        json!(["{\"a\":1}", "[2]"]),
        json!([{"a": 1}, [2]]),
    )
    .await;
    check("string", "json", json!(["not json"]), json!(["not json"])).await;
    check("text", "csv", json!(["a,b"]), json!([["a", "b"]])).await;
    check("integer", "boolean", json!([0, 1]), json!([false, true])).await;
}

#[tokio::test]
async fn what_cannot_be_converted_changes_nothing() {
    let check = async |from: &str, values: Value, update: Value, code: &str| {
        let (engine, admin) = with_values(from, values.as_array().unwrap()).await;
        let before = engine.read_field(&admin, "rows", "value").unwrap();
        let version = engine.schema().version;
        let problems = refused(engine.update_field(&admin, "rows", "value", update.clone()).await);
        assert!(
            problems.iter().all(|problem| problem.starts_with(code)),
            "{update}: {problems:?}"
        );
        assert_eq!(engine.read_field(&admin, "rows", "value").unwrap(), before);
        assert_eq!(Value::from(column(&engine, "rows", "value").await), values);
        assert_eq!(engine.refresh_schema().await.unwrap().version, version);
    };
    check(
        "text",
        json!(["1", "two"]),
        json!({"type": "integer"}),
        "INVALID_PAYLOAD",
    )
    .await;
    check(
        "string",
        json!(["not a key"]),
        json!({"type": "uuid"}),
        "INVALID_PAYLOAD",
    )
    .await;
    check(
        "string",
        json!(["a", null]),
        json!({"schema": {"is_nullable": false}}),
        "CONTAINS_NULL_VALUES",
    )
    .await;
    check(
        "string",
        json!(["a", "a"]),
        json!({"schema": {"is_unique": true}}),
        "RECORD_NOT_UNIQUE",
    )
    .await;
    check(
        "string",
        json!(["a"]),
        json!({"type": "alias"}),
        "INVALID_PAYLOAD",
    )
    .await;
    check(
        "string",
        json!(["a"]),
        json!({"field": "other"}),
        "INVALID_PAYLOAD",
    )
    .await;
}

#[tokio::test]
async fn metadata_and_column_change_together_or_not_at_all() {
    let (engine, admin) = with_values("string", &[json!("a"), Value::Null]).await;
    let update = json!({"meta": {"note": "changed"}, "schema": {"is_nullable": false}});
    assert!(
        engine
            .update_field(&admin, "rows", "value", update)
            .await
            .is_err()
    );
    assert_eq!(
        engine.read_field(&admin, "rows", "value").unwrap()["meta"]["note"],
        Value::Null
    );
    let update = json!({"meta": {"note": "changed"}, "schema": {"max_length": 20, "default_value": "x"}});
    let changed = engine
        .update_field(&admin, "rows", "value", update)
        .await
        .unwrap();
    assert_eq!(changed["meta"]["note"], "changed");
    assert_eq!(changed["schema"]["max_length"], 20);
    assert_eq!(changed["schema"]["default_value"], "x");
    let update = json!({"meta": {"interface": "input-code"}});
    let changed = engine
        .update_field(&admin, "rows", "value", update)
        .await
        .unwrap();
    assert_eq!(
        changed["meta"]["note"], "changed",
        "members that are not given stay"
    );
    assert_eq!(changed["schema"]["max_length"], 20);
}

#[tokio::test]
async fn the_primary_key_stays() {
    let (engine, admin) = with_values("string", &[]).await;
    for update in [
        json!({"schema": {"is_primary_key": false}}),
        json!({"schema": {"is_nullable": true}}),
        json!({"schema": {"has_auto_increment": false}}),
        json!({"type": "uuid"}),
    ] {
        assert!(
            engine
                .update_field(&admin, "rows", "id", update.clone())
                .await
                .is_err(),
            "{update}"
        );
    }
    let update = json!({"meta": {"hidden": false}});
    assert!(engine.update_field(&admin, "rows", "id", update).await.is_ok());
}
