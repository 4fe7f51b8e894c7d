//! Bytes that no friendly client sends.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::parrot::start;

async fn raw(url: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://"))
        .await
        .unwrap();
    // A server that has answered may close before everything is written.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn broken_requests_get_an_answer_of_400_or_none_and_the_server_lives() {
    let app = start().await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(100_000));
    let many = format!(
        "GET /server/ping HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        "x: y\r\n".repeat(500)
    );
    for bytes in [
        b"\x00\x01\x02\x03".as_slice(),
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /server/ping HTTP/1.1\r\nhost: localhost\r\ncontent-length: abc\r\n\r\n",
        b"POST /auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /auth/login HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ] {
        let answer = raw(app.url(), bytes).await;
        assert!(!answer.starts_with("HTTP/1.1 2") && !answer.starts_with("HTTP/1.1 5"), "{answer}");
    }
    assert_eq!(app.get("/server/ping").await.text, "pong");
}

#[tokio::test]
async fn without_a_host_nothing_is_answered() {
    let app = start().await;
    let answer = raw(
        app.url(),
        b"GET /server/ping HTTP/1.1\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 403") || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
}

#[tokio::test]
async fn query_strings_without_end_are_refused() {
    let app = start().await;
    for (query, status) in [
        ("?access_token=%ff", 403),
        ("?%", 403),
        ("?access_token=a&access_token=b", 400),
    ] {
        let answer = app.anonymous().get(&format!("/server/health{query}")).await;
        assert_eq!(answer.status, status, "{query}");
    }
}

#[tokio::test]
async fn names_that_are_no_text_are_those_of_nothing() {
    let app = start().await;
    for path in [
        "/collections/%ff",
        "/fields/%ff",
        "/fields/a/%ff",
        "/relations/%ff/a",
        "/items/%ff",
        "/items/a/%ff",
        "/users/%ff",
    ] {
        assert_eq!(app.get(path).await.refusal(), (404, "ROUTE_NOT_FOUND"), "{path}");
    }
}

#[tokio::test]
async fn bodies_of_every_wrong_kind_change_nothing_and_say_why() {
    let app = start().await;
    for body in [
        "",
        " ",
        "null",
        "1",
        "\"x\"",
        "[]",
        "{",
        "{\"a\":}",
        "\u{feff}{}",
        "{}{}",
        "nul",
        "{\"email\":1e999}",
    ] {
        let request = app
            .anonymous()
            .request("POST", "/auth/login")
            .header("content-type", "application/json")
            .body(body.to_owned());
        let answer = app.send(request).await;
        assert_eq!(answer.refusal(), (400, "INVALID_PAYLOAD"), "{body}");
    }
    let request = app
        .request("POST", "/auth/login")
        .header("content-type", "application/json");
    let answer = app.send(request.body(vec![b'{', 0xff, b'}'])).await;
    assert_eq!(answer.refusal(), (400, "INVALID_PAYLOAD"));
    let nul = json!({"email": "a\u{0}@b.c", "password": "\u{0}"});
    assert_eq!(
        app.post("/auth/login", nul).await.refusal(),
        (401, "INVALID_CREDENTIALS")
    );
}
