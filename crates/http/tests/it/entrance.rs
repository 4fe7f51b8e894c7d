//! What every request passes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use loggia_http::HttpConfig;
use loggia_testkit::TestApp;
use serde_json::{Value, json};

use crate::parrot::{builder, start};

async fn start_with(change: impl FnOnce(&mut HttpConfig)) -> TestApp {
    builder().0.config(change).start().await
}

#[tokio::test]
async fn addresses_that_do_not_exist_say_so() {
    let app = start().await;
    for path in [
        "/nope",
        "/",
        "/auth/nope",
        "/server",
        "//server/ping",
        "/%2e%2e/etc/passwd",
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.refusal(), (404, "ROUTE_NOT_FOUND"), "{path}");
    }
    let answer = app.get("/nope").await;
    assert_eq!(answer.body["errors"][0]["extensions"]["path"], "/nope");
}

#[tokio::test]
async fn methods_that_do_not_exist_name_those_that_do() {
    let app = start().await;
    for method in ["GET", "PUT", "SEARCH", "BREW", "TRACE"] {
        let answer = app.send(app.request(method, "/auth/login")).await;
        assert_eq!(answer.refusal(), (405, "METHOD_NOT_ALLOWED"), "{method}");
        assert_eq!(answer.header("allow"), "POST, OPTIONS");
    }
    let options = app.send(app.request("OPTIONS", "/server/ping")).await;
    assert_eq!(
        (options.status, options.header("allow")),
        (204, "GET, HEAD, OPTIONS")
    );
    let head = app.send(app.request("HEAD", "/server/ping")).await;
    assert_eq!(
        (head.status, head.text.as_str(), head.header("content-length")),
        (200, "", "4")
    );
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let app = start().await;
    assert_eq!(app.get("/server/ping/").await.text, "pong");
    assert_eq!(app.get("/server/health/?access_token=x").await.refusal().0, 400);
}

