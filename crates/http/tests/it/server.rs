//! `/server`.

use crate::parrot::start;

#[tokio::test]
async fn ping_answers_whoever_asks() {
    let app = start().await;
    for client in [app.anonymous(), app.with_token("nobodys")] {
        let answer = client.get("/server/ping").await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "pong"));
    }
}

#[tokio::test]
async fn health_tells_administrators_most() {
    let app = start().await;
    let full = app.get("/server/health").await;
    assert_eq!(full.body["status"], "ok");
    assert_eq!(full.body["checks"]["database:responseTime"][0]["status"], "ok");
    assert_eq!(
        full.header("content-type"),
        "application/health+json; charset=utf-8"
    );
    let someone = app.user("someone@example.com", "someones-token").await;
    assert_eq!(someone.get("/server/health").await.text, r#"{"status":"ok"}"#);
    assert_eq!(
        app.anonymous().get("/server/health").await.refusal(),
        (403, "FORBIDDEN")
    );
}

#[tokio::test]
async fn info_shows_the_project_to_everybody() {
    let app = start().await;
    let public = app.anonymous().get("/server/info").await;
    let members: Vec<_> = public.data().as_object().unwrap().keys().collect();
    assert_eq!(members, ["project"]);
    assert!(public.data()["project"]["project_name"].is_string());
    let full = app.get("/server/info").await;
    assert_eq!(full.data()["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(full.data()["mcp_enabled"], true);
}
