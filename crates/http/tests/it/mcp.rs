//! `/mcp`: who may send a message at all.

use std::sync::atomic::Ordering;
use std::time::Duration;

use loggia_testkit::{ADMIN_TOKEN, Answer, TestApp};
use serde_json::{Value, json};

use crate::parrot::{builder, start};

const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;

async fn post(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = app
        .anonymous()
        .request("POST", path)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(PING);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request).await
}

/// Every refusal is a JSON-RPC error.
#[track_caller]
fn refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.body["jsonrpc"], "2.0", "{}", answer.text);
    assert!(answer.body["error"]["message"].is_string(), "{}", answer.text);
    assert_eq!(answer.body.get("result"), None);
}

#[tokio::test]
async fn a_token_opens_the_door() {
    let app = start().await;
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let by_header = post(&app, "/mcp", &[("authorization", &bearer)]).await;
    assert_eq!(by_header.body, json!({"jsonrpc": "2.0", "id": 7, "result": {}}));
    let by_query = post(&app, &format!("/mcp?access_token={ADMIN_TOKEN}"), &[]).await;
    assert_eq!(by_query.status, 200);
    assert_eq!(
        post(&app, "/mcp/", &[("authorization", &bearer)]).await.status,
        200
    );
    let both = post(
        &app,
        &format!("/mcp?access_token={ADMIN_TOKEN}"),
        &[("authorization", &bearer)],
    )
    .await;
    refused(&both, 400);
}

#[tokio::test]
async fn without_a_good_token_there_is_a_challenge_and_no_metadata_address() {
    let app = start().await;
    let cookie = format!("directus_session_token={ADMIN_TOKEN}");
    for headers in [
        &[][..],
        &[("authorization", "Bearer nobodys")],
        &[("authorization", "Bearer eyJ.x.y")],
        &[("authorization", "Basic abc")],
        &[("cookie", cookie.as_str())],
    ] {
        let answer = post(&app, "/mcp", headers).await;
        refused(&answer, 401);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn only_post_is_served() {
    let app = start().await;
    for method in ["GET", "DELETE", "PUT", "SEARCH", "OPTIONS"] {
        let answer = app.send(app.request(method, "/mcp")).await;
        refused(&answer, 405);
        assert_eq!(answer.header("allow"), "POST");
    }
}

#[tokio::test]
async fn the_switch_and_the_kill_switch() {
    let off = builder().0.setting("mcp_enabled", false).start().await;
    let answer = off.mcp("ping", json!({})).await;
    refused(&answer, 403);
    assert!(answer.text.contains("switched off"), "{}", answer.text);
    let on = builder()
        .0
        .setting("mcp_enabled", false)
        .config(|config| config.mcp.enabled = Some(true));
    assert_eq!(on.start().await.mcp("ping", json!({})).await.status, 200);
    let overruled = builder().0.config(|config| config.mcp.enabled = Some(false));
    refused(&overruled.start().await.mcp("ping", json!({})).await, 403);
    let hidden = builder()
        .0
        .config(|config| config.mcp.available = false)
        .start()
        .await;
    assert_eq!(
        hidden.mcp("ping", json!({})).await.refusal(),
        (404, "ROUTE_NOT_FOUND")
    );
}

#[tokio::test]
async fn pages_of_unknown_origins_are_refused() {
    let app = builder()
        .0
        .config(|config| config.cors.origins.push("https://app.example".to_owned()));
    let app = app.start().await;
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let from =
        async |origin: &str| post(&app, "/mcp", &[("authorization", &bearer), ("origin", origin)]).await;
    refused(&from("https://evil.example").await, 403);
    refused(&from("null").await, 403);
    assert_eq!(from(app.url()).await.status, 200);
    let listed = from("https://app.example").await;
    assert_eq!(listed.status, 200);
    assert_eq!(
        listed.header("access-control-allow-origin"),
        "https://app.example"
    );
}

#[tokio::test]
async fn the_caller_and_what_is_wanted_reach_the_tools() {
    let app = start().await;
    let said = app.tool("who", json!({})).await.unwrap();
    assert_eq!(said["admin"], true);
    assert_eq!(said["request_id"].as_str().unwrap().len(), 36);
    let someone = app.user("someone@example.com", "someones-token").await;
    assert_eq!(someone.tool("who", json!({})).await.unwrap()["admin"], false);
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "who"}});
    let call = async |query: &str| {
        let request = app.request("POST", &format!("/mcp{query}")).json(&message);
        app.send(request.header("accept", "application/json")).await
    };
    let narrowed = call("?read_only=true&toolsets=items,schema").await;
    let said = &narrowed.body["result"]["structuredContent"];
    assert_eq!(said["read_only"], true);
    assert_eq!(said["toolsets"], json!(["items", "schema"]));
    for (query, word) in [
        ("?tool_mode=nonsense", "tool_mode"),
        ("?toolsets=nope", "system-prompt, schema, items"),
        ("?toolsets=items,nope", "`nope`"),
        ("?toolsets=", "toolsets"),
    ] {
        let wrong = call(query).await;
        refused(&wrong, 400);
        assert!(wrong.text.contains(word), "{query}: {}", wrong.text);
    }
}

