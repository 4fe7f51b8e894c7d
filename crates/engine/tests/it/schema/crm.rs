//! The model of a small CRM, as an assistant would make it in one conversation.

use loggia_model::Link;
use serde_json::{Value, json};

use crate::fixture::{administrator, column, engine, insert};

#[tokio::test]
async fn organizations_contacts_deals_stages_and_activities() {
    let (engine, admin) = (engine().await, administrator());
    let key = || json!({"field": "id", "type": "uuid", "schema": {"is_primary_key": true}, "meta": {"special": ["uuid"], "hidden": true}});
    let made = json!([
        {"collection": "crm", "schema": null, "meta": {"icon": "handshake"}},
        {"collection": "organizations", "schema": {}, "meta": {"group": "crm", "display_template": "{{name}}"}, "fields": [
            key(),
            {"field": "name", "type": "string", "meta": {"required": true}, "schema": {"is_nullable": false}},
            {"field": "website", "type": "string"},
        ]},
        {"collection": "contacts", "schema": {}, "meta": {"group": "crm"}, "fields": [
            key(),
            {"field": "first_name", "type": "string"},
            {"field": "email", "type": "string", "schema": {"is_unique": true}},
        ]},
        {"collection": "organizations_contacts", "schema": {}, "meta": {"hidden": true}, "fields": [
            {"field": "organizations_id", "type": "uuid", "meta": {"hidden": true}},
            {"field": "contacts_id", "type": "uuid", "meta": {"hidden": true}},
        ]},
        {"collection": "deal_stages", "schema": {}, "meta": {"group": "crm", "sort_field": "sort"}, "fields": [
            key(),
            {"field": "name", "type": "string"},
            {"field": "sort", "type": "integer"},
        ]},
        {"collection": "deals", "schema": {}, "meta": {"group": "crm"}, "fields": [
            key(),
            {"field": "name", "type": "string"},
            {"field": "value", "type": "decimal", "schema": {"numeric_precision": 12, "numeric_scale": 2}},
            {"field": "close_date", "type": "date"},
        ]},
        {"collection": "activities", "schema": {}, "meta": {"group": "crm"}, "fields": [
            key(),
            {"field": "kind", "type": "string", "meta": {"options": {"choices": [{"text": "Call", "value": "call"}, {"text": "Mail", "value": "mail"}]}}},
            {"field": "due", "type": "timestamp", "schema": {"default_value": "now()"}},
        ]},
    ]);
    engine
        .create_collections(&admin, made.as_array().unwrap().clone())
        .await
        .unwrap();
    let relations = [
        (
            "organizations_contacts",
            "organizations_id",
            "organizations",
            json!({"one_field": "contacts", "junction_field": "contacts_id", "one_deselect_action": "delete"}),
            "CASCADE",
        ),
        (
            "organizations_contacts",
            "contacts_id",
            "contacts",
            json!({"one_field": "organizations", "junction_field": "organizations_id", "one_deselect_action": "delete"}),
            "CASCADE",
        ),
        (
            "deals",
            "stage",
            "deal_stages",
            json!({"one_field": "deals"}),
            "SET NULL",
        ),
        (
            "deals",
            "organization",
            "organizations",
            json!({"one_field": "deals"}),
            "SET NULL",
        ),
        (
            "deals",
            "contact",
            "contacts",
            json!({"one_field": "deals"}),
            "SET NULL",
        ),
        (
            "deals",
            "owner",
            "directus_users",
            json!({"one_field": "deals"}),
            "SET NULL",
        ),
        (
            "activities",
            "deal",
            "deals",
            json!({"one_field": "activities"}),
            "CASCADE",
        ),
        (
            "activities",
            "contact",
            "contacts",
            json!({"one_field": "activities"}),
            "SET NULL",
        ),
        ("contacts", "owner", "directus_users", json!({}), "SET NULL"),
    ];
    for (collection, field, related, meta, on_delete) in relations {
        let body = json!({"collection": collection, "field": field, "related_collection": related, "meta": meta, "schema": {"on_delete": on_delete}});
        engine
            .create_complete_relation(&admin, body)
            .await
            .unwrap_or_else(|error| panic!("{collection}.{field}: {error}"));
    }
    let schema = engine.schema();
    for (collection, field) in [
        ("organizations", "contacts"),
        ("contacts", "organizations"),
        ("deal_stages", "deals"),
        ("directus_users", "deals"),
        ("deals", "activities"),
    ] {
        assert!(
            matches!(schema.link(collection, field), Some(Link::ToMany { .. })),
            "{collection}.{field}"
        );
        assert!(
            schema
                .collection(collection)
                .unwrap()
                .field(field)
                .unwrap()
                .is_alias()
        );
    }
    let stage = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    let deal = "3fa85f64-5717-4562-b3fc-2c963f66afa7";
    insert(
        &engine,
        "deal_stages",
        &[json!({"id": stage, "name": "Won", "sort": 1})],
    )
    .await;
    insert(
        &engine,
        "deals",
        &[json!({"id": deal, "name": "Big", "value": "1000.50", "stage": stage})],
    )
    .await;
    insert(
        &engine,
        "activities",
        &[json!({"id": deal, "kind": "call", "deal": deal})],
    )
    .await;
    assert_eq!(
        column(&engine, "deals", "value").await[0].to_string(),
        "\"1000.50\"".replace('"', "")
    );
    assert_eq!(
        column(&engine, "activities", "due").await,
        ["2026-11-21T12:00:00.000Z"]
    );

    let snapshot = engine.schema_snapshot(&admin).unwrap();
    assert_eq!(snapshot["collections"].as_array().unwrap().len(), 7);
    assert_eq!(snapshot["relations"].as_array().unwrap().len(), 9);
    assert!(
        snapshot["fields"]
            .as_array()
            .unwrap()
            .iter()
            .any(|field| { field["collection"] == "directus_users" && field["field"] == "deals" })
    );
    assert_eq!(snapshot["relations"][0]["meta"].get("id"), None::<&Value>);
}
