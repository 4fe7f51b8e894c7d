//! `tools/call`: results, errors, questions, and calls that do not come back.

use std::sync::atomic::Ordering;

use loggia_mcp::{HttpFacts, Incoming, Revision, Transport};
use serde_json::{Value, json};

use crate::catalogue::{
    endpoint, endpoint_paged, modern, parts, post, post_as, send, visitor, visitor_with, with_meta,
};

fn call(params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
}

#[tokio::test]
async fn numbers_and_texts_come_back_as_they_were_written() {
    let endpoint = endpoint();
    let arguments = r#"{"i":9223372036854775807,"d":0.10000000000000000000001,"e":1E+400,"t":"é\u0000\"\\ 世😀","n":null}"#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{arguments}}}}}"#
    );
    let outgoing = post(&endpoint, HttpFacts::default(), body.as_bytes()).await;
    let text = String::from_utf8(outgoing.body.clone().unwrap().to_vec()).unwrap();
    for number in ["9223372036854775807", "0.10000000000000000000001"] {
        assert_eq!(text.matches(number).count(), 2, "{text}");
    }
    let (_, answer) = parts(&outgoing);
    let sent: Value = serde_json::from_str(arguments).unwrap();
    assert_eq!(answer["result"]["structuredContent"], sent);
    let told: Value = serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(told, sent);
}

#[tokio::test]
async fn arguments_are_an_object_however_they_are_written() {
    let endpoint = endpoint();
    for (params, expect) in [
        (json!({ "name": "echo" }), Ok(json!({}))),
        (json!({ "name": "echo", "arguments": null }), Ok(json!({}))),
        (
            json!({ "name": "echo", "arguments": " {\"a\":[1]} " }),
            Ok(json!({ "a": [1] })),
        ),
        (json!({ "name": "echo", "arguments": [] }), Err(-32602)),
        (json!({ "name": "echo", "arguments": 1 }), Err(-32602)),
        (json!({ "name": "echo", "arguments": true }), Err(-32602)),
        (json!({ "name": "echo", "arguments": "x" }), Err(-32602)),
        (json!({ "name": 1 }), Err(-32602)),
        (json!({ "name": null }), Err(-32602)),
        (json!({}), Err(-32602)),
        (json!({ "name": "ecko" }), Err(-32602)),
    ] {
        let (status, answer) = send(&endpoint, "2025-06-18", call(params.clone())).await;
        assert_eq!(status, 200);
        match expect {
            Ok(expect) => assert_eq!(answer["result"]["structuredContent"], expect, "{params}"),
            Err(code) => assert_eq!(answer["error"]["code"], code, "{params}: {answer}"),
        }
    }
    let (_, answer) = send(&endpoint, "2025-06-18", call(json!({ "name": "ecko" }))).await;
    assert_eq!(
        answer["error"]["message"],
        "Unknown tool: `ecko`. Did you mean `echo`?"
    );
}

