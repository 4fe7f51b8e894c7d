//! Who is an administrator is counted with what the database does on its own.

use loggia_access::Caller;
use loggia_engine::changes::{ChangeFilter, Conflicts, RevertOptions, RevertTarget};
use loggia_engine::items::{Deletes, Selection, Target, WriteOptions};
use loggia_model::Scalar;
use serde_json::{Value, json};

use super::{Shop, record, shop};
use crate::fixture::{holder, insert, permit, policy, refused};

const CHIEF: &str = "11111111-1111-4111-8111-111111111111";
const EDITOR: &str = "55555555-5555-4555-8555-555555555555";
const POLICY: &str = "0a0a0a0a-0000-4000-8000-000000000001";
const TEAM: i64 = 1;

/// A shop with one administrator, and a column of `collection` that points to `makers`: what it points to goes with it.
async fn with_pointer(collection: &str, on_delete: &str) -> Shop {
    let shop = shop().await;
    insert(
        &shop.engine,
        "directus_policies",
        &[json!({"id": POLICY, "name": "All", "admin_access": true})],
    )
    .await;
    let user = json!({"id": CHIEF, "email": "chief@example.com", "status": "active"});
    insert(&shop.engine, "directus_users", &[user]).await;
    let access = json!({"id": "0a0a0a0a-0000-4000-8000-000000000002", "policy": POLICY, "user": CHIEF});
    insert(&shop.engine, "directus_access", &[access]).await;
    shop.create("makers", json!({"id": TEAM, "name": "Acme"})).await;
    let body = json!({"collection": collection, "field": "team", "related_collection": "makers",
        "schema": {"on_delete": on_delete}});
    shop.engine
        .create_complete_relation(&shop.admin, body)
        .await
        .unwrap();
    let key = match collection {
        "directus_users" => CHIEF,
        "directus_policies" => POLICY,
        _ => "0a0a0a0a-0000-4000-8000-000000000002",
    };
    below(&shop, collection, key, json!({"team": TEAM})).await;
    shop
}

/// Changes a row below the use cases.
async fn below(shop: &Shop, collection: &str, key: &str, values: Value) {
    for (name, value) in record(values) {
        let schema = shop.engine.schema();
        let field = schema.collection(collection).unwrap().field(&name).unwrap();
        let scalar = match &value {
            Value::Null => Scalar::Null,
            value => field.ty.parse(value, field.column.as_ref().unwrap()).unwrap(),
        };
        shop.tamper(collection, &json!(key), &name, scalar).await;
    }
}

async fn delete(shop: &Shop, caller: &Caller, collection: &str, key: i64) -> Vec<String> {
    let options = WriteOptions {
        deletes: Deletes::Allowed,
        ..WriteOptions::default()
    };
    let keys = Selection::Keys(vec![json!(key)]);
    refused(shop.engine.delete_items(caller, collection, keys, &options).await)
}

async fn nobody_went(shop: &Shop) {
    assert_eq!(shop.rows("directus_users").await.len(), 1);
    let access = shop.rows("directus_access").await;
    assert!(access.iter().any(|row| row["user"] == CHIEF), "{access:?}");
    assert_eq!(shop.rows("makers").await.len(), 1);
}

#[tokio::test]
async fn the_last_administrator_does_not_go_with_an_item() {
    for collection in ["directus_users", "directus_policies", "directus_access"] {
        let shop = with_pointer(collection, "CASCADE").await;
        let told = delete(&shop, &shop.admin, "makers", TEAM).await;
        assert_eq!(told, ["UNPROCESSABLE_CONTENT "], "{collection}");
        nobody_went(&shop).await;
    }
}

#[tokio::test]
async fn nor_at_the_end_of_a_chain_nor_from_inside_another_item() {
    let shop = with_pointer("directus_users", "CASCADE").await;
    // Parts belong to products, products to makers, and a maker takes the administrator along.
    let body = json!({"collection": "makers", "field": "part", "related_collection": "parts",
        "schema": {"on_delete": "CASCADE"}});
    shop.engine
        .create_complete_relation(&shop.admin, body)
        .await
        .unwrap();
    let product = json!({"name": "Anvil", "parts": [{"name": "Horn"}]});
    shop.create("products", product).await;
    shop.update("makers", json!([TEAM]), json!({"part": 1})).await;
    assert_eq!(
        delete(&shop, &shop.admin, "products", 1).await,
        ["UNPROCESSABLE_CONTENT "]
    );
    let relation = json!({"meta": {"one_deselect_action": "delete"}});
    shop.engine
        .update_relation(&shop.admin, "parts", "product", relation)
        .await
        .unwrap();
    let target = Target::Keys {
        keys: vec![json!(1)],
        data: record(json!({"parts": []})),
    };
    let options = WriteOptions {
        deletes: Deletes::Allowed,
        ..WriteOptions::default()
    };
    let written = shop
        .engine
        .update_items(&shop.admin, "products", target, &options)
        .await;
    assert_eq!(refused(written), ["UNPROCESSABLE_CONTENT "]);
    nobody_went(&shop).await;
}

