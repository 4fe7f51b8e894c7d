//! The binary over a database server instead of a file.

use crate::binary::{Said, loggia, names};
use crate::server::Server;
use loggia_servers::{Database, Kind, postgres_alone};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

/// A password that must be seen nowhere.
const HIDDEN: &str = "never%20to%20be%20seen";

/// The address of a database with a password in it, which its server does not ask for.
fn with_password(url: &str) -> String {
    url.replace("postgres@", &format!("postgres:{HIDDEN}@"))
}

fn doctor(folder: &Path, url: &str) -> Said {
    let output = loggia(folder, &["doctor", "--set", "listen=127.0.0.1:0"])
        .env("LOGGIA_DATABASE__URL", url)
        .output()
        .unwrap();
    Said::from(output)
}

fn database_line(said: &Said) -> &str {
    let line = said.out.lines().find(|line| line.contains(" database "));
    line.unwrap_or_else(|| panic!("{} {}", said.out, said.err))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_works_over_postgresql_and_keeps_its_password_to_itself() {
    let Some(database) = Database::empty(Kind::Postgres).await else {
        return;
    };
    let url = with_password(&database.url);
    let folder = tempfile::tempdir().unwrap();
    let before = doctor(folder.path(), &url);
    assert!(
        database_line(&before).starts_with("DOUBTFUL")
            && database_line(&before).contains("a start would make"),
        "{}",
        before.out
    );
    let setting = format!("database.url={url}");
    let schema = ["--set", &setting, "--set", "database.schema=cms"];
    let server = Server::start_with(
        folder.path(),
        &[
            &schema[..],
            &["--set", "admin.token=a-token-that-only-this-test-knows"],
        ]
        .concat(),
    );
    let made = server.post(
        "/collections",
        &json!({
            "collection": "notes", "schema": {},
            "fields": [{"field": "text", "type": "text"}],
        }),
    );
    assert_eq!(made.send().await.unwrap().status(), 200);
    let made = server.post("/items/notes", &json!({"text": "kept"}));
    assert_eq!(made.send().await.unwrap().status(), 200);
    let ended = server.stop();
    for text in ended.log.iter().chain([&ended.output]) {
        assert!(!text.contains("seen"), "{text}");
    }
    assert_eq!(
        names(&folder.path().join("data")),
        ["secret"],
        "what the database holds is not in the folder"
    );
    let server = Server::start_with(folder.path(), &schema);
    let answer = server.get("/items/notes").send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["data"][0]["text"], "kept");
    server.stop();
    let verified = loggia(folder.path(), &["audit", "verify"])
        .args(schema)
        .output()
        .unwrap();
    assert!(Said::from(verified).out.contains("intact"));
    let arguments = ["doctor", "--set", "listen=127.0.0.1:0"];
    let after = Said::from(loggia(folder.path(), &arguments).args(schema).output().unwrap());
    let line = database_line(&after);
    assert!(line.starts_with("good"), "{line}");
    for expect in ["PostgreSQL 1", "UTF8", "schema \"cms\"", "without TLS"] {
        assert!(line.contains(expect), "{line}");
    }
    assert!(!line.contains("seen"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_waits_for_its_database_and_says_so() {
    let Some(mut database) = postgres_alone() else {
        return;
    };
    let url = with_password(&database.url());
    database.kill();
    let folder = tempfile::tempdir().unwrap();
    let said = doctor(folder.path(), &url);
    assert_eq!(said.code, Some(1));
    let line = database_line(&said);
    assert!(
        line.starts_with("BAD") && line.contains("cannot be reached") && line.contains("refused"),
        "{line}"
    );
    let setting = format!("database.url={url}");
    let impatient = ["serve", "--listen", "127.0.0.1:0", "--set", &setting];
    let output = loggia(folder.path(), &impatient)
        .args(["--set", "database.start_timeout_ms=1"])
        .output()
        .unwrap();
    let said = Said::from(output);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err
            .contains("cannot open the database postgres://127.0.0.1:"),
        "{}",
        said.err
    );
    assert!(!said.err.contains("seen"), "{}", said.err);
    // Reads the log until it says something.
    let mut starting = loggia(folder.path(), &impatient)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(starting.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut heard = |says: &str| {
        log.find(|line| line.contains(says))
            .unwrap_or_else(|| panic!("never: {says}"))
    };
    assert!(heard("trying again").contains("refused"));
    database.start();
    heard("answers again");
    heard("listening");
    starting.kill().unwrap();
    starting.wait().unwrap();
}

#[test]
fn an_address_that_cannot_be_read_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for (url, says) in [
        ("mongodb://me:never-to-be-seen@host/cms", "\"mongodb\""),
        (
            "postgres://me:never-to-be-seen@host/cms?sslmode=maybe",
            "sslmode=maybe",
        ),
        ("postgres://me:never@to-be-seen@host/cms", "%40"),
    ] {
        let output = loggia(folder.path(), &["serve"])
            .env("LOGGIA_DATABASE__URL", url)
            .output()
            .unwrap();
        let said = Said::from(output);
        assert_eq!(said.code, Some(1));
        assert!(
            said.err.contains(says) && said.err.contains("LOGGIA_DATABASE__URL"),
            "{}",
            said.err
        );
        assert!(!said.err.contains("seen"), "{}", said.err);
    }
    assert!(names(folder.path()).is_empty());
}
