//! A new password for somebody who forgot theirs.

use jiff::SignedDuration;
use loggia_testkit::{ADMIN_EMAIL, ADMIN_PASSWORD, Answer, TestApp};
use serde_json::{Value, json};

const PAGE: &str = "https://www.example.com/new-password";
const NEW: &str = "another-password-2";

async fn start() -> TestApp {
    TestApp::builder()
        .config(|config| config.password_reset_urls = vec![PAGE.to_owned()])
        .start()
        .await
}

async fn request(app: &TestApp, body: Value) -> Answer {
    app.anonymous().post("/auth/password/request", body).await
}

/// Asks for a link, and takes the token out of the letter.
async fn token(app: &TestApp, email: &str) -> String {
    let answer = request(app, json!({"email": email})).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let mail = app.mailbox.next().await;
    let (_, rest) = mail.text.split_once("token=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "password": password});
    app.anonymous().post("/auth/password/reset", body).await
}

async fn login(app: &TestApp, password: &str) -> Answer {
    let body = json!({"email": ADMIN_EMAIL, "password": password});
    app.anonymous().post("/auth/login", body).await
}

#[tokio::test]
async fn a_link_works_once_and_ends_all_sessions() {
    let app = start().await;
    let session = login(&app, ADMIN_PASSWORD).await;
    let session = app.with_token(session.data()["access_token"].as_str().unwrap());
    let (first, second) = (
        token(&app, ADMIN_EMAIL).await,
        token(&app, "ADMIN@example.com").await,
    );
    let short = reset(&app, &first, "short").await;
    assert_eq!(short.refusal(), (400, "FAILED_VALIDATION"));
    assert_eq!(session.get("/users/me").await.status, 200);
    let done = reset(&app, &first, NEW).await;
    assert_eq!((done.status, done.text.as_str()), (204, ""));
    assert_eq!(
        session.get("/users/me").await.refusal(),
        (401, "INVALID_CREDENTIALS")
    );
    assert_eq!(
        login(&app, ADMIN_PASSWORD).await.refusal(),
        (401, "INVALID_CREDENTIALS")
    );
    assert_eq!(login(&app, NEW).await.status, 200);
    // It is used up, and so are all others.
    for used in [&first, &second] {
        assert_eq!(
            reset(&app, used, "yet-another-3").await.refusal(),
            (403, "INVALID_TOKEN")
        );
    }
    assert_eq!(login(&app, NEW).await.status, 200);
}

#[tokio::test]
async fn a_link_ends_with_its_hour_and_cannot_be_made_up() {
    let app = start().await;
    let link = token(&app, ADMIN_EMAIL).await;
    let mut forged = link.clone().into_bytes();
    forged[5] = if forged[5] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for wrong in [forged.as_str(), "x", "", &"x".repeat(5_000)] {
        let refused = reset(&app, wrong, NEW).await;
        assert_eq!(refused.refusal(), (403, "INVALID_TOKEN"), "{wrong}");
    }
    // It is good for nothing else, and nothing else for it.
    assert_eq!(
        app.with_token(&link).get("/users/me").await.refusal(),
        (401, "INVALID_CREDENTIALS")
    );
    let session = login(&app, ADMIN_PASSWORD).await;
    let access = session.data()["access_token"].as_str().unwrap();
    assert_eq!(reset(&app, access, NEW).await.refusal(), (403, "INVALID_TOKEN"));
    app.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(reset(&app, &link, NEW).await.refusal(), (401, "TOKEN_EXPIRED"));
    assert_eq!(reset(&app, "", "").await.refusal().0, 403);
    let empty = app.anonymous().post("/auth/password/reset", json!({})).await;
    assert_eq!((empty.status, empty.codes().len()), (400, 2));
}

#[tokio::test]
async fn a_link_is_void_once_the_address_or_the_password_is_another() {
    let app = start().await;
    for change in [
        json!({"email": "new@example.com"}),
        json!({"password": "another-password-2"}),
    ] {
        let path = format!("/users/{}", app.key().await);
        let email = app.get("/users/me?fields=email").await.data()["email"].clone();
        let link = token(&app, email.as_str().unwrap()).await;
        assert_eq!(app.patch(&path, change.clone()).await.status, 200);
        let used = reset(&app, &link, NEW).await;
        assert_eq!(used.refusal(), (403, "INVALID_TOKEN"), "{change}");
    }
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let app = start().await;
    app.user("someone@example.com", "someones-static-token").await;
    let found = app
        .get("/users?filter[email][_eq]=someone@example.com&fields=id")
        .await;
    let path = format!("/users/{}", found.data()[0]["id"].as_str().unwrap());
    let link = token(&app, "someone@example.com").await;
    assert_eq!(app.patch(&path, json!({"status": "suspended"})).await.status, 200);
    assert_eq!(reset(&app, &link, NEW).await.refusal(), (401, "USER_SUSPENDED"));
    for email in ["nobody@example.com", "someone@example.com"] {
        let answer = request(&app, json!({"email": email})).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    }
    // Letters are sent in order of the requests that lead to one; the next is the administrator's.
    request(&app, json!({"email": ADMIN_EMAIL})).await;
    assert_eq!(app.mailbox.next().await.to, ADMIN_EMAIL);
    assert!(app.mailbox.is_empty().await);
    // Too many requests look the same as well.
    for email in [ADMIN_EMAIL, "nobody@example.com"] {
        let mut last = request(&app, json!({"email": email})).await;
        for _ in 0..2 {
            last = request(&app, json!({"email": email})).await;
        }
        assert_eq!(last.refusal(), (429, "REQUESTS_EXCEEDED"), "{email}");
        assert_eq!(last.header("retry-after"), "3600");
    }
}

#[tokio::test]
async fn links_lead_to_listed_pages_only() {
    let app = start().await;
    request(&app, json!({"email": ADMIN_EMAIL})).await;
    let mail = app.mailbox.next().await;
    let ours = format!("{}/admin/reset-password?token=", app.url());
    assert!(mail.text.contains(&ours), "{}", mail.text);
    assert_eq!(mail.to, ADMIN_EMAIL);
    assert_eq!(mail.subject, "Test: choose a new password");
    request(&app, json!({"email": ADMIN_EMAIL, "reset_url": PAGE})).await;
    assert!(app.mailbox.next().await.text.contains(&format!("{PAGE}?token=")));
    for page in [
        "https://evil.example",
        &format!("{PAGE}.evil.example"),
        &format!("{PAGE}/../x"),
        "",
    ] {
        let refused = request(&app, json!({"email": ADMIN_EMAIL, "reset_url": page})).await;
        assert_eq!(refused.refusal(), (400, "INVALID_PAYLOAD"), "{page}");
    }
}
