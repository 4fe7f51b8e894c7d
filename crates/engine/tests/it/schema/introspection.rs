//! Tables that were made by others become collections.

use loggia_model::plan::SchemaStep;
use loggia_model::schema::{Action, Column, ForeignKey};
use loggia_model::{Link, StorageKind};
use serde_json::{Value, json};

use crate::fixture::{administrator, change_tables, column, engine, insert};

fn made_elsewhere() -> Vec<SchemaStep> {
    let column = |name: &str, kind| Column {
        name: name.to_owned(),
        kind,
        ..Column::default()
    };
    let key = || Column {
        nullable: false,
        unique: true,
        primary_key: true,
        ..column("code", StorageKind::String)
    };
    vec![
        SchemaStep::CreateTable {
            table: "countries".to_owned(),
            columns: vec![key(), column("population", StorageKind::BigInteger)],
            foreign_keys: Vec::new(),
        },
        SchemaStep::CreateTable {
            table: "cities".to_owned(),
            columns: vec![key(), column("country", StorageKind::String)],
            foreign_keys: vec![ForeignKey {
                column: "country".to_owned(),
                foreign_table: "countries".to_owned(),
                foreign_column: "code".to_owned(),
                on_update: Action::NoAction,
                on_delete: Action::Cascade,
            }],
        },
    ]
}

#[tokio::test]
async fn tables_made_elsewhere_become_collections() {
    let (engine, admin) = (engine().await, administrator());
    change_tables(&engine, made_elsewhere()).await;
    assert!(engine.schema().collection("cities").is_none());
    let schema = engine.refresh_schema().await.unwrap();
    let cities = schema.collection("cities").unwrap();
    assert_eq!(cities.primary.as_ref().unwrap().name, "code");
    assert!(matches!(
        schema.link("cities", "country"),
        Some(Link::ToOne { .. })
    ));
    let shown = engine.read_collection(&admin, "cities").unwrap();
    assert_eq!(
        (&shown["meta"], &shown["schema"]["name"]),
        (&Value::Null, &json!("cities"))
    );
    let relation = engine.read_relation(&admin, "cities", "country").unwrap();
    assert_eq!(relation["meta"], Value::Null);
    assert_eq!(relation["schema"]["on_delete"], "CASCADE");
    let population = engine.read_field(&admin, "countries", "population").unwrap();
    assert_eq!(
        (&population["type"], &population["meta"]),
        (&json!("bigInteger"), &Value::Null)
    );
    insert(
        &engine,
        "countries",
        &[json!({"code": "NZ", "population": 5_000_000})],
    )
    .await;
    assert_eq!(
        column(&engine, "countries", "population").await,
        [json!(5_000_000)]
    );
}

#[tokio::test]
async fn they_can_be_configured_extended_and_deleted() {
    let (engine, admin) = (engine().await, administrator());
    change_tables(&engine, made_elsewhere()).await;
    engine.refresh_schema().await.unwrap();
    let configured = engine
        .update_collection(&admin, "cities", json!({"meta": {"icon": "location_city"}}))
        .await
        .unwrap();
    assert_eq!(configured["meta"]["icon"], "location_city");
    assert_eq!(configured["meta"]["accountability"], "all");
    let field = engine
        .update_field(
            &admin,
            "countries",
            "population",
            json!({"meta": {"note": "People"}}),
        )
        .await
        .unwrap();
    assert_eq!(field["meta"]["note"], "People");
    let relation = json!({"collection": "cities", "field": "country", "related_collection": "countries", "meta": {"one_field": "cities"}});
    let made = engine.create_complete_relation(&admin, relation).await.unwrap();
    assert_eq!(made["meta"]["one_field"], "cities");
    engine
        .create_field(&admin, "cities", json!({"field": "mayor", "type": "string"}))
        .await
        .unwrap();
    engine.delete_collection(&admin, "countries").await.unwrap();
    assert_eq!(
        engine.read_field(&admin, "cities", "country").unwrap()["schema"]["foreign_key_table"],
        Value::Null
    );
}

#[tokio::test]
async fn metadata_without_its_table_is_left_out() {
    let (engine, admin) = (engine().await, administrator());
    let body = json!({"collection": "posts", "fields": [{"field": "author", "type": "uuid"}]});
    engine.create_collections(&admin, vec![body]).await.unwrap();
    let relation = json!({"collection": "posts", "field": "author", "related_collection": "directus_users"});
    engine.create_relation(&admin, relation).await.unwrap();
    change_tables(
        &engine,
        vec![SchemaStep::DropTable {
            table: "posts".to_owned(),
        }],
    )
    .await;
    let schema = engine.refresh_schema().await.unwrap();
    assert!(
        schema
            .relations
            .iter()
            .all(|relation| relation.many_collection != "posts")
    );
    // What is left is a row without a table: a folder, which can be deleted.
    engine.delete_collection(&admin, "posts").await.unwrap();
    assert!(engine.schema().collection("posts").is_none());
    engine
        .create_collections(&admin, vec![json!({"collection": "posts", "schema": {}})])
        .await
        .unwrap();
    assert_eq!(
        engine.list_fields(&admin, Some("posts")).unwrap().len(),
        1,
        "nothing of the old one comes back"
    );
}
