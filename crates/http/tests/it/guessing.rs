//! Strangers who guess: they are slowed down, and shut nobody out.

use jiff::SignedDuration;
use loggia_access::IpAccess;
use loggia_identity::one_time_password;
use loggia_testkit::{ADMIN_EMAIL, ADMIN_PASSWORD, Answer, TestApp};
use serde_json::{Value, json};

const HOME: &str = "10.0.0.1";
const LIMIT: u32 = 5;
const NOBODY: &str = "nobody@example.com";

/// Behind a proxy, so that requests come from wherever they say.
async fn start() -> TestApp {
    TestApp::builder()
        .setting("auth_login_attempts", LIMIT)
        .config(|config| config.trusted_proxies = IpAccess::read(["127.0.0.0/8"]))
        .start()
        .await
}

async fn post(app: &TestApp, from: &str, path: &str, body: Value) -> Answer {
    let request = app.anonymous().request("POST", path);
    app.send(request.header("x-forwarded-for", from).json(&body))
        .await
}

async fn login(app: &TestApp, from: &str, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    post(app, from, "/auth/login", body).await
}

/// Guesses from many addresses, each once; what was answered.
async fn guess(app: &TestApp, email: &str, guesses: u32) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    for n in 0..guesses {
        let answer = login(app, &format!("192.0.2.{n}"), email, "x").await;
        answers.push((answer.status, answer.text));
    }
    answers
}

#[tokio::test]
async fn guesses_from_everywhere_leave_the_user_in() {
    let app = start().await;
    let session = login(&app, HOME, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    let session = app.with_token(session.data()["access_token"].as_str().unwrap());
    let answers = guess(&app, ADMIN_EMAIL, 40).await;
    let tried = answers.iter().filter(|(status, _)| *status == 401).count();
    assert_eq!(tried, LIMIT as usize, "the others were not tried");
    // Whoever has signed in from there before gets in, again and again; and nothing has ended.
    for _ in 0..3 {
        assert_eq!(login(&app, HOME, ADMIN_EMAIL, ADMIN_PASSWORD).await.status, 200);
    }
    assert_eq!(
        session.get("/users/me?fields=status").await.data()["status"],
        "active"
    );
    // From elsewhere it takes a while, which is told.
    let elsewhere = login(&app, "10.0.0.2", ADMIN_EMAIL, ADMIN_PASSWORD).await;
    assert_eq!(elsewhere.refusal(), (429, "REQUESTS_EXCEEDED"));
    assert_eq!(elsewhere.header("retry-after"), "1");
    assert!(elsewhere.text.contains("signed in before"), "{}", elsewhere.text);
    app.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(
        login(&app, "10.0.0.2", ADMIN_EMAIL, ADMIN_PASSWORD).await.status,
        200
    );
    // Then that is known as well.
    guess(&app, ADMIN_EMAIL, 40).await;
    assert_eq!(
        login(&app, "10.0.0.2", ADMIN_EMAIL, ADMIN_PASSWORD).await.status,
        200
    );
}

#[tokio::test]
async fn an_account_that_does_not_exist_gets_slow_in_the_same_way() {
    let app = start().await;
    login(&app, HOME, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    let mut answers = Vec::new();
    for email in [ADMIN_EMAIL, NOBODY] {
        let mut all = guess(&app, email, 8).await;
        app.clock.advance(SignedDuration::from_secs(1));
        all.extend(guess(&app, email, 3).await);
        answers.push(all);
    }
    assert_eq!(answers[0], answers[1]);
    let statuses: Vec<_> = answers[0].iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429, 401, 429, 429]);
}

#[tokio::test]
async fn addresses_of_one_network_are_one() {
    let app = start().await;
    let fail = async |from: &str| login(&app, from, ADMIN_EMAIL, "x").await.status;
    for n in 1..=LIMIT {
        assert_eq!(fail(&format!("2001:db8:1:2::{n}")).await, 401);
    }
    app.clock.advance(SignedDuration::from_secs(1));
    let closed = login(&app, "2001:db8:1:2:ffff::1", ADMIN_EMAIL, ADMIN_PASSWORD).await;
    assert_eq!(closed.refusal(), (429, "REQUESTS_EXCEEDED"));
    assert_eq!(closed.header("retry-after"), "899");
    let beside = login(&app, "2001:db8:1:3::1", ADMIN_EMAIL, ADMIN_PASSWORD).await;
    assert_eq!(beside.status, 200, "{}", beside.text);
    // An address of version 4 is one however it is written, and its neighbour another.
    let app = start().await;
    for n in 0..LIMIT {
        let from = ["192.0.2.1", "::ffff:192.0.2.1", "[::ffff:c000:201]:4711"][n as usize % 3];
        assert_eq!(login(&app, from, ADMIN_EMAIL, "x").await.status, 401);
    }
    app.clock.advance(SignedDuration::from_secs(1));
    for (from, status) in [("::ffff:192.0.2.1", 429), ("192.0.2.2", 200)] {
        assert_eq!(
            login(&app, from, ADMIN_EMAIL, ADMIN_PASSWORD).await.status,
            status,
            "{from}"
        );
    }
}

