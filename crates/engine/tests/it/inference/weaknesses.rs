//! Weaknesses that other systems are known for, tried here.

use loggia_access::Caller;
use loggia_engine::Engine;
use loggia_engine::items::{Deletes, Selection, Target, WriteOptions, Written};
use loggia_model::{Query, Record};
use serde_json::{Value, json};

use crate::fixture::{administrator, column, engine, holder, insert, permit, policy, refused};

const OWNER: &str = "88888888-8888-4888-8888-000000000001";
const CHIEF: &str = "88888888-8888-4888-8888-000000000002";

/// Documents with an owner, a locale and a status; their owner may do what these permissions say.
async fn documents(permissions: Value) -> (Engine, Caller) {
    let (engine, admin) = (engine().await, administrator());
    let text = |name: &str| json!({"field": name, "type": "string"});
    let documents = json!([{"collection": "documents", "schema": {}, "meta": {}, "fields": [
        text("title"), text("locale"), text("status"), text("private"),
        {"field": "owner", "type": "uuid"}, {"field": "parent", "type": "integer"},
    ]}]);
    engine
        .create_collections(&admin, documents.as_array().unwrap().clone())
        .await
        .unwrap();
    for (field, one, alias) in [
        ("owner", "directus_users", Value::Null),
        ("parent", "documents", json!("parts")),
    ] {
        let body = json!({"collection": "documents", "field": field, "related_collection": one,
            "meta": {"one_field": alias, "one_deselect_action": "delete"}, "schema": {"on_delete": "SET NULL"}});
        engine.create_complete_relation(&admin, body).await.unwrap();
    }
    let users = [
        json!({"id": OWNER, "email": "owner@example.com", "status": "active"}),
        json!({"id": CHIEF, "email": "chief@example.com", "status": "active"}),
    ];
    insert(&engine, "directus_users", &users).await;
    let rows = [
        json!({"id": 1, "title": "mine", "locale": "fr", "status": "draft", "private": "b", "owner": OWNER}),
        json!({"id": 2, "title": "theirs", "locale": "en", "status": "draft", "private": "a", "owner": CHIEF}),
        json!({"id": 3, "title": "part", "locale": "fr", "status": "draft", "owner": OWNER, "parent": 1}),
        json!({"id": 4, "title": "part of a part", "locale": "fr", "status": "draft", "owner": OWNER, "parent": 3}),
    ];
    insert(&engine, "documents", &rows).await;
    let key = policy(&engine, permissions).await;
    (engine, holder(OWNER, &[&[&key]]))
}

fn record(value: Value) -> Record {
    value.as_object().unwrap().clone()
}

async fn create(engine: &Engine, caller: &Caller, row: Value) -> Result<Written, loggia_engine::Error> {
    engine
        .create_items(caller, "documents", vec![record(row)], &WriteOptions::default())
        .await
}

async fn update(
    engine: &Engine,
    caller: &Caller,
    key: i64,
    data: Value,
) -> Result<Written, loggia_engine::Error> {
    let target = Target::Keys {
        keys: vec![key.into()],
        data: record(data),
    };
    engine
        .update_items(caller, "documents", target, &WriteOptions::default())
        .await
}

#[tokio::test]
async fn leaving_out_the_locale_does_not_create_in_another_one() {
    let (engine, caller) =
        documents(json!([{"collection": "documents", "action": ["create", "update"], "locales": ["fr"]}]))
            .await;
    create(&engine, &caller, json!({"title": "new"})).await.unwrap();
    assert_eq!(
        column(&engine, "documents", "locale").await.last(),
        Some(&json!("fr"))
    );
    for locale in [json!("en"), Value::Null] {
        let before = column(&engine, "documents", "locale").await;
        refused(create(&engine, &caller, json!({"title": "new", "locale": locale})).await);
        refused(update(&engine, &caller, 1, json!({"locale": locale})).await);
        assert_eq!(column(&engine, "documents", "locale").await, before);
    }
    // Nor does an update reach a document of another locale.
    refused(update(&engine, &caller, 2, json!({"title": "taken"})).await);
    assert_eq!(column(&engine, "documents", "title").await[1], "theirs");
}

#[tokio::test]
async fn where_several_locales_are_allowed_one_must_be_given() {
    let (engine, caller) =
        documents(json!([{"collection": "documents", "action": ["create"], "locales": ["fr", "de"]}])).await;
    refused(create(&engine, &caller, json!({"title": "new"})).await);
    create(&engine, &caller, json!({"title": "new", "locale": "de"}))
        .await
        .unwrap();
    assert_eq!(
        column(&engine, "documents", "locale").await.last(),
        Some(&json!("de"))
    );
}

