//! The same door over a stream of lines.

use std::sync::atomic::Ordering;

use loggia_mcp::stdio::{Line, Lines, frame, serve};
use loggia_mcp::{Endpoint, Refusal};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf};

use crate::catalogue::{endpoint, endpoint_paged, visitor, with_meta};

/// Sends everything, closes the stream, and gives all that came back.
async fn exchange(endpoint: &Endpoint, lines: &[u8], limit: usize) -> Vec<Value> {
    let mut output = Vec::new();
    serve(endpoint, lines, &mut output, limit, || async { Ok(visitor()) })
        .await
        .unwrap();
    let text = String::from_utf8(output).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

struct Client {
    read: BufReader<ReadHalf<DuplexStream>>,
    write: WriteHalf<DuplexStream>,
}

impl Client {
    async fn send(&mut self, message: Value) {
        self.write
            .write_all(&frame(message.to_string().as_bytes()))
            .await
            .unwrap();
    }

    async fn read(&mut self) -> Value {
        let mut line = String::new();
        self.read.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

/// A client and the server that it talks to.
fn connect(endpoint: &Endpoint) -> (Client, impl Future<Output = ()> + use<'_>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (read, write) = tokio::io::split(near);
    let (input, output) = tokio::io::split(far);
    let server = async move {
        serve(endpoint, input, output, 1 << 20, || async { Ok(visitor()) })
            .await
            .unwrap();
    };
    (
        Client {
            read: BufReader::new(read),
            write,
        },
        server,
    )
}

#[tokio::test]
async fn a_handshake_lasts_as_long_as_the_stream() {
    let endpoint = endpoint();
    let (mut client, server) = connect(&endpoint);
    let talk = async move {
        let info = json!({ "name": "desk", "version": "3" });
        let params = json!({ "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": info });
        client
            .send(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }))
            .await;
        assert_eq!(client.read().await["result"]["protocolVersion"], "2025-03-26");
        client
            .send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await;
        client
            .send(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "who" } }))
            .await;
        assert_eq!(
            client.read().await["result"]["structuredContent"]["client"],
            "desk 3"
        );
        client
            .send(json!([{ "jsonrpc": "2.0", "id": 2, "method": "ping" }]))
            .await;
        assert_eq!(
            client.read().await,
            json!([{ "jsonrpc": "2.0", "id": 2, "result": {} }])
        );
        drop(client);
    };
    tokio::join!(server, talk);
}

#[tokio::test]
async fn stateless_requests_need_no_handshake() {
    let lines = [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": with_meta(json!({}), json!({})) }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "server/discover" }),
        json!({ "jsonrpc": "2.0", "id": 3, "method": "ping", "params": with_meta(json!({}), json!({})) }),
    ];
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut answers = exchange(&endpoint(), lines.as_bytes(), 1 << 20).await;
    answers.sort_by_key(|answer| answer["id"].to_string());
    assert_eq!(answers[0]["result"]["resultType"], "complete");
    assert_eq!(answers[1]["error"]["code"], -32602);
    assert_eq!(answers[2]["error"]["code"], -32601);
}

#[tokio::test]
async fn every_line_is_answered_or_is_a_notification() {
    let long = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\"}}",
        "x".repeat(500)
    );
    for (lines, codes) in [
        ("", json!([])),
        ("\n  \r\n\n", json!([])),
        ("nonsense\n", json!([-32700])),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            json!([null]),
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n",
            json!([null]),
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}\n",
            json!([]),
        ),
        ("[]\n", json!([-32600])),
        (&*long, json!([-32600])),
        (&*format!("{long}\n{long}\n"), json!([-32600, -32600])),
    ] {
        let answers = exchange(&endpoint(), lines.as_bytes(), 200).await;
        let told: Vec<_> = answers
            .iter()
            .map(|answer| answer["error"]["code"].clone())
            .collect();
        assert_eq!(json!(told), codes, "{lines}");
    }
}

#[tokio::test]
async fn who_may_not_is_told_so_under_the_id_of_the_request() {
    let lines = b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"}\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}\n";
    let mut output = Vec::new();
    let refuse = || async { Err(Refusal::transport(403, "The server is switched off.")) };
    serve(&endpoint(), &lines[..], &mut output, 1_000, refuse)
        .await
        .unwrap();
    let answer: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(
        (&answer["id"], &answer["error"]["message"]),
        (&json!("a"), &json!("The server is switched off."))
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_is_dropped_and_not_answered() {
    let (endpoint, seen) = endpoint_paged(10);
    let (mut client, server) = connect(&endpoint);
    let talk = async {
        let slow = |id: u64| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "slow" } });
        client.send(slow(1)).await;
        client.send(slow(2)).await;
        client.send(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } })).await;
        client
            .send(json!({ "jsonrpc": "2.0", "id": 3, "method": "ping" }))
            .await;
        assert_eq!(client.read().await["id"], 3);
        seen.go.notify_one();
        assert_eq!(client.read().await["id"], 2);
        drop(client);
    };
    tokio::join!(server, talk);
    assert_eq!(
        (
            seen.begun.load(Ordering::SeqCst),
            seen.ended.load(Ordering::SeqCst)
        ),
        (2, 2)
    );
}

#[tokio::test]
async fn frames_are_single_lines() {
    assert_eq!(frame(b"{\r\n \"a\": 1\n}"), b"{   \"a\": 1 }\n");
    let mut lines = Lines::new(&b"one\n\ntoo long\ntwo"[..], 4);
    assert_eq!(lines.next().await.unwrap(), Some(Line::Text(b"one".to_vec())));
    assert_eq!(lines.next().await.unwrap(), Some(Line::TooLong));
    assert_eq!(lines.next().await.unwrap(), Some(Line::Text(b"two".to_vec())));
    assert_eq!(lines.next().await.unwrap(), None);
}