#[tokio::test]
async fn every_answer_has_an_id_and_keeps_browsers_in_check() {
    let app = start().await;
    for path in ["/server/ping", "/nope", "/server/info"] {
        let answer = app.get(path).await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(
            answer
                .header("content-security-policy")
                .contains("default-src 'none'")
        );
        assert_eq!(answer.header("server"), "");
    }
    assert_eq!(app.get("/server/info").await.header("cache-control"), "no-store");
    let sent = async |id: &str| {
        let answer = app
            .send(app.request("GET", "/server/ping").header("x-request-id", id))
            .await;
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(sent("from-the-client_1").await, "from-the-client_1");
    assert_ne!(sent("a b").await, "a b");
    assert_ne!(sent(&"a".repeat(65)).await.len(), 65);
}

#[tokio::test]
async fn names_that_are_not_ours_are_refused() {
    let app = start_with(|config| config.allowed_hosts.push("cms.example.com".to_owned())).await;
    let as_host = async |host: &str| {
        let request = app.request("GET", "/server/ping").header("host", host);
        app.send(request).await.status
    };
    assert_eq!(as_host("evil.example").await, 403);
    assert_eq!(as_host("evil.example:8055").await, 403);
    assert_eq!(as_host("cms.example.com").await, 200);
    assert_eq!(as_host("localhost:1234").await, 200);
    let refused = app
        .send(
            app.request("POST", "/mcp")
                .header("host", "evil.example")
                .json(&json!({})),
        )
        .await;
    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn pages_of_other_origins_may_call_only_when_listed() {
    let from = async |app: &TestApp, origin: &str| {
        let request = app.request("GET", "/server/ping").header("origin", origin);
        app.send(request)
            .await
            .header("access-control-allow-origin")
            .to_owned()
    };
    let closed = start().await;
    assert_eq!(from(&closed, "https://app.example").await, "");
    let listed = start_with(|config| {
        config.cors.origins.push("https://app.example".to_owned());
        config.cors.credentials = true;
    })
    .await;
    assert_eq!(from(&listed, "https://app.example").await, "https://app.example");
    assert_eq!(from(&listed, "https://evil.example").await, "");
    let open = start_with(|config| {
        config.cors.origins.push("*".to_owned());
        config.cors.credentials = true;
    })
    .await;
    assert_eq!(from(&open, "https://any.example").await, "*");
    let any = open
        .send(
            open.request("GET", "/server/ping")
                .header("origin", "https://any.example"),
        )
        .await;
    assert_eq!(
        any.header("access-control-allow-credentials"),
        "",
        "never with any origin"
    );
    let preflight = listed
        .request("OPTIONS", "/mcp")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,mcp-protocol-version",
        );
    let preflight = listed.anonymous().send(preflight).await;
    assert_eq!(preflight.status, 204);
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert_eq!(preflight.header("access-control-allow-credentials"), "true");
    assert_eq!(preflight.header("access-control-allow-methods"), "POST, OPTIONS");
    assert!(
        preflight
            .header("access-control-allow-headers")
            .contains("Mcp-Protocol-Version")
    );
    assert!(
        preflight
            .header("access-control-expose-headers")
            .contains("WWW-Authenticate")
    );
    assert!(preflight.header("vary").contains("Origin"));
}

#[tokio::test]
async fn bodies_are_measured_and_judged() {
    let app = start_with(|config| config.limits.body_bytes = 1_000).await;
    let send = async |body: String, content_type: &str| {
        let request = app
            .request("POST", "/auth/login")
            .header("content-type", content_type)
            .body(body);
        app.send(request).await
    };
    let login = |pad: usize| format!("{{\"email\":\"a@b\",\"password\":\"{}\"}}", "x".repeat(pad));
    let overhead = login(0).len();
    let json = "application/json";
    assert_eq!(
        send(login(1_000 - overhead), json).await.refusal(),
        (401, "INVALID_CREDENTIALS")
    );
    assert_eq!(
        send(login(1_001 - overhead), json).await.refusal(),
        (413, "CONTENT_TOO_LARGE")
    );
    assert_eq!(
        send(login(1), "text/plain").await.refusal(),
        (415, "UNSUPPORTED_MEDIA_TYPE")
    );
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let refused = send(deep, json).await;
    assert_eq!(refused.refusal(), (400, "INVALID_PAYLOAD"));
    let refused = send("{\"email\":\n}".to_owned(), json).await;
    assert!(refused.text.contains("line 2 column 1"), "{}", refused.text);
}

#[tokio::test]
async fn a_name_that_is_given_twice_is_refused_with_its_place() {
    let app = crate::blog::blog().await;
    let send = async |method: &str, path: &str, body: &str| {
        let request = app
            .request(method, path)
            .header("content-type", "application/json");
        app.send(request.body(body.to_owned())).await
    };
    let check = |answer: &loggia_testkit::Answer, code: &str, expect: &[&str]| {
        let errors = answer.body["errors"].as_array().unwrap();
        let paths: Vec<_> = errors
            .iter()
            .map(|error| error["extensions"]["path"].as_str().unwrap())
            .collect();
        assert_eq!(
            (answer.status, paths.as_slice()),
            (400, expect),
            "{}",
            answer.text
        );
        assert_eq!(answer.codes(), vec![code; expect.len()]);
    };
    let twice =
        r#"[{"name": "Ann"}, {"name": "Bob", "posts": [{"title": "a", "title": "b"}], "name": "Cid"}]"#;
    let answer = send("POST", "/items/authors", twice).await;
    check(&answer, "INVALID_PAYLOAD", &["[1].posts[0].title", "[1].name"]);
    let answer = send(
        "POST",
        "/auth/login",
        r#"{"email": "a@b", "password": "x", "email": "c@d"}"#,
    )
    .await;
    check(&answer, "INVALID_PAYLOAD", &["email"]);
    let answer = send(
        "SEARCH",
        "/items/authors",
        r#"{"query": {"filter": {"id": {"_gt": 1, "_gt": 2}}}}"#,
    )
    .await;
    check(&answer, "INVALID_PAYLOAD", &["query.filter.id._gt"]);
    let answer = app.get(r#"/items/authors?filter={"id":{"_gt":1,"_gt":2}}"#).await;
    check(&answer, "INVALID_QUERY", &["filter.id._gt"]);
    assert_eq!(app.get("/items/authors").await.data(), &json!([]));
}

#[tokio::test]
async fn more_requests_than_there_are_turns_are_told_to_come_back() {
    let (builder, parrot) = builder();
    let app = builder
        .config(|config| config.limits.concurrent_requests = 1)
        .start()
        .await;
    let waiting = app.with_token(loggia_testkit::ADMIN_TOKEN);
    let waiting = tokio::spawn(async move { waiting.mcp("tools/call", json!({"name": "wait"})).await });
    while parrot.begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let refused = app.get("/server/info").await;
    assert_eq!(refused.refusal(), (503, "SERVICE_UNAVAILABLE"));
    assert_eq!(refused.header("retry-after"), "1");
    waiting.abort();
    while parrot.dropped.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // The turn is given back once the connection has noticed.
    while app.get("/server/info").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_let_go() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let app = start_with(|config| config.limits.header_timeout = Duration::from_millis(50)).await;
    let address = app.url().trim_start_matches("http://");
    let mut slow = tokio::net::TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /server/ping HTTP/1.1\r\nhost: local")
        .await
        .unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn a_stop_lets_running_requests_finish_and_takes_no_new_ones() {
    let (builder, parrot) = builder();
    let app = builder.start().await;
    let client = app.with_token(loggia_testkit::ADMIN_TOKEN);
    let address = app.url().trim_start_matches("http://").to_owned();
    let running = tokio::spawn(async move { client.mcp("tools/call", json!({"name": "wait"})).await });
    while parrot.begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let stopping = tokio::spawn(app.stop());
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    parrot.release.notify_one();
    assert_eq!(running.await.unwrap().status, 200);
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_idle_connections_nor_for_ever() {
    let (builder, parrot) = builder();
    let app = builder
        .config(|config| config.limits.stop_timeout = Duration::from_millis(20))
        .start()
        .await;
    let client = app.with_token(loggia_testkit::ADMIN_TOKEN);
    assert_eq!(client.get("/server/ping").await.status, 200);
    let running = tokio::spawn(async move { client.mcp("tools/call", json!({"name": "wait"})).await });
    while parrot.begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    app.stop().await;
    running.abort();
}

/// What comes back to bytes that are sent as they are, until the connection is closed.
async fn raw(app: &TestApp, request: &[u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = app.url().trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Status line, headers and JSON of what came back.
fn read(answer: &str) -> (&str, &str, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (status, headers) = head.split_once("\r\n").unwrap();
    let length = format!("content-length: {}", body.len());
    assert!(headers.contains(&length), "{answer}");
    (status, headers, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_refused_in_the_shape_of_every_refusal() {
    let app = start().await;
    let long = "x".repeat(200_000);
    let many: String = (0..120).map(|i| format!("x-{i}: 1\r\n")).collect();
    for (request, status, of_mcp) in [
        (
            format!("GET /items/articles?search={long} HTTP/1.1\r\n\r\n"),
            431,
            false,
        ),
        (format!("GET /{long} HTTP/1.1\r\n\r\n"), 431, false),
        (format!("GET /mcpx?{long} HTTP/1.1\r\n\r\n"), 431, false),
        (format!("POST /mcp?max_tokens={long} HTTP/1.1\r\n\r\n"), 431, true),
        (format!("POST /mcp HTTP/1.1\r\nx-long: {long}\r\n\r\n"), 431, true),
        (format!("GET /server/ping HTTP/1.1\r\n{many}\r\n"), 431, false),
        ("oops\r\n\r\n".to_owned(), 400, false),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400, false),
        ("POST /mcp HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400, true),
    ] {
        let answer = raw(&app, request.as_bytes()).await;
        let (line, headers, body) = read(&answer);
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(headers.contains("content-type: application/json"), "{answer}");
        assert!(headers.contains("x-content-type-options: nosniff"), "{answer}");
        if of_mcp {
            assert_eq!(
                (&body["jsonrpc"], &body["id"]),
                (&json!("2.0"), &json!(null)),
                "{answer}"
            );
            assert_eq!(body["error"]["code"], -32600, "{answer}");
        } else {
            let code = if status > 400 {
                "CONTENT_TOO_LARGE"
            } else {
                "INVALID_PAYLOAD"
            };
            assert_eq!(body["errors"][0]["extensions"]["code"], code, "{answer}");
        }
    }
    let head = raw(&app, format!("HEAD /?{long} HTTP/1.1\r\n\r\n").as_bytes()).await;
    assert!(
        head.starts_with("HTTP/1.1 431 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    // A request that can be read is answered first, on the same connection.
    let second = format!("GET /server/ping HTTP/1.1\r\nhost: localhost\r\n\r\nGET /?{long} HTTP/1.1\r\n\r\n");
    let answers = raw(&app, second.as_bytes()).await;
    assert!(
        answers.contains("\r\n\r\npong") && answers.contains("HTTP/1.1 431 "),
        "{answers}"
    );
    assert_eq!(app.get("/server/ping").await.text, "pong");
}