#[tokio::test]
async fn a_suspended_token_counts_on_the_next_message() {
    let app = start().await;
    assert_eq!(app.mcp("ping", json!({})).await.status, 200);
    app.identity
        .revoke_token(loggia_testkit::ADMIN_EMAIL)
        .await
        .unwrap();
    refused(&app.mcp("ping", json!({})).await, 401);
}

#[tokio::test]
async fn messages_are_measured() {
    let app = builder()
        .0
        .config(|config| config.mcp.body_bytes = 1_000)
        .start()
        .await;
    let send = async |length: usize| {
        let empty = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":""}}"#;
        let pad = "x".repeat(length - empty.len());
        let body = empty.replace("\"\"", &format!("\"{pad}\""));
        let request = app
            .request("POST", "/mcp")
            .header("content-type", "application/json")
            .body(body);
        app.send(request).await
    };
    assert_eq!(send(1_000).await.status, 200);
    let long = send(1_001).await;
    refused(&long, 413);
    assert!(long.text.contains("mcp.body_bytes"), "{}", long.text);
}

#[tokio::test]
async fn time_is_up_for_calls_that_do_not_come_back() {
    let (builder, parrot) = builder();
    let app = builder.mcp_timeout(Duration::from_millis(20)).start().await;
    let answer = app.mcp("tools/call", json!({"name": "wait"})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["result"]["isError"], Value::Bool(true));
    assert_eq!(parrot.dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_call_that_does_not_come_back_may_have_changed_something_once_its_commit_has_begun() {
    let (builder, _) = builder();
    let app = builder.mcp_timeout(Duration::from_millis(20)).start().await;
    let code = async |tool: &str| {
        let error = app.tool(tool, json!({})).await.unwrap_err();
        (error["code"].clone(), error["retryable"].clone())
    };
    assert_eq!(code("wait").await, (json!("SERVICE_UNAVAILABLE"), json!(true)));
    assert_eq!(code("commit").await, (json!("OUTCOME_UNKNOWN"), json!(false)));
    assert_eq!(
        code("wait").await.0,
        "SERVICE_UNAVAILABLE",
        "each request for itself"
    );
}

#[tokio::test]
async fn a_client_that_goes_takes_its_work_along() {
    let (builder, parrot) = builder();
    let app = builder.start().await;
    let client = app.with_token(ADMIN_TOKEN);
    let call = tokio::spawn(async move { client.mcp("tools/call", json!({"name": "wait"})).await });
    while parrot.begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    call.abort();
    while parrot.dropped.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_real_tools_answer_through_the_real_door() {
    let app = TestApp::start().await;
    let schema = app.tool("schema", json!({})).await.unwrap();
    assert!(schema["collections"].is_array(), "{schema}");
    let listed = app.mcp("tools/list", json!({})).await;
    let names = listed.body["result"]["tools"].as_array().unwrap().iter();
    assert!(
        names.clone().any(|tool| tool["name"] == "items"),
        "{}",
        listed.text
    );
}