#[tokio::test]
async fn a_name_that_is_given_twice_is_refused_with_its_place() {
    let endpoint = endpoint();
    let object = r#"{"a":1,"b":[{"c":1,"\u0063":2}],"a":2}"#;
    for arguments in [object.to_owned(), json!(object).to_string()] {
        // Whether there is such a tool makes no difference.
        for tool in ["echo", "ecko"] {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
            );
            let (status, answer) = parts(&post(&endpoint, HttpFacts::default(), body.as_bytes()).await);
            assert_eq!(
                (status, &answer["result"]["isError"]),
                (200, &json!(true)),
                "{answer}"
            );
            let text = answer["result"]["content"][0]["text"].as_str().unwrap();
            let error: Value = serde_json::from_str(text).unwrap();
            let problems = error["error"]["problems"].as_array().unwrap();
            let paths: Vec<_> = problems.iter().map(|problem| &problem["path"]).collect();
            assert_eq!(paths, [&json!("b[0].c"), &json!("a")], "{text}");
        }
    }
    // So is one of the message itself.
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"fail"}}"#,
    ] {
        let (status, answer) = parts(&post(&endpoint, HttpFacts::default(), body.as_bytes()).await);
        assert_eq!(status, 400, "{answer}");
        assert!(
            answer["error"]["message"].as_str().unwrap().contains("duplicate"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn what_a_tool_cannot_do_is_one_object() {
    let endpoint = endpoint();
    let (status, answer) = modern(&endpoint, "tools/call", json!({ "name": "fail" }), json!({})).await;
    assert_eq!((status, &answer["result"]["isError"]), (200, &json!(true)));
    assert_eq!(answer["result"]["resultType"], "complete");
    // The output schema describes results, and clients hold whatever is there to it.
    assert!(answer["result"].get("structuredContent").is_none());
    let error: Value =
        serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(error["error"]["problems"][1]["path"], "data.status");
    assert_eq!(error["error"]["retryable"], false);
}

#[tokio::test]
async fn pictures_and_sounds_are_blocks_of_their_own() {
    let endpoint = endpoint();
    let (_, answer) = modern(&endpoint, "tools/call", json!({ "name": "draw" }), json!({})).await;
    assert_eq!(
        answer["result"]["content"],
        json!([
            { "type": "text", "text": "{}" },
            { "type": "image", "data": "aGk=", "mimeType": "image/png" },
            { "type": "audio", "data": "aG8=", "mimeType": "audio/wav" },
            { "type": "text", "text": "a \"b\"" },
        ])
    );
    assert_eq!(
        answer["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "small"
    );
}

#[tokio::test]
async fn tools_learn_who_asks() {
    let endpoint = endpoint();
    let (_, answer) = modern(&endpoint, "tools/call", json!({ "name": "who" }), json!({})).await;
    assert_eq!(
        answer["result"]["structuredContent"],
        json!({ "client": "tester 9", "request": "r-1" })
    );
    let (_, answer) = send(&endpoint, "2025-11-25", call(json!({ "name": "who" }))).await;
    assert_eq!(answer["result"]["structuredContent"]["client"], Value::Null);
}

#[tokio::test]
async fn tools_learn_what_the_client_is_in_every_revision() {
    let endpoint = endpoint();
    let said = json!({ "name": "tester\u{202e}\u{0}", "version": "9" });
    for revision in Revision::names() {
        let check = async |meta: Option<Value>, agent: Option<&str>, expect: Value| {
            let mut params = json!({ "name": "who" });
            let stateless = revision == "2026-07-28";
            if stateless {
                params = with_meta(params, json!({}));
                params["_meta"]
                    .as_object_mut()
                    .unwrap()
                    .remove("io.modelcontextprotocol/clientInfo");
            }
            if let Some(client) = &meta {
                params["_meta"]["io.modelcontextprotocol/clientInfo"] = client.clone();
            }
            let body =
                json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
            let facts = HttpFacts {
                protocol_version: Some(revision.as_bytes()),
                mcp_method: stateless.then_some(b"tools/call"),
                mcp_name: stateless.then_some(b"who"),
                ..HttpFacts::default()
            };
            let answer = parts(&post_as(&endpoint, visitor_with(agent), facts, body.as_bytes()).await).1;
            let client = &answer["result"]["structuredContent"]["client"];
            assert_eq!(*client, expect, "{revision} {meta:?} {agent:?}: {answer}");
        };
        let agent = Some("Some-Assistant/1.4.2 (cli; x86_64) other/2");
        check(Some(said.clone()), agent, json!("tester 9")).await;
        check(None, agent, json!("Some-Assistant 1.4.2")).await;
        check(None, Some("curl"), json!("curl ")).await;
        check(None, Some("  "), Value::Null).await;
        check(None, None, Value::Null).await;
        if revision != "2026-07-28" {
            // Before it had a fixed shape, anything could stand there.
            check(Some(json!(7)), agent, json!("Some-Assistant 1.4.2")).await;
        }
    }
}

#[tokio::test]
async fn a_question_goes_to_those_who_can_be_asked() {
    let endpoint = endpoint();
    for capabilities in [
        json!({ "elicitation": {} }),
        json!({ "elicitation": { "form": {}, "url": {} } }),
    ] {
        let (status, answer) = modern(&endpoint, "tools/call", json!({ "name": "ask" }), capabilities).await;
        assert_eq!(status, 200);
        let result = &answer["result"];
        assert_eq!(
            (&result["resultType"], &result["requestState"]),
            (&json!("input_required"), &json!("signed"))
        );
        assert_eq!(result["inputRequests"]["sure"]["method"], "elicitation/create");
        assert_eq!(result["inputRequests"]["sure"]["params"]["mode"], "form");
        assert!(result.get("content").is_none());
    }
    for capabilities in [
        json!({}),
        json!({ "elicitation": { "url": {} } }),
        json!({ "sampling": {} }),
    ] {
        let (status, answer) = modern(&endpoint, "tools/call", json!({ "name": "ask" }), capabilities).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32021)));
        assert_eq!(
            answer["error"]["data"],
            json!({ "requiredCapabilities": { "elicitation": { "form": {} } } })
        );
    }
    let (status, answer) = send(&endpoint, "2025-11-25", call(json!({ "name": "ask" }))).await;
    assert_eq!((status, &answer["result"]["isError"]), (200, &json!(true)));

    let answers = json!({ "sure": { "action": "accept", "content": { "sure": true } } });
    let retry = json!({ "name": "ask", "inputResponses": answers, "requestState": "signed" });
    let (_, answer) = modern(&endpoint, "tools/call", retry, json!({ "elicitation": {} })).await;
    assert_eq!(
        answer["result"]["structuredContent"],
        json!({ "responses": answers, "state": "signed" })
    );
    for wrong in [
        json!({ "name": "ask", "inputResponses": [1] }),
        json!({ "name": "ask", "requestState": {} }),
    ] {
        let (_, answer) = modern(&endpoint, "tools/call", wrong, json!({ "elicitation": {} })).await;
        assert_eq!(answer["error"]["code"], -32602);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_stopped_and_answered_for() {
    let (endpoint, seen) = endpoint_paged(10);
    let (status, answer) = send(&endpoint, "2025-11-25", call(json!({ "name": "slow" }))).await;
    assert_eq!((status, &answer["result"]["isError"]), (200, &json!(true)));
    let error: Value =
        serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&error["error"]["retryable"], &error["error"]["code"]),
        (&json!(true), &json!("SERVICE_UNAVAILABLE"))
    );
    assert_eq!(
        (
            seen.begun.load(Ordering::SeqCst),
            seen.ended.load(Ordering::SeqCst)
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_slow_call_in_time_is_answered() {
    let (endpoint, seen) = endpoint_paged(10);
    seen.go.notify_one();
    let (_, answer) = send(
        &endpoint,
        "2025-11-25",
        call(json!({ "name": "slow", "arguments": { "a": 1 } })),
    )
    .await;
    assert_eq!(answer["result"]["structuredContent"], json!({ "a": 1 }));
}

#[tokio::test]
async fn dropping_the_answer_drops_the_work() {
    let (endpoint, seen) = endpoint_paged(10);
    let body = call(json!({ "name": "slow" })).to_string();
    let transport = Transport::Http(HttpFacts::default());
    let mut work = Box::pin(endpoint.handle(Incoming {
        transport,
        body: body.as_bytes(),
        visitor: visitor(),
    }));
    assert!(futures_util::poll!(&mut work).is_pending());
    assert_eq!(
        (
            seen.begun.load(Ordering::SeqCst),
            seen.ended.load(Ordering::SeqCst)
        ),
        (1, 0)
    );
    drop(work);
    assert_eq!(seen.ended.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_tool_that_panics_is_answered_for() {
    let endpoint = endpoint();
    let (status, answer) = modern(&endpoint, "tools/call", json!({ "name": "panic" }), json!({})).await;
    assert_eq!((status, &answer["result"]["isError"]), (200, &json!(true)));
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("INTERNAL_SERVER_ERROR") && text.contains("r-1") && !text.contains("on purpose"),
        "{text}"
    );
}
