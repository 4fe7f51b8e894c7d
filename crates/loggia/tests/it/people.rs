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

#[tokio::test]
async fn access_tokens_are_managed_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let say = |arguments: &[&str]| succeed(folder.path(), arguments).trim().to_owned();
    let status = async |token: &str| {
        let client = reqwest::Client::new();
        let request = client
            .get(format!("{}/server/health", server.url))
            .bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    let token = say(&[
        "token",
        "create",
        "admin@example.com",
        "--name",
        "import",
        "--lifespan",
        "30",
        "--ip",
        "127.0.0.0/8",
        "--requests-per-minute",
        "100",
        "--policy",
        "abf8a154-5b1c-4a46-ac9c-7300570f4f17",
    ]);
    assert!(token.starts_with("lgt_"), "{token}");
    assert_eq!(status(&token).await, 200);
    let listed = say(&["token", "list", "admin@example.com"]);
    assert!(
        listed.contains(&token[..12]) && listed.ends_with("import"),
        "{listed}"
    );
    assert_eq!(listed, say(&["token", "list"]));
    let key = listed.split(' ').next().unwrap();
    let rotated = say(&["token", "rotate", key, "--lifespan", "7"]);
    assert_eq!(status(&rotated).await, 200);
    assert_eq!(say(&["token", "revoke", key]), format!("revoked     {key}"));
    assert_eq!(say(&["token", "list"]), "");
    let refused = Said::from(loggia(folder.path(), &["token", "revoke", key]).output().unwrap());
    assert_eq!(refused.code, Some(1));
    let wrong = [
        "token",
        "create",
        "admin@example.com",
        "--name",
        "x",
        "--lifespan",
        "8",
        "--policy",
        "y",
    ];
    let refused = Said::from(loggia(folder.path(), &wrong).output().unwrap());
    assert!(
        refused.err.contains("7, 30 or 90") && refused.err.contains("no policy"),
        "{}",
        refused.err
    );
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

/// Every act is one change, recorded as the command line's.
#[tokio::test]
async fn what_the_command_line_does_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let say = |arguments: &[&str]| succeed(folder.path(), arguments).trim().to_owned();
    let changes = || {
        let verified = say(&["audit", "verify"]);
        assert!(verified.ends_with("intact"), "{verified}");
        let counted = verified.lines().find_map(|line| line.strip_prefix("changes"));
        counted.unwrap().trim().parse::<usize>().unwrap()
    };
    say(&["bootstrap", "--set", "admin.token=the-administrators-token"]);
    assert_eq!(changes(), 1);
    say(&["user", "add", "bob@example.com"]);
    say(&["user", "password", "bob@example.com"]);
    say(&["token", "create", "bob@example.com"]);
    say(&["token", "revoke", "bob@example.com"]);
    say(&["token", "create", "bob@example.com", "--name", "import"]);
    let listed = say(&["token", "list"]);
    let key = listed.split(' ').next().unwrap();
    say(&["token", "rotate", key]);
    say(&["token", "revoke", key]);
    say(&["bootstrap"]);
    let pruned = say(&["audit", "prune"]);
    assert_eq!(pruned, "activity    0\nrevisions   0", "it is kept for ever");
    assert_eq!(
        changes(),
        8,
        "nothing is left to be made, and looking changes nothing"
    );

    let server = Server::start(folder.path());
    let read = async |path: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", server.url));
        let answer = request
            .bearer_auth("the-administrators-token")
            .send()
            .await
            .unwrap();
        answer.json::<serde_json::Value>().await.unwrap()["data"].clone()
    };
    let mut acts = Vec::new();
    for change in read("/changes?origin=cli").await.as_array().unwrap().iter().rev() {
        assert_eq!(change["user"], json!(null));
        let id = change["id"].as_str().unwrap();
        let entries = read(&format!("/changes/{id}")).await["entries"].clone();
        for entry in entries.as_array().unwrap() {
            let (collection, action) = (&entry["collection"], &entry["action"]);
            acts.push(format!(
                "{} {}",
                action.as_str().unwrap(),
                collection.as_str().unwrap()
            ));
        }
    }
    let expected = [
        "create directus_roles",
        "create directus_policies",
        "create directus_access",
        "create directus_users",
        "create directus_users",
        "update directus_users",
        "update directus_users",
        "update directus_users",
        "create loggia_tokens",
        "update loggia_tokens",
        "delete loggia_tokens",
    ];
    assert_eq!(acts, expected);
}
