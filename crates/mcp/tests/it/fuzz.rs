//! Arbitrary bytes and mutated messages: always exactly one well-formed answer. `PROPTEST_CASES` says how many.

use std::sync::LazyLock;

use loggia_mcp::{Endpoint, HttpFacts};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::catalogue::{endpoint, post, with_meta};

static ENDPOINT: LazyLock<Endpoint> = LazyLock::new(endpoint);
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
});

/// Sends a body with every mix of headers; `post` holds the answers to the rules.
fn throw(body: &[u8], version: Option<&[u8]>, method: Option<&[u8]>, name: Option<&[u8]>) {
    let facts = HttpFacts {
        protocol_version: version,
        mcp_method: method,
        mcp_name: name,
        ..HttpFacts::default()
    };
    let outgoing = RUNTIME.block_on(post(&ENDPOINT, facts, body));
    assert!(outgoing.body.is_some() || outgoing.status == 202);
}

fn seeds() -> Vec<Value> {
    let meta = |params: Value| with_meta(params, json!({ "elicitation": {} }));
    vec![
        json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": {} }),
        json!({ "jsonrpc": "2.0", "id": "a", "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } } }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": meta(json!({ "cursor": "0.1" })) }),
        json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {
            "name": "echo", "arguments": { "a": [1, 2.5, "x\u{e9}", null, { "b": true }] } } }),
        json!({ "jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": meta(json!({
            "name": "ask", "inputResponses": { "sure": {} }, "requestState": "s" })) }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 4 } }),
        json!([{ "jsonrpc": "2.0", "id": 5, "method": "ping" }, { "jsonrpc": "2.0", "method": "x" }]),
        json!({ "jsonrpc": "2.0", "id": 6, "result": {} }),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("2.0")),
        Just(json!("tools/call")),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(
                (
                    "(jsonrpc|id|method|params|result|error|name|arguments|_meta|.{0,4})",
                    inner
                ),
                0..5
            )
            .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Puts `value` at the `at`-th place of the tree.
fn replace(tree: &mut Value, at: &mut usize, value: &Value) {
    if *at == 0 {
        *tree = value.clone();
    }
    *at = at.wrapping_sub(1);
    match tree {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, at, value)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, at, value)),
        _ => {}
    }
}

fn version() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop_oneof![
        Just(b"2026-07-28".to_vec()),
        Just(b"2025-11-25".to_vec()),
        Just(b"2025-03-26".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(body in prop::collection::vec(any::<u8>(), 0..200), version in version()) {
        throw(&body, version.as_deref(), None, None);
    }

    #[test]
    fn json_of_any_shape(body in any_json(), version in version()) {
        throw(body.to_string().as_bytes(), version.as_deref(), None, None);
    }

    #[test]
    fn messages_with_a_part_replaced(
        seed in prop::sample::select(seeds()),
        at in 0_usize..20,
        value in any_json(),
        version in version(),
    ) {
        let mut body = seed;
        let method = body["method"].as_str().map(str::to_owned);
        let name = body["params"]["name"].as_str().map(str::to_owned);
        replace(&mut body, &mut { at }, &value);
        let text = body.to_string();
        throw(text.as_bytes(), version.as_deref(), method.as_deref().map(str::as_bytes), name.as_deref().map(str::as_bytes));
    }

    #[test]
    fn messages_with_bytes_changed(
        seed in prop::sample::select(seeds()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(any::<u8>())), 1..6),
        version in version(),
    ) {
        let mut body = seed.to_string().into_bytes();
        for (at, byte) in edits {
            let at = at.index(body.len());
            match byte {
                Some(byte) => body[at] = byte,
                None => body.truncate(at.max(1)),
            }
        }
        throw(&body, version.as_deref(), Some(b"tools/call"), Some(b"echo"));
    }
}