#[tokio::test]
async fn nothing_is_sorted_by_what_may_not_be_read() {
    let (engine, caller) = documents(
        json!([{"collection": "documents", "action": "read", "fields": ["title", "parent", "parts"]}]),
    )
    .await;
    for sort in [
        "private",
        "-private",
        "parent.private",
        "owner.email",
        "year(private)",
        "title,private",
    ] {
        let query = Query::from_json(&json!({ "sort": sort })).unwrap();
        let problems = refused(engine.read_items(&caller, "documents", query).await);
        assert!(
            problems.iter().all(|problem| problem.starts_with("FORBIDDEN")),
            "{sort}: {problems:?}"
        );
    }
}

#[tokio::test]
async fn who_may_publish_only_their_own_documents_can_publish_those() {
    let own = json!({"owner": {"_eq": "$CURRENT_USER"}});
    let (engine, caller) = documents(json!([
        {"collection": "documents", "action": ["read", "update"], "permissions": own, "fields": ["status"]},
    ]))
    .await;
    update(&engine, &caller, 1, json!({"status": "published"}))
        .await
        .unwrap();
    refused(update(&engine, &caller, 2, json!({"status": "published"})).await);
    let status = column(&engine, "documents", "status").await;
    assert_eq!(status, ["published", "draft", "draft", "draft"]);
}

#[tokio::test]
async fn a_permission_with_an_unknown_condition_is_refused_not_loosened() {
    let (engine, caller) = documents(json!([])).await;
    let key = policy(&engine, json!([])).await;
    let before = column(&engine, "directus_permissions", "id").await;
    for condition in [
        json!({"nobody": {"_eq": 1}}),
        json!({"owner": {"_is_me": true}}),
        json!({"owner": {"_eq": "$CURRENT_NOBODY"}}),
        json!({"_xor": [{"title": "a"}]}),
        json!("owner"),
    ] {
        let permission = json!([{"collection": "documents", "action": "read", "permissions": condition}]);
        let saved = permit(&engine, &key, permission).await;
        assert!(saved.is_err(), "{condition} is saved");
    }
    assert_eq!(column(&engine, "directus_permissions", "id").await, before);
    refused(engine.read_items(&caller, "documents", Query::default()).await);
}

#[tokio::test]
async fn private_fields_and_addresses_of_administrators_are_in_no_output() {
    let (engine, caller) = documents(json!([
        {"collection": "documents", "action": ["read", "create", "update"], "fields": ["title", "owner", "parent", "parts"]},
        {"collection": "directus_users", "action": "read", "fields": ["id", "status"]},
    ]))
    .await;
    for fields in [
        json!(["*"]),
        json!(["*.*"]),
        json!(["*", "owner.*", "parts.*.*", "parts.owner.*"]),
    ] {
        let query = Query::from_json(&json!({ "fields": fields })).unwrap();
        let page = engine
            .read_items(&caller, "documents", query.clone())
            .await
            .unwrap();
        let told = format!("{:?}", page.rows);
        assert!(
            !told.contains("private") && !told.contains("@example.com"),
            "{fields}: {told}"
        );
        assert_eq!(page.rows.len(), 4);
        let options = WriteOptions {
            returning: Some(query),
            ..WriteOptions::default()
        };
        let row = record(json!({"title": "mine", "owner": CHIEF}));
        let written = engine
            .create_items(&caller, "documents", vec![row], &options)
            .await
            .unwrap();
        let told = format!("{written:?}");
        assert!(
            !told.contains("private") && !told.contains("@example.com"),
            "{fields}: {told}"
        );
        let keys = Selection::Keys(written.keys);
        engine
            .delete_items(&administrator(), "documents", keys, &WriteOptions::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn no_depth_lies_below_the_guard_of_deletes() {
    let (engine, caller) =
        documents(json!([{"collection": "documents", "action": ["create", "read", "update", "delete"]}]))
            .await;
    let guarded = WriteOptions {
        deletes: Deletes::Refused,
        ..WriteOptions::default()
    };
    let nested = [
        json!({"parts": {"delete": [3]}}),
        json!({"parts": []}),
        json!({"parts": {"update": [{"id": 3, "parts": {"delete": [4]}}]}}),
    ];
    for data in nested {
        let target = Target::Keys {
            keys: vec![json!(1)],
            data: record(data.clone()),
        };
        let done = engine.update_items(&caller, "documents", target, &guarded).await;
        assert!(done.is_err(), "{data}");
        assert_eq!(column(&engine, "documents", "id").await.len(), 4, "{data}");
    }
    // Without the right to delete, no nested delete does it either, whatever the guard says.
    let (engine, caller) =
        documents(json!([{"collection": "documents", "action": ["create", "read", "update"]}])).await;
    for data in [json!({"parts": {"delete": [3]}}), json!({"parts": []})] {
        let done = update(&engine, &caller, 1, data.clone()).await;
        assert!(done.is_err(), "{data}");
        assert_eq!(column(&engine, "documents", "id").await.len(), 4, "{data}");
    }
}
