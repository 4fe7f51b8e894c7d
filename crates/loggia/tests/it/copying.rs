//! `loggia copy`: a project moves to another database, whatever happens on the way.

use crate::binary::{Said, loggia};
use crate::server::{EMAIL, PASSWORD, Server};
use loggia_servers::{Database, Kind};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

/// A password that must be seen nowhere.
const HIDDEN: &str = "never%20to%20be%20seen";

fn with_password(url: &str) -> String {
    url.replace("postgres@", &format!("postgres:{HIDDEN}@"))
}

fn copy(folder: &Path, arguments: &[&str]) -> Said {
    let output = loggia(folder, &["copy"]).args(arguments).output().unwrap();
    let said = Said::from(output);
    assert!(
        !said.out.contains("seen") && !said.err.contains("seen"),
        "{} {}",
        said.out,
        said.err
    );
    said
}

#[track_caller]
fn good(said: Said) -> Said {
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    said
}

/// Sends one request and wants it to succeed.
async fn posted(server: &Server, path: &str, body: Value) -> Value {
    let answer = server.post(path, &body).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

/// A model with a self reference, a ring and a field of ours at the users, and items that were changed and deleted.
async fn fill(server: &Server) {
    let counted = json!({"field": "id", "type": "integer",
        "schema": {"is_primary_key": true, "has_auto_increment": true}});
    let field = |name: &str, kind: &str| json!({"field": name, "type": kind, "schema": {}});
    let collection =
        |name: &str, fields: Vec<Value>| json!({"collection": name, "schema": {}, "fields": fields});
    for made in [
        collection(
            "pages",
            vec![
                counted.clone(),
                json!({"field": "slug", "type": "string", "schema": {"is_unique": true}}),
                field("parent", "integer"),
                field("price", "decimal"),
                field("data", "json"),
                field("at", "timestamp"),
                field("keywords", "csv"),
                field("hidden", "hash"),
                field("cover", "uuid"),
            ],
        ),
        collection(
            "covers",
            vec![
                json!({"field": "id", "type": "uuid", "meta": {"special": ["uuid"]}, "schema": {"is_primary_key": true}}),
                field("page", "integer"),
            ],
        ),
    ] {
        posted(server, "/collections", made).await;
    }
    let relation = |collection: &str, field: &str, related: &str| json!({"collection": collection, "field": field, "related_collection": related, "schema": {"on_delete": "SET NULL"}});
    for made in [
        relation("pages", "parent", "pages"),
        relation("pages", "cover", "covers"),
        relation("covers", "page", "pages"),
    ] {
        posted(server, "/relations", made).await;
    }
    posted(server, "/fields/directus_users", field("shoe_size", "integer")).await;
    posted(server, "/items/pages", json!({"slug": "root"})).await;
    let items: Value = (2..=60)
        .map(|n| {
            json!({"slug": format!("page-{n}"), "parent": 1, "price": format!("{n}.50"),
                "data": {"n": n, "a": [null, "\u{1}ü"]}, "at": "2026-01-31T10:00:00.120Z", "keywords": ["x", "y"],
                "hidden": "secret"})
        })
        .collect();
    posted(server, "/items/pages", items).await;
    let cover = posted(server, "/items/covers", json!({"page": 2})).await;
    for change in [json!({"cover": cover["data"]["id"]}), json!({"slug": "renamed"})] {
        let answer = server.patch("/items/pages/2", &change).send().await.unwrap();
        assert!(answer.status().is_success());
    }
    let gone = server.delete("/items/pages/60").send().await.unwrap();
    assert!(gone.status().is_success());
}

/// Everything that a client sees of a project.
async fn seen(server: &Server) -> Vec<(String, Value)> {
    let mut seen = Vec::new();
    for path in [
        "/items/pages?limit=-1&fields=*,_rev,cover.*",
        "/items/covers?limit=-1&fields=*,_rev",
        "/changes?limit=100",
        "/revisions?limit=-1",
        "/activity?limit=-1",
        "/users?fields=id,email,token,role,shoe_size",
        "/policies?limit=-1",
        "/permissions?limit=-1",
        "/settings",
        "/collections",
        "/fields",
        "/relations",
    ] {
        let answer = server.get(path).send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{path}: {}",
            answer.text().await.unwrap()
        );
        let mut answer: Value = answer.json().await.unwrap();
        without_types(&mut answer);
        seen.push((path.to_owned(), answer));
    }
    seen
}

/// How each database calls its types, and what it calls an index, is its own.
fn without_types(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("data_type");
            map.values_mut().for_each(without_types);
        }
        Value::Array(list) => list.iter_mut().for_each(without_types),
        _ => {}
    }
}

