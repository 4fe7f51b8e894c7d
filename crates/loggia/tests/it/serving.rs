//! Starting, answering, stopping.

use crate::binary::{Said, loggia, names};
use crate::server::{EMAIL, PASSWORD, Server, TOKEN};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// The JSON object in a text.
fn client_configuration(printed: &str) -> Value {
    let start = printed
        .find("\n{")
        .unwrap_or_else(|| panic!("no JSON in {printed}"));
    let end = printed.rfind("\n}").unwrap() + 2;
    serde_json::from_str(&printed[start..end]).unwrap()
}

/// Whether `/server/health` tells the caller more than that all is well.
async fn is_administrator(health: reqwest::RequestBuilder) -> bool {
    let answer: Value = health.send().await.unwrap().json().await.unwrap();
    answer.get("checks").is_some()
}

#[tokio::test]
async fn the_first_start_makes_everything_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[]);
    let (url, address) = (server.url.clone(), server.address().to_owned());
    let client = reqwest::Client::new();
    let anybody = client
        .post(format!("{url}/mcp"))
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    assert_ne!(anybody.status(), 200, "MCP is off until somebody switches it on");
    let printed = server.stop().output;

    for expect in [&url, EMAIL, "mcp_enabled", &format!("http://{address}/mcp")] {
        assert!(printed.contains(expect), "{expect} is not in {printed}");
    }
    let configuration = client_configuration(&printed);
    let entry = &configuration["mcpServers"]["loggia"];
    assert_eq!(entry["url"], format!("http://{address}/mcp"));
    let token = entry["headers"]["Authorization"]
        .as_str()
        .unwrap()
        .strip_prefix("Bearer ")
        .unwrap()
        .to_owned();
    let password = printed
        .lines()
        .find_map(|line| line.trim().strip_prefix("password"))
        .unwrap()
        .trim()
        .to_owned();

    let data = folder.path().join("data");
    let secret = std::fs::metadata(data.join("secret")).unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
    assert!(names(&data).contains(&"loggia.db".to_owned()));

    let again = Server::start_with(folder.path(), &[]);
    assert!(
        is_administrator(
            client
                .get(format!("{}/server/health", again.url))
                .bearer_auth(&token)
        )
        .await
    );
    let sign_in = json!({"email": EMAIL, "password": password});
    let signed_in = client
        .post(format!("{}/auth/login", again.url))
        .json(&sign_in)
        .send()
        .await
        .unwrap();
    assert_eq!(signed_in.status(), 200);
    let printed = again.stop().output;
    assert!(
        !printed.contains(&token) && !printed.contains("password"),
        "{printed}"
    );
}

#[tokio::test]
async fn the_administrator_may_be_configured() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    assert!(is_administrator(server.get("/server/health")).await);
    let sign_in = server.post("/auth/login", &json!({"email": EMAIL, "password": PASSWORD}));
    assert_eq!(sign_in.send().await.unwrap().status(), 200);
    let printed = server.stop().output;
    assert!(
        !printed.contains(PASSWORD) && !printed.contains(TOKEN),
        "what was configured is not printed: {printed}"
    );
}

#[test]
fn a_request_that_runs_when_the_signal_comes_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let body = json!({"email": EMAIL, "password": PASSWORD}).to_string();
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        server.address(),
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..10]).unwrap();
    // The server has begun with the request once it answers another one that was sent after it.
    let mut other = TcpStream::connect(server.address()).unwrap();
    write!(
        other,
        "GET /server/ping HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.address()
    )
    .unwrap();
    other.read_to_string(&mut String::new()).unwrap();

    server.signal("TERM");
    stream.write_all(&body.as_bytes()[10..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let status = server.ended().status;
    assert!(status.success(), "{status}");
}

#[test]
fn an_address_that_is_taken_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = Said::from(
        loggia(folder.path(), &["serve", "--listen", &address])
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.contains(&address) && said.err.contains("in use"),
        "{}",
        said.err
    );
    assert!(
        !said.out.contains("password"),
        "no administrator is made by a start that fails: {}",
        said.out
    );
}

#[tokio::test]
async fn the_log_names_requests_and_holds_no_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let known = [
        format!("admin.email={EMAIL}"),
        format!("admin.password={PASSWORD}"),
        format!("admin.token={TOKEN}"),
        "secret=a secret of thirty-two characters".to_owned(),
        "log.level=trace".to_owned(),
    ];
    let arguments: Vec<&str> = known.iter().flat_map(|setting| ["--set", setting]).collect();
    let server = Server::start_with(folder.path(), &arguments);
    let client = reqwest::Client::new();
    let sign_in = json!({"email": EMAIL, "password": PASSWORD});
    let signed_in: Value = server
        .post("/auth/login", &sign_in)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let [access, refresh] =
        ["access_token", "refresh_token"].map(|name| signed_in["data"][name].as_str().unwrap().to_owned());
    for request in [
        server.get("/server/health"),
        client.get(format!("{}/server/health?access_token={TOKEN}", server.url)),
        client
            .get(format!("{}/server/health", server.url))
            .bearer_auth(&access),
        client
            .get(format!("{}/server/health", server.url))
            .bearer_auth("a-token-that-is-wrong"),
        server.post(
            "/auth/refresh",
            &json!({"refresh_token": refresh, "mode": "json"}),
        ),
        server.post(
            "/auth/login",
            &json!({"email": EMAIL, "password": "a wrong password"}),
        ),
        server.get("/nowhere"),
    ] {
        request.send().await.unwrap();
    }
    let ended = server.stop();
    let log = ended.log.join("\n");
    let secrets = [
        PASSWORD,
        TOKEN,
        "a secret of thirty-two",
        &access,
        &refresh,
        "a-token-that-is-wrong",
        "a wrong password",
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
    let events: Vec<Value> = ended
        .log
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let named = events
        .iter()
        .filter(|event| event["fields"]["request_id"].is_string())
        .count();
    assert!(named >= 8, "{named} events name their request: {log}");
}
