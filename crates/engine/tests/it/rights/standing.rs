//! Who is an administrator is the business of administrators.

use loggia_access::IpAccess;
use serde_json::{Value, json};

use super::desk::{BOB, Desk, desk};
use crate::fixture::{administrator, established, insert, policy_with, refused};
use crate::items::newspaper::ADMIN;

const CAROL: &str = "33333333-3333-4333-8333-333333333333";

/// Somebody who may do everything that can be granted on users and roles; Carol is a user like others. Answers the
/// role that makes administrators as well.
async fn keeper() -> (Desk, String) {
    let desk = desk(json!([
        {"collection": "directus_users", "action": ["read", "create", "update", "delete"]},
        {"collection": "directus_roles", "action": ["read", "create", "update", "delete"]},
        {"collection": "directus_policies", "action": ["read", "create", "update", "delete"]},
        {"collection": "directus_permissions", "action": ["read", "create", "update", "delete"]},
        {"collection": "directus_access", "action": ["read", "create", "update", "delete"]},
    ]))
    .await;
    for (id, email) in [(BOB, "bob@example.com"), (CAROL, "carol@example.com")] {
        insert(
            desk.engine(),
            "directus_users",
            &[json!({"id": id, "email": email, "status": "active"})],
        )
        .await;
    }
    let role = "44444444-4444-4444-8444-444444444444".to_owned();
    insert(
        desk.engine(),
        "directus_roles",
        &[json!({"id": role, "name": "Chiefs"})],
    )
    .await;
    let policy = policy_with(
        desk.engine(),
        json!({"name": "All", "admin_access": true}),
        json!([]),
    )
    .await;
    let access = json!({"id": "55555555-5555-4555-8555-555555555555", "policy": policy, "role": role});
    insert(desk.engine(), "directus_access", &[access]).await;
    (desk, role)
}

#[tokio::test]
async fn nobody_else_makes_or_changes_an_administrator() {
    let (desk, role) = keeper().await;
    desk.update("directus_users", json!([CAROL]), json!({"title": "Editor"}))
        .await
        .unwrap();
    let made = desk
        .create("directus_roles", json!({"name": "Readers"}))
        .await
        .unwrap();
    let readers = made.keys[0].clone();
    desk.update("directus_users", json!([CAROL]), json!({"role": readers}))
        .await
        .unwrap();
    let no = |told: Vec<String>| assert!(told.iter().all(|told| told.starts_with("FORBIDDEN")), "{told:?}");
    no(refused(
        desk.update("directus_users", json!([ADMIN]), json!({"password": "x"}))
            .await,
    ));
    no(refused(
        desk.update("directus_users", json!([ADMIN]), json!({"status": "suspended"}))
            .await,
    ));
    no(refused(desk.delete("directus_users", json!([ADMIN])).await));
    no(refused(
        desk.update("directus_users", json!([CAROL]), json!({"role": role}))
            .await,
    ));
    no(refused(
        desk.update("directus_users", json!([BOB]), json!({"role": role}))
            .await,
    ));
    no(refused(
        desk.create(
            "directus_users",
            json!({"email": "new@example.com", "role": role}),
        )
        .await,
    ));
    no(refused(
        desk.update("directus_roles", json!([readers]), json!({"parent": role}))
            .await,
    ));
    no(refused(
        desk.create("directus_roles", json!({"name": "Sly", "parent": role}))
            .await,
    ));
    no(refused(
        desk.update("directus_roles", json!([role]), json!({"name": "Renamed"}))
            .await,
    ));
    no(refused(
        desk.update(
            "directus_roles",
            json!([readers]),
            json!({"users": [{"id": ADMIN, "title": "x"}]}),
        )
        .await,
    ));
    // What makes administrators cannot be granted at all.
    for collection in ["directus_policies", "directus_permissions", "directus_access"] {
        no(refused(desk.create(collection, json!({"name": "x"})).await));
        no(refused(desk.delete(collection, json!([1])).await));
    }
    // Nor does it work from inside a user.
    let sly = json!({"policies": {"create": [{"policy": {"name": "Sly", "admin_access": true}}]}});
    assert!(!refused(desk.update("directus_users", json!([CAROL]), sly).await).is_empty());
    let users = desk
        .rows(
            "directus_users",
            json!({"filter": {"status": "active"}, "fields": ["id"]}),
        )
        .await;
    assert_eq!(users.as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn an_administrator_does_not_shut_themselves_out() {
    let desk = desk(json!([])).await;
    let admins = desk
        .paper
        .rows("directus_access", json!({"filter": {"user": ADMIN}}))
        .await[0]["policy"]
        .clone();
    let mut claims = administrator().claims().clone();
    claims.ip = Some("10.0.0.5".parse().unwrap());
    let change = |ip_access: Value, claims: loggia_access::Claims| {
        let (engine, key) = (desk.engine().clone(), admins.clone());
        async move {
            let target = loggia_engine::items::Target::Keys {
                keys: vec![key],
                data: json!({"ip_access": ip_access}).as_object().unwrap().clone(),
            };
            let options = loggia_engine::items::WriteOptions::default();
            engine
                .update_items(&established(claims), "directus_policies", target, &options)
                .await
        }
    };
    assert_eq!(
        refused(change(json!(["192.168.0.1"]), claims.clone()).await),
        ["UNPROCESSABLE_CONTENT ip_access"]
    );
    change(json!(["10.0.0.0/8"]), claims.clone()).await.unwrap();
    change(json!(null), claims).await.unwrap();
    assert!(IpAccess::read(["10.0.0.0/8"]).is_some());
}
