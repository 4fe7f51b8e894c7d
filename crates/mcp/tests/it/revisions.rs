//! Which revision a request is made in, and what each of them offers.

use loggia_mcp::{HttpFacts, Revision};
use serde_json::{Value, json};

use crate::catalogue::{endpoint, endpoint_paged, modern, parts, post, send, with_meta};

const HANDSHAKE: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

#[tokio::test]
async fn a_handshake_agrees_on_a_revision() {
    let endpoint = endpoint();
    for (wanted, agreed) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("2099-01-01", "2025-11-25"),
    ] {
        let params = json!({
            "protocolVersion": wanted,
            "capabilities": {},
            "clientInfo": { "name": "tester", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }).to_string();
        // Clients say the revision in the header only once it is agreed on.
        let (status, answer) = parts(&post(&endpoint, HttpFacts::default(), body.as_bytes()).await);
        assert_eq!(status, 200, "{answer}");
        let result = &answer["result"];
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["capabilities"], json!({ "tools": {} }));
        assert_eq!(
            result["serverInfo"],
            json!({ "name": "small", "title": "Small", "version": "1.2.3" })
        );
        assert_eq!(result["instructions"], "Say \"hello\".");
        assert!(result.get("resultType").is_none());
    }
}

#[tokio::test]
async fn a_handshake_says_what_it_misses() {
    let endpoint = endpoint();
    for params in [
        json!({}),
        json!({ "protocolVersion": 2025 }),
        json!({ "protocolVersion": "2025-11-25", "clientInfo": "tester" }),
        json!({ "protocolVersion": "2025-11-25", "clientInfo": { "name": "tester" } }),
    ] {
        let (_, answer) = send(
            &endpoint,
            "2025-11-25",
            json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }),
        )
        .await;
        assert_eq!(answer["error"]["code"], -32602, "{params}: {answer}");
    }
}

#[tokio::test]
async fn handshake_revisions_list_and_call_alike() {
    let endpoint = endpoint();
    for version in HANDSHAKE {
        let request = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 3, "method": method, "params": params });
        assert_eq!(
            send(&endpoint, version, request("ping", json!(null))).await,
            (200, json!({ "jsonrpc": "2.0", "id": 3, "result": {} }))
        );
        let (_, list) = send(&endpoint, version, request("tools/list", json!({}))).await;
        assert_eq!(list["result"]["tools"][0]["name"], "echo");
        assert_eq!(list["result"]["tools"][0]["annotations"]["readOnlyHint"], true);
        assert_eq!(
            list["result"].as_object().unwrap().len(),
            1,
            "nothing of later revisions"
        );
        let call = request("tools/call", json!({ "name": "echo", "arguments": { "a": 1 } }));
        let (status, called) = send(&endpoint, version, call).await;
        assert_eq!(status, 200);
        assert_eq!(called["result"]["structuredContent"], json!({ "a": 1 }));
        assert_eq!(
            called["result"]["content"],
            json!([{ "type": "text", "text": "{\"a\":1}" }])
        );
        assert_eq!(called["result"]["isError"], false);
        assert!(called["result"].get("_meta").is_none());
    }
}

#[tokio::test]
async fn a_request_without_a_revision_is_of_the_oldest() {
    let endpoint = endpoint();
    let (status, answer) = parts(
        &post(
            &endpoint,
            HttpFacts::default(),
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        )
        .await,
    );
    assert_eq!((status, answer["result"]["tools"].is_array()), (200, true));
}

#[tokio::test]
async fn methods_that_a_revision_does_not_have() {
    let endpoint = endpoint();
    for method in [
        "server/discover",
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
        "tasks/list",
        "Tools/List",
        "",
        "x\u{0}y",
    ] {
        let body = json!({ "jsonrpc": "2.0", "id": "a", "method": method });
        let (status, answer) = send(&endpoint, "2025-11-25", body).await;
        assert_eq!(
            (status, &answer["error"]["code"], &answer["id"]),
            (200, &json!(-32601), &json!("a")),
            "{method}"
        );
    }
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/list",
        "prompts/list",
        "subscriptions/listen",
        "unknown/method",
    ] {
        let (status, answer) = modern(&endpoint, method, json!({}), json!({})).await;
        assert_eq!(
            (status, &answer["error"]["code"], &answer["id"]),
            (404, &json!(-32601), &json!(1)),
            "{method}"
        );
    }
    let (_, answer) = modern(&endpoint, "initialize", json!({}), json!({})).await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("2025-11-25"),
        "{answer}"
    );
}

