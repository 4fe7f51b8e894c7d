//! What is the system's own is neither altered nor dropped, by any use case; fields may be added to it.

use loggia_model::system::COLLECTIONS;
use serde_json::json;

use crate::fixture::{administrator, engine, refused};

#[tokio::test]
async fn system_collections_stay_as_they_are() {
    let (engine, admin) = (engine().await, administrator());
    let before = engine.schema();
    let refusal = ["INVALID_PAYLOAD "];
    for definition in COLLECTIONS {
        let name = definition.name;
        assert_eq!(
            refused(engine.delete_collection(&admin, name).await),
            refusal,
            "{name}"
        );
        let meta = json!({"meta": {"note": "mine"}});
        assert_eq!(
            refused(engine.update_collection(&admin, name, meta).await),
            refusal,
            "{name}"
        );
        let again = json!({"collection": name, "schema": {}});
        assert!(
            engine.create_collections(&admin, vec![again]).await.is_err(),
            "{name}"
        );
        for field in definition.fields {
            let at = format!("{name}.{}", field.name);
            assert_eq!(
                refused(engine.delete_field(&admin, name, field.name).await),
                refusal,
                "{at}"
            );
            let change = json!({"type": "text", "schema": {"is_nullable": true}, "meta": {"note": "mine"}});
            assert_eq!(
                refused(engine.update_field(&admin, name, field.name, change).await),
                refusal,
                "{at}"
            );
            let again = json!({"field": field.name, "type": "string"});
            assert!(engine.create_field(&admin, name, again).await.is_err(), "{at}");
        }
        for relation in definition.relations {
            let at = format!("{name}.{}", relation.field);
            assert_eq!(
                refused(engine.delete_relation(&admin, name, relation.field).await),
                refusal,
                "{at}"
            );
            let change = json!({"schema": {"on_delete": "CASCADE"}});
            assert_eq!(
                refused(engine.update_relation(&admin, name, relation.field, change).await),
                refusal,
                "{at}"
            );
        }
    }
    assert_eq!(engine.refresh_schema().await.unwrap().version, before.version);
}

#[tokio::test]
async fn fields_of_ones_own_can_be_added_changed_and_dropped() {
    let (engine, admin) = (engine().await, administrator());
    let body = json!({"field": "nickname", "type": "string", "schema": {"max_length": 30}});
    engine.create_field(&admin, "directus_users", body).await.unwrap();
    let note = json!({"meta": {"note": "What friends say"}, "schema": {"max_length": 40}});
    let changed = engine
        .update_field(&admin, "directus_users", "nickname", note)
        .await
        .unwrap();
    assert_eq!(changed["schema"]["max_length"], 40);
    let users = engine.schema().collection("directus_users").unwrap().clone();
    assert!(users.field("email").unwrap().system);
    assert!(!users.field("nickname").unwrap().system);
    let numbers: Vec<_> = users.fields.keys().rev().take(1).cloned().collect();
    assert_eq!(numbers, ["nickname"]);
    engine
        .delete_field(&admin, "directus_users", "nickname")
        .await
        .unwrap();
    assert!(
        engine
            .schema()
            .collection("directus_users")
            .unwrap()
            .field("nickname")
            .is_none()
    );
}

#[tokio::test]
async fn the_system_s_fields_point_nowhere_else() {
    let (engine, admin) = (engine().await, administrator());
    let body =
        json!({"collection": "directus_users", "field": "role", "related_collection": "directus_files"});
    assert_eq!(
        refused(engine.create_relation(&admin, body).await),
        ["INVALID_PAYLOAD field"]
    );
    engine
        .create_collections(
            &admin,
            vec![json!({"collection": "posts", "fields": [{"field": "author", "type": "uuid"}]})],
        )
        .await
        .unwrap();
    let body = json!({
        "collection": "posts", "field": "author", "related_collection": "directus_users",
        "meta": {"one_field": "email"},
    });
    assert_eq!(
        refused(engine.create_relation(&admin, body).await),
        ["INVALID_PAYLOAD meta.one_field"]
    );
}

#[tokio::test]
async fn what_the_system_needs_is_there_from_the_start() {
    let engine = engine().await;
    assert_eq!(engine.schema().collections.len(), COLLECTIONS.len());
    assert!(!engine.settings().mcp_enabled());
    assert!(engine.settings().mcp_system_prompt_enabled());
    assert_eq!(engine.settings().mcp_max_rows(), 100);
    let policies = crate::fixture::column(&engine, "directus_policies", "id").await;
    let recipes = loggia_model::system::recipes::RECIPES
        .iter()
        .map(|recipe| recipe.key);
    let expect: Vec<_> = recipes.chain([loggia_model::system::PUBLIC_POLICY]).collect();
    assert_eq!(policies, expect);
}
