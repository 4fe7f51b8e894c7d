//! Users and tokens from the command line, with and without a server beside it.

use crate::binary::{Said, loggia};
use crate::server::Server;
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

fn say(folder: &Path, arguments: &[&str]) -> Said {
    Said::from(loggia(folder, arguments).output().unwrap())
}

fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let said = say(folder, arguments);
    assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.err);
    said.out
}

async fn signs_in(server: &Server, email: &str, password: &str) -> bool {
    let body = json!({"email": email, "password": password});
    server.post("/auth/login", &body).send().await.unwrap().status() == 200
}

#[test]
fn bootstrap_makes_what_a_first_start_makes_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = succeed(
        folder.path(),
        &["bootstrap", "--set", "admin.email=a@example.com"],
    );
    assert!(
        first.contains("a@example.com") && first.contains("mcpServers"),
        "{first}"
    );
    let second = succeed(folder.path(), &["bootstrap"]);
    assert!(second.contains("There is an administrator already"), "{second}");
    assert!(!second.contains("password"), "{second}");
    let examined = succeed(folder.path(), &["doctor", "--set", "listen=127.0.0.1:0"]);
    assert!(
        examined.lines().all(|line| line.starts_with("good ")),
        "{examined}"
    );
}

#[tokio::test]
async fn users_and_tokens_are_made_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());

    let made = succeed(
        folder.path(),
        &["user", "add", "bob@example.com", "--role", "Administrator"],
    );
    let password = made
        .lines()
        .find_map(|line| line.strip_prefix("password "))
        .unwrap()
        .trim();
    assert!(signs_in(&server, "bob@example.com", password).await);

    let mut change = loggia(
        folder.path(),
        &["user", "password", "bob@example.com", "--password-stdin"],
    )
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    change
        .stdin
        .take()
        .unwrap()
        .write_all(b"another password of bob\n")
        .unwrap();
    let changed = Said::from(change.wait_with_output().unwrap());
    assert_eq!(changed.code, Some(0), "{}", changed.out);
    assert!(!changed.out.contains("another password"), "{}", changed.out);
    assert!(signs_in(&server, "bob@example.com", "another password of bob").await);
    assert!(!signs_in(&server, "bob@example.com", password).await);

    let token = succeed(folder.path(), &["token", "create", "bob@example.com"]);
    let health = || {
        reqwest::Client::new()
            .get(format!("{}/server/health", server.url))
            .bearer_auth(token.trim())
    };
    assert_eq!(health().send().await.unwrap().status(), 200);
    succeed(folder.path(), &["token", "revoke", "bob@example.com"]);
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["bootstrap"]);
    for (arguments, expect) in [
        (
            &["user", "add", "admin@example.com"][..],
            "Another user has the e-mail address",
        ),
        (&["user", "add", "nobody"], "no e-mail address"),
        (
            &["user", "add", "bob@example.com", "--role", "King"],
            "There is no role King",
        ),
        (
            &["user", "password", "nobody@example.com"],
            "No user has the e-mail address",
        ),
        (
            &["token", "create", "nobody@example.com"],
            "No user has the e-mail address",
        ),
        (&["mcp"], "a token is needed"),
    ] {
        let said = say(folder.path(), arguments);
        assert_eq!(said.code, Some(1), "{arguments:?}");
        assert!(said.err.contains(expect), "{arguments:?}: {}", said.err);
        assert_eq!(said.out, "", "{arguments:?}");
    }
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::start(folder.path());
    let said = say(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("loggia.db"), "{}", said.err);
}
