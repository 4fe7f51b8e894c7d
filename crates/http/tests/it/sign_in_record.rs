//! What is kept of sign-ins: who came, and who was refused.

use jiff::SignedDuration;
use loggia_access::Origin;
use loggia_identity::{Credential, RequestFacts};
use loggia_model::{Query, Record};
use loggia_testkit::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, Answer, TestApp};
use serde_json::{Value, json};

use crate::parrot::start;

async fn login(app: &TestApp, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    app.anonymous().post("/auth/login", body).await
}

/// What was recorded about accounts, oldest first.
async fn recorded(app: &TestApp) -> Vec<Record> {
    let facts = RequestFacts::local(Origin::Rest);
    let caller = app
        .identity
        .authenticate(Credential::Bearer(ADMIN_TOKEN), facts)
        .await
        .unwrap();
    let query = json!({"fields": ["*"], "sort": ["id"], "limit": -1});
    let page = app
        .engine
        .read_items(&caller, "directus_activity", Query::from_json(&query).unwrap());
    let rows = page.await.unwrap().rows;
    let ours = [
        "login",
        "login_failed",
        "logout",
        "password_request",
        "password_reset",
    ];
    rows.into_iter()
        .filter(|row| ours.contains(&row["action"].as_str().unwrap()))
        .collect()
}

async fn actions(app: &TestApp) -> Vec<(String, Value)> {
    let rows = recorded(app).await;
    rows.iter()
        .map(|row| (row["action"].as_str().unwrap().to_owned(), row["item"].clone()))
        .collect()
}

#[tokio::test]
async fn sign_ins_and_refusals_are_recorded() {
    let app = start().await;
    let me = app.get("/users/me").await.data()["id"].clone();
    login(&app, "nobody@example.com", "x").await;
    login(&app, ADMIN_EMAIL, "x").await;
    let answer = login(&app, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    let proof = json!({"refresh_token": answer.data()["refresh_token"]});
    assert_eq!(
        app.anonymous().post("/auth/logout", proof.clone()).await.status,
        204
    );
    assert_eq!(app.anonymous().post("/auth/logout", proof).await.status, 204);
    let text = |text: &str| text.to_owned();
    let expect = [
        (text("login_failed"), json!("")),
        (text("login_failed"), me.clone()),
        (text("login"), me.clone()),
        (text("logout"), me.clone()),
    ];
    assert_eq!(actions(&app).await, expect);
    let rows = recorded(&app).await;
    assert_eq!(rows[1]["user"], Value::Null, "whoever failed was not the user");
    assert_eq!(rows[2]["user"], me);
    assert_eq!(rows[2]["ip"], "127.0.0.1");
    assert_eq!(rows[2]["origin"], "rest");
    assert_eq!(rows[2]["timestamp"], "2027-01-15T08:00:00.000Z");
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_fill_the_disk() {
    let app = start().await;
    for i in 0..1_010 {
        login(&app, &format!("nobody{i}@example.com"), "x").await;
    }
    assert_eq!(recorded(&app).await.len(), 1_000);
    app.clock.advance(SignedDuration::from_hours(1));
    login(&app, "nobody@example.com", "x").await;
    assert_eq!(recorded(&app).await.len(), 1_001);
}
