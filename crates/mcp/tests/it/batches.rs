//! Batches, which only 2025-03-26 has.

use loggia_mcp::HttpFacts;
use serde_json::{Value, json};

use crate::catalogue::{endpoint, parts, post, send, with_meta};

#[tokio::test]
async fn a_batch_is_answered_message_by_message() {
    let endpoint = endpoint();
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "ping" },
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        { "jsonrpc": "2.0", "id": "b", "method": "tools/call", "params": { "name": "echo", "arguments": { "x": 2 } } },
        5,
        { "jsonrpc": "2.0", "id": 3, "method": "nothing" },
        { "jsonrpc": "2.0", "id": null, "method": "ping" },
        { "jsonrpc": "2.0", "id": 4, "method": "initialize", "params": { "protocolVersion": "2025-03-26" } },
        { "jsonrpc": "2.0", "id": 5, "result": {} },
    ]);
    let outgoing = post(&endpoint, HttpFacts::default(), batch.to_string().as_bytes()).await;
    let (status, answer) = parts(&outgoing);
    assert_eq!(status, 200);
    let told: Vec<(Value, Value)> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].clone(), one["error"]["code"].clone()))
        .collect();
    assert_eq!(
        json!(told),
        json!([
            [1, null],
            ["b", null],
            [null, -32600],
            [3, -32601],
            [null, -32600],
            [4, -32600],
            [5, -32600]
        ])
    );
    assert_eq!(answer[1]["result"]["structuredContent"], json!({ "x": 2 }));
}

#[tokio::test]
async fn batches_that_are_refused_whole() {
    let endpoint = endpoint();
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    for (version, batch) in [
        ("2025-03-26", json!([])),
        ("2025-03-26", Value::from(vec![ping.clone(); 101])),
        ("2025-06-18", json!([ping])),
        ("2025-11-25", json!([ping])),
        ("2026-07-28", json!([ping])),
        ("2020-01-01", json!([ping])),
    ] {
        let (status, answer) = send(&endpoint, version, batch).await;
        assert_eq!(status, 400, "{version}");
        assert!(answer["error"]["code"].is_i64(), "{version}: {answer}");
    }
    let (status, _) = parts(&post(&endpoint, HttpFacts::default(), b"[1,").await);
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_batch_of_notifications_is_accepted_in_silence() {
    let endpoint = endpoint();
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(
        send(&endpoint, "2025-03-26", json!([note, note])).await,
        (202, Value::Null)
    );
}

#[tokio::test]
async fn a_later_revision_cannot_hide_in_a_batch() {
    let endpoint = endpoint();
    let one = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": with_meta(json!({}), json!({})) });
    let (status, answer) = parts(
        &post(
            &endpoint,
            HttpFacts::default(),
            json!([one]).to_string().as_bytes(),
        )
        .await,
    );
    assert_eq!((status, answer[0]["error"]["code"].is_i64()), (200, true));
}

#[tokio::test(start_paused = true)]
async fn a_batch_shares_one_timeout() {
    let endpoint = endpoint();
    let slow = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "slow" } });
    let begun = tokio::time::Instant::now();
    let (_, answer) = send(&endpoint, "2025-03-26", Value::from(vec![slow; 20])).await;
    assert_eq!(answer.as_array().unwrap().len(), 20);
    assert!(begun.elapsed().as_millis() < 150, "{:?}", begun.elapsed());
}
