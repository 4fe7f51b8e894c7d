//! Letters, and mail servers that take them or do not.

use std::path::Path;

use serde_json::{Value, json};

use crate::mail_server::{Letter, MailServer, Manner, authority};
use crate::server::{EMAIL, PASSWORD, Server, TOKEN};

const SENT_NONE: &str = "a letter about a new password was not sent";
const MAILBOX: &str = "ada:p%40ss-of-the-mailbox";
const MAILBOX_PASSWORD: &str = "p@ss-of-the-mailbox";

/// A server that gives its letters to this one; `trusting` its authority or not.
fn start(folder: &Path, url: &str, trusting: bool) -> Server {
    let settings = [
        format!("admin.email={EMAIL}"),
        format!("admin.password={PASSWORD}"),
        format!("admin.token={TOKEN}"),
        format!("mail.url={url}"),
        "mail.from=cms@example.com".to_owned(),
        "mail.timeout_s=2".to_owned(),
    ];
    let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let authority = authority();
    let variables = [("SSL_CERT_FILE", authority.as_path())];
    Server::start_in(folder, &arguments, if trusting { &variables } else { &[] })
}

async fn ask(server: &Server, email: &str) -> (u16, String) {
    let asked = server.post("/auth/password/request", &json!({"email": email}));
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The token of the link in a letter.
fn token(letter: &Letter) -> String {
    // Quoted-printable (RFC 2045 §6.7) breaks long lines, and writes = as =3D.
    let text = letter.text.replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = text.split_once("token=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn the_link_works(server: &Server, letter: &Letter) {
    let new = "another password of this test";
    let body = json!({"token": token(letter), "password": new});
    let reset = server.post("/auth/password/reset", &body).send().await.unwrap();
    assert_eq!(reset.status(), 204);
    let body = json!({"email": EMAIL, "password": new});
    let signed_in = server.post("/auth/login", &body).send().await.unwrap();
    assert_eq!(signed_in.status(), 200);
}

fn assert_silent_about_secrets(log: &[String], more: &[&str]) {
    let secrets = [PASSWORD, TOKEN, MAILBOX, MAILBOX_PASSWORD, "AGFkYQBwQHNz"];
    for line in log {
        for secret in secrets.iter().chain(more) {
            assert!(!line.contains(secret), "{line}");
        }
    }
}

#[tokio::test]
async fn a_letter_goes_by_tls_to_who_knows_the_mailbox() {
    for (manner, scheme) in [(Manner::Kind, "smtp"), (Manner::Wrapped, "smtps")] {
        let folder = tempfile::tempdir().unwrap();
        let mail = MailServer::start(manner);
        let url = format!("{scheme}://{MAILBOX}@localhost:{}", mail.port);
        let server = start(folder.path(), &url, true);
        assert_eq!(ask(&server, EMAIL).await, (204, String::new()));
        let letter = mail.letter();
        assert!(letter.by_tls && letter.signed_in, "{letter:?}");
        assert!(letter.from.contains("<cms@example.com>"), "{letter:?}");
        assert_eq!(letter.to.len(), 1);
        assert!(letter.to[0].contains(&format!("<{EMAIL}>")), "{letter:?}");
        assert!(letter.text.contains(&format!("\nTo: {EMAIL}\r\n")), "{letter:?}");
        the_link_works(&server, &letter).await;
        let log = server.stop().log;
        assert_silent_about_secrets(&log, &[&token(&letter)]);
        assert!(log.iter().all(|line| !line.contains(SENT_NONE)), "{log:?}");
    }
}

#[tokio::test]
async fn without_tls_only_who_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mail = MailServer::start(Manner::Plain);
    let url = format!("smtp://localhost:{}?tls=none", mail.port);
    let server = start(folder.path(), &url, false);
    assert_eq!(ask(&server, EMAIL).await, (204, String::new()));
    let letter = mail.letter();
    assert!(!letter.by_tls && !letter.signed_in);
    the_link_works(&server, &letter).await;
}

/// Nobody learns from the answer; the log says why, once.
async fn nothing_is_sent(manner: Option<Manner>, login: &str, trusting: bool, why: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mail = manner.map(MailServer::start);
    // A port that was free a moment ago, where nobody listens.
    let free = || {
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    };
    let port = mail.as_ref().map_or_else(free, |mail| mail.port);
    let server = start(
        folder.path(),
        &format!("smtp://{login}@localhost:{port}"),
        trusting,
    );
    let known = ask(&server, EMAIL).await;
    assert_eq!(known, (204, String::new()));
    assert_eq!(ask(&server, "nobody@example.com").await, known);
    let event = server.logged(SENT_NONE);
    let error = event["fields"]["error"].as_str().unwrap();
    assert!(error.to_lowercase().contains(why), "{error}");
    assert!(mail.is_none_or(|mail| mail.is_empty()));
    let log = server.stop().log;
    let told = log.iter().filter(|line| line.contains(SENT_NONE)).count();
    assert_eq!(told, 1, "{log:?}");
    assert_silent_about_secrets(&log, &["token="]);
    let is_error = |line: &&String| {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        event["level"] == "ERROR"
    };
    assert_eq!(log.iter().filter(is_error).count(), 1, "{log:?}");
}

#[tokio::test]
async fn a_mail_server_that_is_down() {
    nothing_is_sent(None, MAILBOX, true, "connection").await;
}

#[tokio::test]
async fn a_mail_server_that_knows_nobody() {
    nothing_is_sent(Some(Manner::KnowsNobody), MAILBOX, true, "550").await;
}

#[tokio::test]
async fn a_mail_server_without_tls_is_told_nothing() {
    nothing_is_sent(Some(Manner::Plain), MAILBOX, true, "starttls").await;
}

#[tokio::test]
async fn a_mail_server_that_nobody_vouches_for_is_told_nothing() {
    nothing_is_sent(Some(Manner::Kind), MAILBOX, false, "certificate").await;
}

#[tokio::test]
async fn a_mailbox_with_another_password() {
    nothing_is_sent(Some(Manner::Kind), "ada:wrong", true, "535").await;
}

#[tokio::test]
async fn a_mail_server_that_repeats_the_password() {
    nothing_is_sent(Some(Manner::Parrot), MAILBOX, true, "535").await;
}

#[tokio::test]
async fn a_mail_server_that_says_nothing() {
    nothing_is_sent(Some(Manner::Silent), MAILBOX, true, "longer than 2s").await;
}