#[tokio::test]
async fn who_reads_the_letter_gets_in_from_there() {
    let app = start().await;
    guess(&app, ADMIN_EMAIL, 20).await;
    let (inn, new) = ("198.51.100.7", "another-password-2");
    assert_eq!(login(&app, inn, ADMIN_EMAIL, ADMIN_PASSWORD).await.status, 429);
    let asked = post(&app, inn, "/auth/password/request", json!({"email": ADMIN_EMAIL})).await;
    assert_eq!(asked.status, 204);
    let mail = app.mailbox.next().await;
    let token = mail
        .text
        .split_once("token=")
        .unwrap()
        .1
        .split_whitespace()
        .next()
        .unwrap();
    let body = json!({"token": token, "password": new});
    assert_eq!(post(&app, inn, "/auth/password/reset", body).await.status, 204);
    assert_eq!(login(&app, inn, ADMIN_EMAIL, new).await.status, 200);
    assert_eq!(login(&app, "198.51.100.8", ADMIN_EMAIL, new).await.status, 429);
}

#[tokio::test]
async fn guesses_from_the_users_own_network_end_no_session_and_a_letter_opens_it() {
    let app = start().await;
    let session = login(&app, HOME, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    for _ in 0..LIMIT {
        assert_eq!(login(&app, HOME, ADMIN_EMAIL, "x").await.status, 401);
    }
    let closed = login(&app, HOME, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    assert_eq!(closed.refusal(), (429, "REQUESTS_EXCEEDED"));
    assert!(closed.text.contains("/auth/password/request"), "{}", closed.text);
    // An account that does not exist is told the same.
    for _ in 0..LIMIT {
        login(&app, HOME, NOBODY, "x").await;
    }
    assert_eq!(login(&app, HOME, NOBODY, "x").await.text, closed.text);
    // Who is signed in stays so.
    let refreshed = json!({"refresh_token": session.data()["refresh_token"]});
    let refreshed = post(&app, HOME, "/auth/refresh", refreshed).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    // And whoever reads the user's letters gets in from there at once.
    let asked = post(
        &app,
        HOME,
        "/auth/password/request",
        json!({"email": ADMIN_EMAIL}),
    )
    .await;
    assert_eq!(asked.status, 204);
    let mail = app.mailbox.next().await;
    let (_, token) = mail.text.split_once("token=").unwrap();
    let token = token.split_whitespace().next().unwrap();
    let body = json!({"token": token, "password": "another-password-2"});
    assert_eq!(post(&app, HOME, "/auth/password/reset", body).await.status, 204);
    assert_eq!(
        login(&app, HOME, ADMIN_EMAIL, "another-password-2").await.status,
        200
    );
}

#[tokio::test]
async fn letters_are_bounded_for_a_network() {
    let app = start().await;
    let request = async |n: u32, from: String| {
        let body = json!({"email": format!("user{n}@example.com")});
        post(&app, &from, "/auth/password/request", body).await.status
    };
    for n in 0..20 {
        assert_eq!(request(n, format!("2001:db8:1:2::{n}")).await, 204);
    }
    assert_eq!(request(20, "2001:db8:1:2::ffff".to_owned()).await, 429);
    assert_eq!(request(20, "2001:db8:1:3::1".to_owned()).await, 204);
}

#[tokio::test]
async fn many_guesses_at_once_are_no_more_than_one_after_another() {
    let app = start().await;
    let tries = (0..30).map(|_| login(&app, HOME, ADMIN_EMAIL, "x"));
    let answers = futures_util::future::join_all(tries).await;
    let tried = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(tried, LIMIT as usize);
}

#[tokio::test]
async fn codes_are_guessed_by_one_who_is_signed_in_wherever_they_are() {
    let app = start().await;
    let session = login(&app, HOME, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    let me = app.with_token(session.data()["access_token"].as_str().unwrap());
    let made = me
        .post("/users/me/tfa/generate", json!({"password": ADMIN_PASSWORD}))
        .await;
    let secret = made.data()["secret"].as_str().unwrap().to_owned();
    let otp = one_time_password(&secret, app.clock.now()).unwrap();
    let enabled = me
        .post("/users/me/tfa/enable", json!({"secret": secret, "otp": otp}))
        .await;
    assert_eq!(enabled.status, 204, "{}", enabled.text);
    let mut tried = 0;
    for n in 0..20 {
        let request = me.request("POST", "/users/me/tfa/disable");
        let request = request.header("x-forwarded-for", format!("192.0.2.{n}"));
        let refused = me.send(request.json(&json!({"otp": "000000"}))).await;
        tried += u32::from(refused.refusal() == (401, "INVALID_OTP"));
    }
    assert_eq!(tried, LIMIT);
}
