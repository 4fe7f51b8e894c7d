//! System collections through the same functions.

use std::sync::{Arc, Mutex};

use loggia_engine::items::{Selection, WriteOptions};
use serde_json::{Value, json};

use super::newspaper::{ADMIN, all_fields, newspaper, record};
use crate::fixture::{refused, secret};

const ADMINS: &str = "22222222-2222-4222-8222-222222222222";
const ROLE: &str = "33333333-3333-4333-8333-333333333333";

#[tokio::test]
async fn users_are_made_with_their_secrets_hashed() {
    let paper = newspaper().await;
    let row = json!({"email": " Eve@Example.com ", "password": "correct horse", "token": "0123456789abcdef"});
    let made = paper.create("directus_users", row).await.unwrap();
    assert_eq!(made.rows[0]["email"], "eve@example.com");
    assert_eq!(made.rows[0]["password"], "**********");
    assert_eq!(made.rows[0]["token"], "**********");
    assert_eq!(made.rows[0]["status"], "active");
    assert_eq!(made.receipt.coerced[0].path, "email");
    assert!(
        secret(&paper.engine, "directus_users", "password")
            .await
            .contains(&json!("hashed:correct horse"))
    );
    assert!(
        secret(&paper.engine, "directus_users", "token")
            .await
            .contains(&json!("fingerprint:0123456789abcdef"))
    );
    let told = format!("{:?}", made.receipt);
    assert!(!told.contains("horse") && !told.contains("0123456789"), "{told}");
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({"email": "eve"}), &["FAILED_VALIDATION email"]),
        (json!({"email": "EVE@example.com"}), &["RECORD_NOT_UNIQUE email"]),
        (
            json!({"status": "gone", "token": "short"}),
            &["FAILED_VALIDATION status", "FAILED_VALIDATION token"],
        ),
        (json!({"role": ROLE}), &["INVALID_FOREIGN_KEY role"]),
        (json!({"mail": "x@example.com"}), &["INVALID_PAYLOAD mail"]),
    ];
    for (row, expect) in cases {
        assert_eq!(
            refused(paper.create("directus_users", row.clone()).await),
            expect,
            "{row}"
        );
    }
    paper
        .create("directus_users", json!([{"email": null}, {"first_name": "Bot"}]))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let paper = newspaper().await;
    let no_one = "UNPROCESSABLE_CONTENT ";
    let policy = json!({"id": ADMINS, "name": "Administrators", "admin_access": true});
    // Nobody is one yet: whoever changes users must make somebody one at once.
    let title = json!({"title": "Chief"});
    assert_eq!(
        refused(paper.update("directus_users", json!([ADMIN]), title).await),
        [no_one]
    );
    let everything = json!({"id": ADMIN, "policies": [{"policy": policy}]});
    paper
        .update("directus_users", json!([ADMIN]), everything)
        .await
        .unwrap();
    assert_eq!(
        refused(
            paper
                .update("directus_users", json!([ADMIN]), json!({"status": "suspended"}))
                .await
        ),
        [no_one]
    );
    assert_eq!(
        refused(
            paper
                .update("directus_users", json!([ADMIN]), json!({"policies": []}))
                .await
        ),
        [no_one]
    );
    assert_eq!(
        refused(paper.delete("directus_users", json!([ADMIN])).await),
        [no_one]
    );
    assert_eq!(
        refused(paper.delete("directus_policies", json!([ADMINS])).await),
        [no_one]
    );
    assert_eq!(
        refused(
            paper
                .update(
                    "directus_policies",
                    json!([ADMINS]),
                    json!({"admin_access": false})
                )
                .await
        ),
        [no_one]
    );
    // A second one, by a role whose parent has the policy.
    let role = json!({"id": ROLE, "name": "Editors", "parent": {"name": "Chiefs", "policies": [{"policy": ADMINS}]}});
    paper.create("directus_roles", role).await.unwrap();
    paper
        .create(
            "directus_users",
            json!({"email": "bob@example.com", "role": ROLE}),
        )
        .await
        .unwrap();
    paper
        .update("directus_users", json!([ADMIN]), json!({"status": "suspended"}))
        .await
        .unwrap();
    assert_eq!(
        refused(
            paper
                .update("directus_roles", json!([ROLE]), json!({"parent": null}))
                .await
        ),
        [no_one]
    );
    assert_eq!(
        refused(
            paper
                .update("directus_roles", json!([ROLE]), json!({"parent": ROLE}))
                .await
        ),
        ["UNPROCESSABLE_CONTENT parent"]
    );
}

