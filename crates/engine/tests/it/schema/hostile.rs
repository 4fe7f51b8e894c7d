//! Bodies of every wrong shape: each gets its answer, and none leaves anything behind.

use loggia_engine::Error;
use serde_json::{Value, json};

use crate::fixture::{administrator, engine};

/// What is put in the place of every member of a good body.
fn wrong_values() -> Vec<Value> {
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        serde_json::from_str("1e400").unwrap(),
        serde_json::from_str("123456789012345678901234567890").unwrap(),
        json!(""),
        json!("\0"),
        json!("\"; DROP TABLE directus_users; --"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([null, 1, "a", {}]),
        json!({}),
        json!({"__proto__": {"a": 1}, "$ref": "#"}),
        deep,
    ]
}

/// Every body that differs from `good` in one member, at any depth.
fn spoiled(good: &Value) -> Vec<Value> {
    let mut bodies = wrong_values();
    match good {
        Value::Object(members) => {
            for (key, value) in members {
                for wrong in spoiled(value) {
                    let mut body = members.clone();
                    body.insert(key.clone(), wrong);
                    bodies.push(body.into());
                }
            }
        }
        Value::Array(entries) => {
            for (i, value) in entries.iter().enumerate() {
                for wrong in spoiled(value) {
                    let mut body = entries.clone();
                    body[i] = wrong;
                    bodies.push(body.into());
                }
            }
        }
        _ => {}
    }
    bodies
}

/// A refusal says what is wrong, in words that may be shown.
fn teaches(error: &Error, body: &Value) {
    for problem in error.problems().0 {
        let text = problem.to_string();
        assert_ne!(problem.code.name, "INTERNAL_SERVER_ERROR", "{body}");
        assert!(
            text.len() < 1_000,
            "{} characters for {:.200}",
            text.len(),
            body.to_string()
        );
        assert!(
            !text.contains("CREATE TABLE") && !text.contains("SELECT "),
            "{text}"
        );
    }
}

#[tokio::test]
async fn definitions_of_every_wrong_shape_change_nothing() {
    let (engine, admin) = (engine().await, administrator());
    let base = json!({"collection": "base", "fields": [{"field": "other", "type": "integer"}]});
    engine.create_collections(&admin, vec![base]).await.unwrap();
    let collection = json!({
        "collection": "posts",
        "schema": {"name": "posts"},
        "meta": {"note": "n", "sort_field": "title", "group": "base", "translations": [{"language": "en-US"}]},
        "fields": [{
            "field": "title", "type": "string",
            "schema": {"default_value": "x", "max_length": 20, "is_nullable": false, "is_unique": true},
            "meta": {"special": ["conceal"], "options": {"choices": [{"value": "x"}]}, "sort": 1},
        }],
    });
    for body in spoiled(&collection) {
        let before = engine.schema().version;
        match engine.create_collections(&admin, vec![body.clone()]).await {
            Ok(made) => {
                let name = made[0]["collection"].as_str().unwrap().to_owned();
                assert_eq!(name, "posts", "{body}");
                engine.delete_collection(&admin, &name).await.unwrap();
            }
            Err(error) => {
                teaches(&error, &body);
                assert_eq!(engine.refresh_schema().await.unwrap().version, before, "{body}");
            }
        }
    }
    let relation = json!({
        "collection": "base", "field": "other", "related_collection": "base",
        "schema": {"on_delete": "SET NULL"},
        "meta": {"one_field": "children", "sort_field": "id", "one_deselect_action": "delete"},
    });
    for body in spoiled(&relation) {
        let before = engine.schema().version;
        match engine.create_relation(&admin, body.clone()).await {
            Ok(_) => engine.delete_relation(&admin, "base", "other").await.unwrap(),
            Err(error) => {
                teaches(&error, &body);
                assert_eq!(engine.refresh_schema().await.unwrap().version, before, "{body}");
            }
        }
    }
    let update = json!({
        "type": "string",
        "schema": {"default_value": "x", "max_length": 20, "is_nullable": false},
        "meta": {"note": "n", "width": "half"},
    });
    for body in spoiled(&update) {
        if let Err(error) = engine.update_field(&admin, "base", "other", body.clone()).await {
            teaches(&error, &body);
        }
    }
    let left: Vec<_> = engine
        .schema()
        .collections
        .values()
        .filter(|c| !c.system)
        .map(|c| c.name.clone())
        .collect();
    assert_eq!(left, ["base"]);
}