#[tokio::test]
async fn unknown_revisions_are_told_the_known_ones() {
    let endpoint = endpoint();
    for (header, meta) in [
        (Some("2099-01-01"), None),
        (Some("2000-01-01"), None),
        (Some("invalid-protocol-version"), None),
        (Some("v999"), Some("v999")),
        (None, Some("v999")),
        (Some(""), None),
    ] {
        let mut params = json!({});
        if let Some(meta) = meta {
            params = with_meta(params, json!({}));
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = meta.into();
        }
        let body = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/list", "params": params }).to_string();
        let facts = HttpFacts {
            protocol_version: header.map(str::as_bytes),
            ..HttpFacts::default()
        };
        let (status, answer) = parts(&post(&endpoint, facts, body.as_bytes()).await);
        assert_eq!((status, &answer["id"]), (400, &json!(5)), "{answer}");
        assert_eq!(answer["error"]["code"], -32022, "{answer}");
        assert_eq!(answer["error"]["data"]["supported"], json!(Revision::names()));
        assert_eq!(answer["error"]["data"]["requested"], header.or(meta).unwrap());
    }
}

#[tokio::test]
async fn metadata_is_required_since_2026() {
    let endpoint = endpoint();
    let facts = HttpFacts {
        protocol_version: Some(b"2026-07-28"),
        mcp_method: Some(b"server/discover"),
        ..HttpFacts::default()
    };
    let full = with_meta(json!({}), json!({}));
    let without = |name: &str| {
        let mut params = full.clone();
        params["_meta"]
            .as_object_mut()
            .unwrap()
            .shift_remove(&format!("io.modelcontextprotocol/{name}"));
        params
    };
    let with = |name: &str, value: Value| {
        let mut params = full.clone();
        params["_meta"][format!("io.modelcontextprotocol/{name}")] = value;
        params
    };
    let table = [
        (json!({}), Some(400)),
        (json!({ "_meta": {} }), Some(400)),
        (without("protocolVersion"), Some(400)),
        (without("clientCapabilities"), Some(400)),
        (without("clientInfo"), None),
        (with("protocolVersion", json!(7)), Some(400)),
        (with("clientCapabilities", json!([])), Some(400)),
        (
            with("clientCapabilities", json!({ "elicitation": 3, "other": [] })),
            None,
        ),
        (with("clientInfo", json!("x")), Some(400)),
        (full.clone(), None),
    ];
    for (params, refused) in table {
        let body =
            json!({ "jsonrpc": "2.0", "id": 9, "method": "server/discover", "params": params }).to_string();
        let (status, answer) = parts(&post(&endpoint, facts, body.as_bytes()).await);
        assert_eq!(status, refused.unwrap_or(200), "{params}: {answer}");
        assert_eq!(
            answer["error"]["code"].as_i64(),
            refused.map(|_| -32602),
            "{params}: {answer}"
        );
    }
    // Without any revision at all it is the same mistake.
    let body = br#"{"jsonrpc":"2.0","id":9,"method":"server/discover"}"#;
    let (status, answer) = parts(&post(&endpoint, HttpFacts::default(), body).await);
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32602)));
}

#[tokio::test]
async fn discovery_describes_the_server() {
    let (status, answer) = modern(&endpoint(), "server/discover", json!({}), json!({})).await;
    assert_eq!(status, 200);
    let result = &answer["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(
        result["supportedVersions"],
        json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"])
    );
    assert_eq!(result["capabilities"], json!({ "tools": {} }));
    assert_eq!(result["instructions"], "Say \"hello\".");
    assert_eq!(
        (&result["cacheScope"], result["ttlMs"].is_u64()),
        (&json!("private"), true)
    );
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/serverInfo"]["version"],
        "1.2.3"
    );
}

#[tokio::test]
async fn lists_go_on_where_the_cursor_says() {
    let (endpoint, _) = endpoint_paged(3);
    let mut names = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let (_, answer) = modern(&endpoint, "tools/list", json!({ "cursor": cursor }), json!({})).await;
        let result = &answer["result"];
        assert_eq!(
            (&result["resultType"], &result["cacheScope"]),
            (&json!("complete"), &json!("private"))
        );
        names.extend(
            result["tools"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tool| tool["name"].clone()),
        );
        cursor = result["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(names, ["echo", "fail", "slow", "panic", "ask", "draw", "who"]);
    for wrong in [json!("x"), json!(""), json!("0.1"), json!(7), json!({})] {
        let (status, answer) = modern(&endpoint, "tools/list", json!({ "cursor": wrong }), json!({})).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (200, &json!(-32602)),
            "{wrong}"
        );
    }
}