#[tokio::test]
async fn permissions_name_what_exists() {
    let paper = newspaper().await;
    let policy = loggia_model::system::PUBLIC_POLICY;
    let row = |more: Value| {
        let mut row = json!({"policy": policy, "collection": "articles", "action": "read", "fields": ["*"], "permissions": {}});
        row.as_object_mut().unwrap().extend(record(more));
        row
    };
    paper
        .create(
            "directus_permissions",
            row(json!({"fields": ["title", "author"], "permissions": {"status": {"_eq": "published"}}})),
        )
        .await
        .unwrap();
    paper
        .create(
            "directus_permissions",
            row(json!({"collection": "directus_flows", "validation": null})),
        )
        .await
        .unwrap();
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({"action": "reed"}), &["FAILED_VALIDATION action"]),
        (
            json!({"fields": ["title", "titel"]}),
            &["INVALID_PAYLOAD fields[1]"],
        ),
        (
            json!({"permissions": {"stats": 1}}),
            &["FORBIDDEN permissions.stats"],
        ),
        (json!({"permissions": [1]}), &["INVALID_PAYLOAD permissions"]),
        (json!({"policy": null}), &["FAILED_VALIDATION policy"]),
    ];
    for (more, expect) in cases {
        assert_eq!(
            refused(paper.create("directus_permissions", row(more.clone())).await),
            expect,
            "{more}"
        );
    }
}

#[tokio::test]
async fn settings_are_one_row_that_everybody_sees_changed() {
    let paper = newspaper().await;
    assert!(!paper.engine.settings().mcp_enabled());
    let data = record(json!({"mcp_enabled": true, "project_name": "Paper"}));
    paper
        .engine
        .upsert_singleton(&paper.admin, "directus_settings", data, &all_fields())
        .await
        .unwrap();
    assert!(paper.engine.settings().mcp_enabled());
    assert_eq!(
        refused(paper.delete("directus_settings", json!([1])).await),
        ["UNPROCESSABLE_CONTENT "]
    );
    let public = Selection::Keys(vec![json!(loggia_model::system::PUBLIC_POLICY)]);
    let gone = paper
        .engine
        .delete_items(
            &paper.admin,
            "directus_policies",
            public,
            &WriteOptions::default(),
        )
        .await;
    assert_eq!(refused(gone), ["UNPROCESSABLE_CONTENT "]);
}

#[tokio::test]
async fn metadata_and_records_are_not_written_as_items() {
    let paper = newspaper().await;
    for (collection, row) in [
        ("directus_collections", json!({"collection": "x"})),
        ("directus_fields", json!({"collection": "articles", "field": "x"})),
        (
            "directus_relations",
            json!({"many_collection": "articles", "many_field": "x"}),
        ),
        ("directus_sessions", json!({"token": "x"})),
        ("directus_activity", json!({"action": "x"})),
        ("directus_revisions", json!({"item": "x"})),
    ] {
        assert_eq!(
            refused(paper.create(collection, row).await),
            ["FORBIDDEN "],
            "{collection}"
        );
    }
}

/// Remembers what it was told.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl loggia_engine::Listener for Ear {
    fn changed(&self, collection: &str, keys: &[Value]) {
        self.0
            .lock()
            .unwrap()
            .push(format!("{collection} {}", keys.len()));
    }
}

#[tokio::test]
async fn changes_of_system_collections_are_told_after_the_commit() {
    let ear = Arc::new(Ear::default());
    let engine = crate::fixture::engine_heard_by(vec![ear.clone()]).await;
    let admin = crate::fixture::administrator();
    let options = WriteOptions::default();
    let row =
        record(json!({"name": "Chiefs", "users": [{"email": "a@example.com"}, {"email": "b@example.com"}]}));
    engine
        .create_items(&admin, "directus_roles", vec![row], &options)
        .await
        .unwrap();
    assert_eq!(*ear.0.lock().unwrap(), ["directus_roles 1", "directus_users 2"]);
    // What is refused is not told.
    let row = record(json!({"email": "a@example.com"}));
    engine
        .create_items(&admin, "directus_users", vec![row], &options)
        .await
        .unwrap_err();
    assert_eq!(ear.0.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_policy_counts_from_addresses_that_can_be_read() {
    let paper = newspaper().await;
    let policy = |entries: Value| json!({"name": "Office", "ip_access": entries});
    for entries in [
        json!(["10.0.0.1", "10.0.0.0/8"]),
        json!("fd00::/8,10.0.0.1-10.0.0.9"),
        json!(null),
        json!([]),
    ] {
        paper.create("directus_policies", policy(entries)).await.unwrap();
    }
    for (entries, path) in [
        (json!(["10.0.0.1", "office"]), "[1]"),
        (json!("10.0.0.0/99"), "[0]"),
    ] {
        assert_eq!(
            refused(paper.create("directus_policies", policy(entries)).await),
            [format!("FAILED_VALIDATION ip_access{path}")]
        );
    }
}
