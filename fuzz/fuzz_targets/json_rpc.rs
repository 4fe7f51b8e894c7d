//! Any body to `/mcp` gets exactly one answer: a JSON-RPC message, or 202 and nothing; never a failure of ours.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use loggia_testkit::TestApp;
use serde_json::Value;
use tokio::runtime::Runtime;

static WORLD: OnceLock<(Runtime, TestApp)> = OnceLock::new();

fuzz_target!(|body: &[u8]| {
    let (runtime, app) = WORLD.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime");
        let app = runtime.block_on(TestApp::start());
        (runtime, app)
    });
    let request = app
        .request("POST", "/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body.to_vec());
    let answer = runtime.block_on(app.send(request));
    assert!(answer.status < 500, "{} {}", answer.status, answer.text);
    if answer.status == 202 {
        assert!(answer.text.is_empty());
        return;
    }
    let well_formed = |message: &Value| {
        message["jsonrpc"] == "2.0" && (message.get("result").is_some() != message.get("error").is_some())
    };
    match &answer.body {
        Value::Array(messages) => assert!(
            !messages.is_empty() && messages.iter().all(well_formed),
            "{}",
            answer.text
        ),
        message => assert!(well_formed(message), "{}", answer.text),
    }
    assert!(!answer.text.contains("INTERNAL_SERVER_ERROR"), "{}", answer.text);
});
