//! What an assistant finds in a whole session of MCP, from the handshake on: the tools and actions of whoever asks, and
//! beyond them nothing but names that nobody knows.

use loggia_testkit::{Client, TestApp};
use serde_json::{Map, Value, json};

const TOOLS: [&str; 7] = [
    "system-prompt",
    "schema",
    "items",
    "changes",
    "collections",
    "fields",
    "relations",
];

/// A client after its handshake.
struct Session<'a> {
    client: &'a Client,
    path: String,
}

impl<'a> Session<'a> {
    async fn open(client: &'a Client, query: &str) -> Self {
        let session = Self {
            client,
            path: format!("/mcp{query}"),
        };
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}});
        let hello = session.ask("initialize", hello).await;
        assert_eq!(hello["result"]["protocolVersion"], "2025-06-18", "{hello}");
        assert!(hello["result"]["capabilities"]["tools"].is_object(), "{hello}");
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(session.post(&ready).await.status, 202);
        session
    }

    async fn post(&self, message: &Value) -> loggia_testkit::Answer {
        let request = self.client.request("POST", &self.path).json(message);
        let request = request.header("accept", "application/json, text/event-stream");
        let request = request.header("mcp-protocol-version", "2025-06-18");
        self.client.send(request).await
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.post(&message).await.body
    }

    /// The tools that are listed, each with its actions.
    async fn listed(&self) -> Map<String, Value> {
        let mut listed = Map::new();
        let mut params = json!({});
        loop {
            let page = self.ask("tools/list", params).await;
            for tool in page["result"]["tools"].as_array().unwrap() {
                let actions = tool["inputSchema"]["properties"]["action"]["enum"].clone();
                listed.insert(tool["name"].as_str().unwrap().to_owned(), actions);
            }
            match &page["result"]["nextCursor"] {
                Value::Null => return listed,
                cursor => params = json!({"cursor": cursor}),
            }
        }
    }

    async fn call(&self, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        self.ask("tools/call", params).await
    }
}

/// Two collections, of which callers get to see one.
async fn office() -> TestApp {
    let app = TestApp::builder()
        .setting("mcp_allow_deletes", true)
        .start()
        .await;
    for name in ["letters", "salaries"] {
        let fields = json!([{"field": "text", "type": "string"}, {"field": "secret_note", "type": "string"}]);
        let made = app
            .post(
                "/collections",
                json!({"collection": name, "schema": {}, "meta": {}, "fields": fields}),
            )
            .await;
        assert_eq!(made.status, 200, "{}", made.text);
        let item = json!({"text": "Hello", "secret_note": "x"});
        assert_eq!(app.post(&format!("/items/{name}"), item).await.status, 200);
    }
    app
}

/// A token of a client, beside what its owner may do.
async fn token(client: &Client, what: Value) -> Client {
    let mut said = json!({"name": "t"});
    said.as_object_mut()
        .unwrap()
        .extend(what.as_object().unwrap().clone());
    let made = client.post("/tokens", said).await;
    assert_eq!(made.status, 200, "{}", made.text);
    client.with_token(made.data()["token"].as_str().unwrap())
}

