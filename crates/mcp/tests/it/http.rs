//! The rules of the Streamable HTTP transport and of JSON-RPC's envelope.

use loggia_mcp::{HttpFacts, Outgoing, Refusal, well_formed};
use serde_json::{Value, json};

use crate::catalogue::{endpoint, parts, post, with_meta};

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[tokio::test]
async fn what_the_transport_refuses_before_it_reads() {
    let endpoint = endpoint();
    let facts = HttpFacts::default();
    let table = [
        (
            "GET",
            HttpFacts {
                method: "GET",
                ..facts
            },
            405,
        ),
        (
            "DELETE",
            HttpFacts {
                method: "DELETE",
                ..facts
            },
            405,
        ),
        (
            "PUT",
            HttpFacts {
                method: "PUT",
                ..facts
            },
            405,
        ),
        (
            "HEAD",
            HttpFacts {
                method: "HEAD",
                ..facts
            },
            405,
        ),
        (
            "no content type",
            HttpFacts {
                content_type: None,
                ..facts
            },
            415,
        ),
        (
            "text",
            HttpFacts {
                content_type: Some(b"text/plain"),
                ..facts
            },
            415,
        ),
        (
            "nearly JSON",
            HttpFacts {
                content_type: Some(b"application/jsonx"),
                ..facts
            },
            415,
        ),
        (
            "a form",
            HttpFacts {
                content_type: Some(b"application/x-www-form-urlencoded"),
                ..facts
            },
            415,
        ),
        (
            "bytes",
            HttpFacts {
                content_type: Some(b"\xff\xfe"),
                ..facts
            },
            415,
        ),
        (
            "charset",
            HttpFacts {
                content_type: Some(b"Application/JSON; charset=utf-8"),
                ..facts
            },
            200,
        ),
        (
            "accepts events",
            HttpFacts {
                accept: Some(b"text/event-stream"),
                ..facts
            },
            406,
        ),
        (
            "accepts HTML",
            HttpFacts {
                accept: Some(b"text/html"),
                ..facts
            },
            406,
        ),
        (
            "accepts all",
            HttpFacts {
                accept: Some(b"*/*"),
                ..facts
            },
            200,
        ),
        (
            "accepts both",
            HttpFacts {
                accept: Some(b"application/json, text/event-stream"),
                ..facts
            },
            200,
        ),
    ];
    for (name, facts, status) in table {
        let outgoing = post(&endpoint, facts, PING).await;
        let (answered, body) = parts(&outgoing);
        assert_eq!(answered, status, "{name}");
        if status != 200 {
            assert_eq!(
                (&body["error"]["code"], &body["id"]),
                (&json!(-32600), &Value::Null),
                "{name}"
            );
        }
        assert_eq!(
            outgoing.headers.contains(&("allow", "POST")),
            status == 405,
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_is_no_message() {
    let endpoint = endpoint();
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{}{}}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let open = "[".repeat(1_000_000);
    let table: &[(&[u8], i64, Value)] = &[
        (b"", -32700, json!(null)),
        (b"  \n ", -32700, json!(null)),
        (b"{", -32700, json!(null)),
        (b"nonsense", -32700, json!(null)),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"", -32700, json!(null)),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} x", -32700, json!(null)),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700, json!(null)),
        (b"\xef\xbb\xbf{}", -32700, json!(null)),
        (b"1", -32600, json!(null)),
        (b"null", -32600, json!(null)),
        (b"\"ping\"", -32600, json!(null)),
        (b"{}", -32600, json!(null)),
        (b"[]", -32600, json!(null)),
        (br#"{"id":1,"method":"ping"}"#, -32600, json!(1)),
        (br#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#, -32600, json!("a")),
        (br#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, -32600, json!(1)),
        (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, json!(null)),
        (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600, json!(null)),
        (br#"{"jsonrpc":"2.0","id":1e2,"method":"ping"}"#, -32600, json!(null)),
        (br#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, -32600, json!(null)),
        (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, json!(null)),
        (br#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, -32600, json!(null)),
        (br#"{"jsonrpc":"2.0","id":"\ud800","method":"ping"}"#, -32600, json!(null)),
        (br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32600, json!(null)),
        (br#"{"jsonrpc":"2.0","id":1}"#, -32600, json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600, json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"method":null}"#, -32600, json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"result":{}}"#, -32600, json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#, -32600, json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, -32600, json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, -32602, json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#, -32602, json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":[]}}"#, -32602, json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#, -32602, json!(1)),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":"\ud800"}}}"#,
            -32700,
            json!(1),
        ),
        (deep.as_bytes(), -32600, json!(null)),
        (open.as_bytes(), -32600, json!(null)),
    ];
    for (body, code, id) in table {
        let (status, answer) = parts(&post(&endpoint, HttpFacts::default(), body).await);
        let shown: String = String::from_utf8_lossy(body).chars().take(200).collect();
        assert_eq!(status, 400, "{shown}");
        assert_eq!(answer["error"]["code"], *code, "{shown}: {answer}");
        assert_eq!(answer["id"], *id, "{shown}: {answer}");
        assert!(answer.get("id").is_some(), "{shown}");
        let told = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(!told.contains("struct") && !told.contains("Envelope"), "{told}");
    }
    // Since 2026-07-28 the schema of errors has no null id.
    let facts = HttpFacts {
        protocol_version: Some(b"2026-07-28"),
        ..HttpFacts::default()
    };
    let (status, answer) = parts(&post(&endpoint, facts, b"{").await);
    assert_eq!((status, answer.get("id")), (400, None));
}

#[tokio::test]
async fn a_transport_refuses_in_the_words_of_the_protocol() {
    let refusal = Refusal::transport(413, "The body is longer than 10 bytes.");
    for (version, id) in [
        (None, Some(Value::Null)),
        (Some(&b"2025-11-25"[..]), Some(Value::Null)),
        (Some(b"2026-07-28"), None),
    ] {
        let facts = HttpFacts {
            protocol_version: version,
            ..HttpFacts::default()
        };
        let outgoing = Outgoing::refuse(&facts, &refusal);
        assert_eq!(well_formed(&outgoing), Ok(()));
        let (status, answer) = parts(&outgoing);
        assert_eq!((status, answer.get("id").cloned()), (413, id));
    }
}

#[tokio::test]
async fn ids_come_back_as_they_were_written() {
    let endpoint = endpoint();
    for id in [
        "0",
        "-5",
        "123456789012345678901234567890",
        r#""""#,
        r#""a b""#,
        r#""\u00e9\/\n""#,
        r#""é""#,
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id": {id} ,"method":"ping"}}"#);
        let outgoing = post(&endpoint, HttpFacts::default(), body.as_bytes()).await;
        let text = String::from_utf8(outgoing.body.unwrap().to_vec()).unwrap();
        assert_eq!(text, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
}

#[tokio::test]
async fn notifications_are_accepted_in_silence() {
    let endpoint = endpoint();
    for (version, method, status) in [
        (None, "notifications/initialized", 202),
        (Some("2025-11-25"), "notifications/cancelled", 202),
        (Some("2026-07-28"), "notifications/unheard-of", 202),
        (Some("1999-01-01"), "notifications/initialized", 400),
    ] {
        let facts = HttpFacts {
            protocol_version: version.map(str::as_bytes),
            ..HttpFacts::default()
        };
        let body = json!({ "jsonrpc": "2.0", "method": method, "params": { "requestId": 4 } }).to_string();
        let (answered, answer) = parts(&post(&endpoint, facts, body.as_bytes()).await);
        assert_eq!(answered, status, "{method}: {answer}");
        assert_eq!(answer.is_null(), status == 202);
    }
}

#[tokio::test]
async fn headers_must_mirror_the_body_since_2026() {
    let endpoint = endpoint();
    let facts = HttpFacts {
        protocol_version: Some(b"2026-07-28"),
        ..HttpFacts::default()
    };
    let call = |name: &str| ("tools/call", json!({ "name": name, "arguments": {} }));
    let list = ("tools/list", json!({}));
    let named = HttpFacts {
        mcp_method: Some(b"tools/call"),
        ..facts
    };
    let table = [
        ("no method", facts, list.clone(), Some(-32020)),
        (
            "another method",
            HttpFacts {
                mcp_method: Some(b"prompts/list"),
                ..facts
            },
            list.clone(),
            Some(-32020),
        ),
        (
            "another case",
            HttpFacts {
                mcp_method: Some(b"TOOLS/LIST"),
                ..facts
            },
            list.clone(),
            Some(-32020),
        ),
        (
            "not text",
            HttpFacts {
                mcp_method: Some(b"\xff"),
                ..facts
            },
            list.clone(),
            Some(-32020),
        ),
        (
            "the method",
            HttpFacts {
                mcp_method: Some(b"tools/list"),
                ..facts
            },
            list.clone(),
            None,
        ),
        (
            "spaces",
            HttpFacts {
                mcp_method: Some(b" tools/list\t"),
                ..facts
            },
            list.clone(),
            None,
        ),
        ("no name", named, call("echo"), Some(-32020)),
        (
            "another name",
            HttpFacts {
                mcp_name: Some(b"fail"),
                ..named
            },
            call("echo"),
            Some(-32020),
        ),
        (
            "the name",
            HttpFacts {
                mcp_name: Some(b"echo"),
                ..named
            },
            call("echo"),
            None,
        ),
        (
            "a padded name",
            HttpFacts {
                mcp_name: Some(b"  echo  "),
                ..named
            },
            call("echo"),
            None,
        ),
        (
            "an encoded name",
            HttpFacts {
                mcp_name: Some(b"=?base64?ZWNobw==?="),
                ..named
            },
            call("echo"),
            None,
        ),
        (
            "encoded wrongly",
            HttpFacts {
                mcp_name: Some(b"=?base64?ZW?="),
                ..named
            },
            call("echo"),
            Some(-32020),
        ),
        (
            "raw UTF-8",
            HttpFacts {
                mcp_name: Some("écho".as_bytes()),
                ..named
            },
            call("écho"),
            Some(-32020),
        ),
        (
            "no name in the body",
            HttpFacts {
                mcp_name: Some(b"x"),
                ..named
            },
            ("tools/call", json!({})),
            Some(-32602),
        ),
        (
            "no version",
            HttpFacts {
                protocol_version: None,
                mcp_method: Some(b"tools/list"),
                ..facts
            },
            list.clone(),
            Some(-32020),
        ),
        (
            "another version",
            HttpFacts {
                protocol_version: Some(b"2025-11-25"),
                mcp_method: Some(b"tools/list"),
                ..facts
            },
            list,
            Some(-32020),
        ),
    ];
    for (name, facts, (method, params), code) in table {
        let body =
            json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": with_meta(params, json!({})) });
        let (status, answer) = parts(&post(&endpoint, facts, body.to_string().as_bytes()).await);
        assert_eq!(answer["error"]["code"].as_i64(), code, "{name}: {answer}");
        assert_eq!(answer["id"], 7, "{name}");
        assert_eq!(status, if code == Some(-32020) { 400 } else { 200 }, "{name}");
    }
}

#[tokio::test]
async fn older_revisions_have_no_such_headers() {
    let endpoint = endpoint();
    let facts = HttpFacts {
        protocol_version: Some(b"2025-06-18"),
        mcp_method: Some(b"something/else"),
        ..HttpFacts::default()
    };
    assert_eq!(parts(&post(&endpoint, facts, PING).await).0, 200);
}
