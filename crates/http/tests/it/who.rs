//! What changes about a user counts on the very next request, whichever door it came through.

use loggia_testkit::{ADMIN_PASSWORD, Client, TestApp};
use serde_json::{Value, json};

use crate::parrot::start;

const EMAIL: &str = "someone@example.com";
const TOKEN: &str = "someones-own-static-token";

async fn id(app: &TestApp) -> String {
    let found = app
        .get(&format!("/users?filter[email][_eq]={EMAIL}&fields=id"))
        .await;
    found.data()[0]["id"].as_str().unwrap().to_owned()
}

async fn change(app: &TestApp, change: Value) {
    let answer = app.patch(&format!("/users/{}", id(app).await), change).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// What a client is: refused with a code, somebody, or an administrator.
async fn standing(client: &Client) -> String {
    let health = client.get("/server/health").await;
    match health.codes().first() {
        Some(code) => (*code).to_owned(),
        None if health.body.get("checks").is_some() => "administrator".to_owned(),
        None => "somebody".to_owned(),
    }
}

#[tokio::test]
async fn a_suspended_user_is_out_and_may_come_back() {
    let app = start().await;
    let someone = app.user(EMAIL, TOKEN).await;
    let login = json!({"email": EMAIL, "password": ADMIN_PASSWORD});
    let signed_in = app.anonymous().post("/auth/login", login.clone()).await;
    let signed_in = someone.with_token(signed_in.data()["access_token"].as_str().unwrap());
    for status in ["suspended", "archived", "draft", "invited", "unverified"] {
        assert_eq!(standing(&someone).await, "somebody");
        assert_eq!(standing(&signed_in).await, "somebody");
        change(&app, json!({"status": status})).await;
        assert_eq!(standing(&someone).await, "INVALID_CREDENTIALS", "{status}");
        assert_eq!(standing(&signed_in).await, "INVALID_CREDENTIALS", "{status}");
        let refused = app.anonymous().post("/auth/login", login.clone()).await;
        assert_eq!(refused.refusal(), (401, "USER_SUSPENDED"), "{status}");
        change(&app, json!({"status": "active"})).await;
    }
}

#[tokio::test]
async fn a_new_token_or_password_replaces_the_old_one() {
    let app = start().await;
    let someone = app.user(EMAIL, TOKEN).await;
    assert_eq!(standing(&someone).await, "somebody");
    let login = |password: &str| json!({"email": EMAIL, "password": password});
    let session = app.anonymous().post("/auth/login", login(ADMIN_PASSWORD)).await;
    let session = someone.with_token(session.data()["access_token"].as_str().unwrap());
    assert_eq!(standing(&session).await, "somebody");
    let next = "another-static-token-of-theirs";
    change(&app, json!({"token": next, "password": "another password"})).await;
    assert_eq!(
        standing(&session).await,
        "INVALID_CREDENTIALS",
        "sessions of the old password end"
    );
    assert_eq!(standing(&someone).await, "INVALID_CREDENTIALS");
    assert_eq!(standing(&someone.with_token(next)).await, "somebody");
    let old = app.anonymous().post("/auth/login", login(ADMIN_PASSWORD)).await;
    assert_eq!(old.refusal(), (401, "INVALID_CREDENTIALS"));
    assert_eq!(
        app.anonymous()
            .post("/auth/login", login("another password"))
            .await
            .status,
        200
    );
    let shown = app
        .get(&format!("/users/{}?fields=token,password", id(&app).await))
        .await;
    assert_eq!(
        shown.data(),
        &json!({"token": "**********", "password": "**********"})
    );
    change(&app, json!({"token": "**********"})).await;
    assert_eq!(
        standing(&someone.with_token(next)).await,
        "somebody",
        "the mask leaves the secret as it is"
    );
    change(&app, json!({"token": null})).await;
    assert_eq!(standing(&someone.with_token(next)).await, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn a_new_address_ends_the_sessions_of_the_old_one() {
    let app = start().await;
    let someone = app.user(EMAIL, TOKEN).await;
    let user = id(&app).await;
    let own = json!([{"collection": "directus_users", "action": ["read", "update"], "fields": ["id", "email"],
        "permissions": {"id": {"_eq": "$CURRENT_USER"}}}]);
    let policy = app.policy(json!({"permissions": own})).await;
    let access = app.post("/access", json!({"user": user, "policy": policy})).await;
    assert_eq!(access.status, 200, "{}", access.text);
    let sign_in = async |email: &str| {
        let login = json!({"email": email, "password": ADMIN_PASSWORD});
        let session = app.anonymous().post("/auth/login", login).await;
        someone.with_token(session.data()["access_token"].as_str().unwrap())
    };
    // Where somebody changes their own address they stay signed in, and nowhere else.
    let (here, there) = (sign_in(EMAIL).await, sign_in(EMAIL).await);
    let changed = here.patch("/users/me", json!({"email": "new@example.com"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(standing(&here).await, "somebody");
    assert_eq!(standing(&there).await, "INVALID_CREDENTIALS");
    // What does not change ends nothing; and an address that comes back ends all of them.
    let same = json!({"email": "New@example.com", "title": "Dr"});
    app.patch(&format!("/users/{user}"), same).await;
    assert_eq!(standing(&here).await, "somebody");
    let change = changed.header("loggia-change");
    let reverted = app.post(&format!("/changes/{change}/revert"), json!({})).await;
    assert_eq!(reverted.status, 200, "{}", reverted.text);
    assert_eq!(standing(&here).await, "INVALID_CREDENTIALS");
    assert_eq!(standing(&sign_in(EMAIL).await).await, "somebody");
}

#[tokio::test]
async fn rights_come_and_go_with_policies_and_roles() {
    let app = start().await;
    let someone = app.user(EMAIL, TOKEN).await;
    assert_eq!(standing(&someone).await, "somebody");
    let policy = app
        .post("/policies", json!({"name": "All", "admin_access": true}))
        .await;
    let policy = policy.data()["id"].clone();
    let user = id(&app).await;
    let access = app.post("/access", json!({"user": user, "policy": policy})).await;
    let access = access.data()["id"].as_str().unwrap().to_owned();
    assert_eq!(standing(&someone).await, "administrator");
    app.delete(&format!("/access/{access}")).await;
    assert_eq!(standing(&someone).await, "somebody");

    let parent = app.post("/roles", json!({"name": "Parent"})).await.data()["id"].clone();
    let child = app
        .post("/roles", json!({"name": "Child", "parent": parent}))
        .await
        .data()["id"]
        .clone();
    change(&app, json!({"role": child})).await;
    assert_eq!(standing(&someone).await, "somebody");
    app.post("/access", json!({"role": parent, "policy": policy}))
        .await;
    assert_eq!(standing(&someone).await, "administrator");
    let path = format!("/policies/{}", policy.as_str().unwrap());
    assert_eq!(
        app.patch(&path, json!({"ip_access": ["10.0.0.0/8"]}))
            .await
            .status,
        200
    );
    assert_eq!(standing(&someone).await, "somebody", "not from this address");
    assert_eq!(
        app.patch(&path, json!({"ip_access": ["127.0.0.1"]})).await.status,
        200
    );
    assert_eq!(standing(&someone).await, "administrator");
    assert_eq!(app.patch(&path, json!({"admin_access": false})).await.status, 200);
    assert_eq!(standing(&someone).await, "somebody");
}

#[tokio::test]
async fn a_deleted_user_is_nobody() {
    let app = start().await;
    let someone = app.user(EMAIL, TOKEN).await;
    assert_eq!(standing(&someone).await, "somebody");
    let deleted = app.delete(&format!("/users/{}", id(&app).await)).await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    assert_eq!(standing(&someone).await, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn the_switch_of_the_mcp_server_works_at_once() {
    let app = start().await;
    let off = app.patch("/settings", json!({"mcp_enabled": false})).await;
    assert_eq!(off.status, 200, "{}", off.text);
    assert_eq!(app.mcp("ping", json!({})).await.status, 403);
    app.patch("/settings", json!({"mcp_enabled": true})).await;
    assert_eq!(app.mcp("ping", json!({})).await.status, 200);
}

#[tokio::test]
async fn a_password_policy_counts_for_new_passwords() {
    let app = start().await;
    app.user(EMAIL, TOKEN).await;
    app.patch("/settings", json!({"auth_password_policy": "/^.{8,}$/"}))
        .await;
    let path = format!("/users/{}", id(&app).await);
    let refused = app.patch(&path, json!({"password": "short"})).await;
    assert_eq!(refused.refusal(), (400, "FAILED_VALIDATION"));
    assert_eq!(refused.body["errors"][0]["extensions"]["path"], "password");
    assert_eq!(
        app.patch(&path, json!({"password": "long enough"})).await.status,
        200
    );
}

#[tokio::test]
async fn hashed_fields_of_the_project_are_hashed_whatever_the_password_policy_says() {
    let app = start().await;
    let collection = json!({
        "collection": "doors",
        "schema": {},
        "fields": [
            {"field": "id", "type": "integer", "schema": {"is_primary_key": true, "has_auto_increment": true}},
            {"field": "code", "type": "hash", "meta": {"special": ["hash"]}, "schema": {}},
        ],
    });
    assert_eq!(app.post("/collections", collection).await.status, 200);
    let made = app.post("/items/doors", json!({"code": "1234"})).await;
    let code = made.data()["code"].as_str().unwrap();
    assert!(!code.contains("1234"), "{code}");
}

#[tokio::test]
async fn policies_reach_users_directly_and_through_roles_above_theirs() {
    let app = start().await;
    let policy = app.policy(json!({"name": "All", "admin_access": true})).await;
    let directly = app.caller_of("directly@example.com", &[&policy]).await;
    assert_eq!(standing(&directly).await, "administrator");
    let above = app.role(json!({"name": "Above", "policies": [policy]})).await;
    let below = app.role(json!({"name": "Below", "parent": above})).await;
    let through = app
        .caller(json!({"email": "through@example.com", "role": below}))
        .await;
    assert_eq!(standing(&through).await, "administrator");
    let read = json!([{"collection": "directus_users", "action": ["read", "update"]}]);
    let other = app.caller_with("other@example.com", read).await;
    assert_eq!(standing(&other).await, "somebody");
    let theirs = format!(
        "/access?filter[user][_eq]={}&fields=policy.permissions.action",
        other.key().await
    );
    let actions = json!([{"policy": {"permissions": [{"action": "read"}, {"action": "update"}]}}]);
    assert_eq!(app.get(&theirs).await.data(), &actions);
}