async fn same(server: &Server, before: &[(String, Value)]) {
    for ((path, before), (_, now)) in before.iter().zip(seen(server).await) {
        assert_eq!(*before, now, "{path}");
    }
    let login = json!({"email": EMAIL, "password": PASSWORD});
    posted(server, "/auth/login", login).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_moves_to_a_server_and_back_as_it_was() {
    let Some(database) = Database::empty(Kind::Postgres).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    fill(&server).await;
    let before = seen(&server).await;
    server.stop();
    let url = with_password(&database.url);
    // From the database of the configuration.
    let said = good(copy(folder.path(), &["--to", &url, "--to-schema", "cms"]));
    for says in ["copied ", "compared ", "changes, intact"] {
        assert!(said.out.contains(says), "{says}: {}", said.out);
    }
    assert!(
        said.err.contains("copying     pages  59 of 59 rows"),
        "{}",
        said.err
    );
    let at_server = [
        "--set",
        &format!("database.url={url}"),
        "--set",
        "database.schema=cms",
    ];
    let server = Server::start_with(folder.path(), &at_server);
    same(&server, &before).await;
    let next = posted(&server, "/items/pages", json!({"slug": "next"})).await;
    assert_eq!(
        next["data"]["id"], 61,
        "the key of what was deleted does not come again"
    );
    server.stop();
    let back = [
        "--from",
        &url,
        "--from-schema",
        "cms",
        "--to",
        "sqlite://back/loggia.db",
    ];
    good(copy(folder.path(), &back));
    good(copy(folder.path(), &[&back[..], &["--compare"]].concat()));
    let again = copy(folder.path(), &back);
    assert_eq!(again.code, Some(1));
    assert!(
        again.err.contains("in use already") && again.err.contains("--compare"),
        "{}",
        again.err
    );
    // The old file is not what the server became.
    let old = copy(folder.path(), &["--to", &url, "--to-schema", "cms", "--compare"]);
    assert_eq!(old.code, Some(1));
    assert!(
        old.out
            .contains("differs     pages: 59 rows in the source, 60 in the target"),
        "{}",
        old.out
    );
    std::fs::copy(
        folder.path().join("data/secret"),
        folder.path().join("back/secret"),
    )
    .unwrap();
    let server = Server::start_with(folder.path(), &["--set", "data=back"]);
    let gone = server.delete("/items/pages/61").send().await.unwrap();
    assert!(gone.status().is_success());
    let now = server
        .get("/items/pages?limit=-1&fields=*,_rev,cover.*")
        .send()
        .await
        .unwrap();
    assert_eq!(now.json::<Value>().await.unwrap(), before[0].1);
    server.stop();
    for arguments in [
        ["audit", "verify", "--data", "back"],
        ["doctor", "--data", "back", "--set=listen=127.0.0.1:0"],
    ] {
        good(loggia(folder.path(), &arguments).output().unwrap().into());
    }
}

/// Starts a copy, kills it once it has said so many lines, and tells whether it was done before.
fn killed(folder: &Path, arguments: &[&str], lines: usize) -> bool {
    let mut child = loggia(folder, &["copy"])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut heard = Vec::new();
    for line in said.map_while(Result::ok) {
        heard.push(line);
        if heard.len() == lines {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(status.success() || heard.len() >= lines, "{}", heard.join("\n"));
    status.success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_again_and_again_ends_whole() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    fill(&server).await;
    server.stop();
    let arguments = ["--to", "sqlite://other/loggia.db"];
    let (mut lines, mut kills) = (2, 0);
    while !killed(folder.path(), &arguments, lines) {
        kills += 1;
        lines += 5;
    }
    assert!(kills > 5, "{kills}");
    good(copy(folder.path(), &[&arguments[..], &["--compare"]].concat()));
    for arguments in [
        ["audit", "verify", "--data", "other"],
        ["doctor", "--data", "other", "--set=listen=127.0.0.1:0"],
    ] {
        good(loggia(folder.path(), &arguments).output().unwrap().into());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_works_with_half_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    Server::start(folder.path()).stop();
    let arguments = ["--to", "sqlite://half/loggia.db"];
    // Checking says a line for each table, and then copying begins.
    let mut lines = 25;
    let unfinished = loop {
        assert!(
            !killed(folder.path(), &arguments, lines),
            "it was done before it was killed"
        );
        let output = loggia(
            folder.path(),
            &["doctor", "--data", "half", "--set=listen=127.0.0.1:0"],
        );
        let said = Said::from({ output }.output().unwrap());
        match said.code {
            Some(1) => break said,
            _ => lines += 1,
        }
    };
    assert!(
        unfinished.out.contains("BAD       database") && unfinished.out.contains("repeat `loggia copy`"),
        "{}",
        unfinished.out
    );
    let serve = loggia(
        folder.path(),
        &["serve", "--data", "half", "--listen", "127.0.0.1:0"],
    );
    let said = Said::from({ serve }.output().unwrap());
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("is not finished"), "{}", said.err);
    let onwards = copy(
        folder.path(),
        &[
            "--from",
            "sqlite://half/loggia.db",
            "--to",
            "sqlite://third/loggia.db",
        ],
    );
    assert!(onwards.err.contains("is not finished"), "{}", onwards.err);
    good(copy(folder.path(), &arguments));
}

#[test]
fn what_cannot_be_copied_is_said_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, says) in [
        (vec!["--to", "sqlite://a.db"], "nothing to copy"),
        (
            vec!["--from", "sqlite://x.db", "--to", "sqlite://x.db"],
            "are both sqlite://x.db",
        ),
        (vec!["--to", "postgres://me:never@to-be-seen@host/cms"], "%40"),
        (vec!["--to", "mongodb://me:never-to-be-seen@host/cms"], "--to"),
        (vec!["--from", "nowhere", "--to", "sqlite://x.db"], "--from"),
        (
            vec!["--to", "sqlite://x.db", "--to-schema", "cms"],
            "--to-schema says nothing about a file",
        ),
    ] {
        let said = copy(folder.path(), &arguments);
        assert_eq!(said.code, Some(1), "{arguments:?}");
        assert!(said.err.contains(says), "{arguments:?}: {}", said.err);
    }
    assert!(!folder.path().join("a.db").exists() && !folder.path().join("x.db").exists());
}