#[tokio::test]
async fn every_caller_finds_their_own_tools_and_no_others() {
    let app = office().await;
    let on = |actions: Value| json!([{"collection": "letters", "action": actions, "fields": ["id", "text"]}]);
    let every = json!(["create", "read", "update", "delete"]);
    let reads = app
        .policy(json!({"name": "r", "permissions": on(json!(["read"]))}))
        .await;
    let writes = app
        .policy(json!({"name": "w", "permissions": on(every.clone())}))
        .await;
    let reader = app.caller_of("reader@example.com", &[&reads]).await;
    let writer = app.caller_of("writer@example.com", &[&writes, &reads]).await;
    let form = app.caller_with("form@example.com", on(json!(["create"]))).await;
    let nothing = app.caller_of("nothing@example.com", &[]).await;
    let narrow = token(&writer, json!({"policies": [reads]})).await;
    let careful = token(&writer, json!({"mode": "propose"})).await;
    let under = token(&app, json!({"policies": [reads]})).await;
    let (read, all) = (json!(["read"]), every);
    let (looks, takes_back) = (json!(["list", "diff"]), json!(["list", "diff", "revert"]));
    let none = Value::Null;
    let with = |pairs: &[(&str, &Value)]| -> Map<String, Value> {
        let always = [("system-prompt", &none)];
        let pairs = always.iter().chain(pairs);
        pairs
            .map(|(name, actions)| ((*name).to_owned(), (*actions).clone()))
            .collect()
    };
    let table: [(&str, &Client, &str, Map<String, Value>); 11] = [
        ("nobody in particular", &nothing, "", with(&[])),
        (
            "a reader",
            &reader,
            "",
            with(&[("schema", &none), ("items", &read)]),
        ),
        (
            "a form",
            &form,
            "",
            with(&[
                ("schema", &none),
                ("items", &json!(["create"])),
                ("changes", &takes_back),
            ]),
        ),
        (
            "a writer",
            &writer,
            "",
            with(&[("schema", &none), ("items", &all), ("changes", &takes_back)]),
        ),
        (
            "a writer who reads",
            &writer,
            "?read_only=true",
            with(&[("schema", &none), ("items", &read), ("changes", &looks)]),
        ),
        (
            "a token that may less than the writer",
            &narrow,
            "",
            with(&[("schema", &none), ("items", &read)]),
        ),
        (
            "a token that proposes",
            &careful,
            "",
            with(&[("schema", &none), ("items", &read), ("changes", &looks)]),
        ),
        (
            "a token that may less than the administrator",
            &under,
            "",
            with(&[("schema", &none), ("items", &read)]),
        ),
        (
            "an administrator",
            &app,
            "",
            with(&[
                ("schema", &none),
                ("items", &all),
                ("changes", &takes_back),
                ("collections", &all),
                ("fields", &all),
                ("relations", &all),
            ]),
        ),
        (
            "an administrator who reads",
            &app,
            "?read_only=true",
            with(&[
                ("schema", &none),
                ("items", &read),
                ("changes", &looks),
                ("collections", &read),
                ("fields", &read),
                ("relations", &read),
            ]),
        ),
        (
            "an administrator with some tools",
            &app,
            "?toolsets=schema,items",
            Map::from_iter([
                ("schema".to_owned(), none.clone()),
                ("items".to_owned(), all.clone()),
            ]),
        ),
    ];
    for (who, client, query, expect) in &table {
        let session = Session::open(client, query).await;
        let listed = session.listed().await;
        assert_eq!(listed, *expect, "{who}");
        for tool in TOOLS {
            let answer = session.call(tool, json!({})).await;
            let Some(actions) = listed.get(tool) else {
                // As for a name that no tool ever had.
                let absent = session.call("zzzz", json!({})).await;
                assert_eq!(answer["error"]["code"], -32602, "{who}: {tool}: {answer}");
                let message = answer["error"]["message"].as_str().unwrap();
                assert_eq!(
                    message.replace(tool, "zzzz"),
                    absent["error"]["message"],
                    "{who}: {tool}"
                );
                continue;
            };
            assert!(answer.get("error").is_none(), "{who}: {tool}: {answer}");
            // An action that is listed is known; one that is not is named by nothing.
            for action in actions.as_array().into_iter().flatten() {
                let tried = session.call(tool, json!({"action": action, "x": 1})).await;
                let text = tried["result"]["content"][0]["text"].as_str().unwrap();
                assert!(!text.contains("\"path\":\"action\""), "{who}: {tool}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn calls_are_answered_within_the_rights_of_the_caller() {
    let app = office().await;
    let rights = json!([{"collection": "letters", "action": ["read", "update"], "fields": ["id", "text"]}]);
    let policy = app.policy(json!({"name": "w", "permissions": rights})).await;
    let reads = json!([{"collection": "letters", "action": "read", "fields": ["id", "text"]}]);
    let reads = app.policy(json!({"name": "r", "permissions": reads})).await;
    let writer = app.caller_of("writer@example.com", &[&policy, &reads]).await;
    let narrow = token(&writer, json!({"policies": [reads]})).await;
    let read = |collection: &str| json!({"action": "read", "collection": collection});
    let update = json!({"action": "update", "collection": "letters", "keys": [1], "data": {"text": "Bye"}});
    let asked = json!({"action": "read", "collection": "letters", "query": {"fields": ["secret_note"]}});
    let define = json!({"action": "create", "data": {"collection": "mine"}});
    // What each gets: the answer is data, an error of the tool, or there is no such tool.
    let table: [(&str, &Client, [&str; 6]); 3] = [
        (
            "administrator",
            &app,
            ["data", "data", "data", "data", "data", "data"],
        ),
        (
            "writer",
            &writer,
            ["data", "FORBIDDEN", "FORBIDDEN", "data", "none", "data"],
        ),
        (
            "narrow",
            &narrow,
            [
                "data",
                "FORBIDDEN",
                "FORBIDDEN",
                "INVALID_PAYLOAD",
                "none",
                "data",
            ],
        ),
    ];
    for (who, client, expect) in table {
        let session = Session::open(client, "").await;
        let calls = [
            ("items", read("letters")),
            ("items", read("salaries")),
            ("items", asked.clone()),
            ("items", update.clone()),
            ("collections", define.clone()),
            ("schema", json!({})),
        ];
        for ((tool, arguments), expect) in calls.into_iter().zip(expect) {
            let answer = session.call(tool, arguments.clone()).await;
            let text = answer["result"]["content"][0]["text"]
                .as_str()
                .unwrap_or_default();
            let said: Value = serde_json::from_str(text).unwrap_or_default();
            let got = match (&answer["error"]["code"], &said["error"]["code"]) {
                (Value::Number(_), _) => "none",
                (_, Value::String(code)) => code.as_str(),
                _ => "data",
            };
            assert_eq!(got, expect, "{who}: {tool} {arguments}: {answer}");
            if who != "administrator" {
                // What cannot be known is named by no answer but by the one who asked for it.
                let echoed = arguments.to_string();
                for hidden in ["salaries", "secret_note"] {
                    assert!(
                        echoed.contains(hidden) || !answer.to_string().contains(hidden),
                        "{who}: {tool} {arguments}: {answer}"
                    );
                }
            }
        }
    }
    // Nobody at all is not let in.
    let refused = app.anonymous().mcp("tools/list", json!({})).await;
    assert_eq!(refused.status, 401, "{}", refused.text);
}