#[tokio::test]
async fn nor_by_taking_a_change_back() {
    let shop = with_pointer("directus_users", "CASCADE").await;
    let filter = ChangeFilter {
        collection: Some("makers".to_owned()),
        item: Some(TEAM.to_string()),
        ..ChangeFilter::default()
    };
    let listed = shop.engine.list_changes(&shop.admin, &filter).await.unwrap();
    let change = listed.changes[0]["id"].as_str().unwrap().to_owned();
    let options = RevertOptions {
        conflicts: Conflicts::Force,
        ..RevertOptions::default()
    };
    for dry_run in [true, false] {
        let options = RevertOptions {
            dry_run,
            ..options.clone()
        };
        let reverted = shop
            .engine
            .revert(&shop.admin, RevertTarget::Changes(vec![change.clone()]), &options)
            .await;
        assert_eq!(refused(reverted), ["UNPROCESSABLE_CONTENT "], "{dry_run}");
    }
    nobody_went(&shop).await;
}

#[tokio::test]
async fn nor_with_a_permission_or_a_token() {
    // What a collection's permissions are kept in goes with the collection.
    let shop = with_pointer("directus_users", "SET NULL").await;
    let body = json!({"collection": "directus_users", "field": "rule",
        "related_collection": "directus_permissions", "schema": {"on_delete": "CASCADE"}});
    shop.engine
        .create_complete_relation(&shop.admin, body)
        .await
        .unwrap();
    let rules = json!([{"collection": "parts", "action": "read"}]);
    let rule = permit(&shop.engine, POLICY, rules).await.unwrap().remove(0);
    below(&shop, "directus_users", CHIEF, json!({"rule": rule})).await;
    let dropped = shop.engine.delete_collection(&shop.admin, "parts").await;
    assert_eq!(refused(dropped), ["UNPROCESSABLE_CONTENT "]);
    assert!(shop.engine.schema().collection("parts").is_some());
    let body = json!({"collection": "directus_users", "field": "badge",
        "related_collection": "loggia_tokens", "schema": {"on_delete": "CASCADE"}});
    shop.engine
        .create_complete_relation(&shop.admin, body)
        .await
        .unwrap();
    let token = shop
        .engine
        .create_token(&shop.admin, &record(json!({"name": "t"})))
        .await
        .unwrap();
    let id = token.token["id"].as_str().unwrap().to_owned();
    below(&shop, "directus_users", CHIEF, json!({"badge": id})).await;
    let revoked = shop.engine.revoke_token(&shop.admin, &id).await;
    assert_eq!(refused(revoked), ["UNPROCESSABLE_CONTENT "]);
    nobody_went(&shop).await;
}

#[tokio::test]
async fn who_is_no_administrator_takes_none_along() {
    for (collection, on_delete, goes) in [
        ("directus_users", "CASCADE", false),
        ("directus_access", "CASCADE", false),
        ("directus_policies", "CASCADE", false),
        // That an administrator no longer points to the item is no change of theirs.
        ("directus_users", "SET NULL", true),
    ] {
        let shop = with_pointer(collection, on_delete).await;
        // A second administrator remains: it is not about the last one.
        let other = json!({"id": "22222222-2222-4222-8222-222222222222", "status": "active"});
        insert(&shop.engine, "directus_users", &[other]).await;
        let all = json!({"id": "0a0a0a0a-0000-4000-8000-000000000003", "name": "All", "admin_access": true});
        insert(&shop.engine, "directus_policies", &[all]).await;
        let access = json!({"id": "0a0a0a0a-0000-4000-8000-000000000004",
            "policy": "0a0a0a0a-0000-4000-8000-000000000003", "user": "22222222-2222-4222-8222-222222222222"});
        insert(&shop.engine, "directus_access", &[access]).await;
        let key = policy(
            &shop.engine,
            json!([{"collection": "makers", "action": ["read", "delete"]}]),
        )
        .await;
        let editor = holder(EDITOR, &[&[&key]]);
        let options = WriteOptions {
            deletes: Deletes::Allowed,
            ..WriteOptions::default()
        };
        let keys = Selection::Keys(vec![json!(TEAM)]);
        let deleted = shop.engine.delete_items(&editor, "makers", keys, &options).await;
        if goes {
            deleted.unwrap();
            assert_eq!(shop.rows("directus_users").await[0]["team"], Value::Null);
        } else {
            assert_eq!(refused(deleted), ["FORBIDDEN "], "{collection}");
            assert_eq!(shop.rows("makers").await.len(), 1);
            // Somebody who is one may.
            delete_all(&shop, &shop.admin).await;
        }
    }
}

async fn delete_all(shop: &Shop, caller: &Caller) {
    let options = WriteOptions {
        deletes: Deletes::Allowed,
        ..WriteOptions::default()
    };
    let keys = Selection::Keys(vec![json!(TEAM)]);
    shop.engine
        .delete_items(caller, "makers", keys, &options)
        .await
        .unwrap();
}

#[tokio::test]
async fn users_who_are_no_administrators_go_with_items() {
    let shop = with_pointer("directus_users", "CASCADE").await;
    below(&shop, "directus_users", CHIEF, json!({"team": null})).await;
    let reader = json!({"id": EDITOR, "status": "active", "team": TEAM});
    insert(&shop.engine, "directus_users", &[reader]).await;
    let chief = shop.admin.clone();
    delete_all(&shop, &chief).await;
    assert_eq!(shop.rows("directus_users").await.len(), 1);
    let last = shop.last().await["id"].as_str().unwrap().to_owned();
    let options = RevertOptions::default();
    shop.engine
        .revert(&chief, RevertTarget::Changes(vec![last]), &options)
        .await
        .unwrap();
    assert_eq!(shop.rows("directus_users").await.len(), 2);
}
