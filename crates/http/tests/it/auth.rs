//! `/auth`.

use jiff::SignedDuration;
use loggia_testkit::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, Answer, TestApp};
use serde_json::{Value, json};

use crate::parrot::start;

async fn login(app: &TestApp, mode: &str) -> Answer {
    let body = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD, "mode": mode});
    app.anonymous().post("/auth/login", body).await
}

/// Whether a token is good: health answers everybody who signed in.
async fn works(app: &TestApp, token: &str) -> bool {
    app.with_token(token).get("/server/health").await.status == 200
}

async fn with_cookie(app: &TestApp, method: &str, path: &str, cookie: &str, body: Value) -> Answer {
    let client = app.anonymous();
    client
        .send(client.request(method, path).header("cookie", cookie).json(&body))
        .await
}

#[tokio::test]
async fn json_mode_gives_both_tokens_and_refreshes() {
    let app = start().await;
    let first = login(&app, "json").await;
    let first = first.data();
    assert_eq!(first["expires"], 900_000);
    assert!(works(&app, first["access_token"].as_str().unwrap()).await);
    let proof = json!({"refresh_token": first["refresh_token"], "mode": "json"});
    let second = app.anonymous().post("/auth/refresh", proof.clone()).await;
    let access = second.data()["access_token"].as_str().unwrap().to_owned();
    assert!(works(&app, &access).await);
    let again = app.anonymous().post("/auth/refresh", proof).await;
    assert_eq!(again.refusal(), (401, "INVALID_CREDENTIALS"));
    let out = json!({"refresh_token": second.data()["refresh_token"]});
    let out = app.anonymous().post("/auth/logout", out).await;
    assert_eq!((out.status, out.text.as_str()), (204, ""));
    assert!(!works(&app, &access).await);
}

#[tokio::test]
async fn an_old_access_token_says_so() {
    let app = start().await;
    let access = login(&app, "json").await.data()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    app.clock.advance(SignedDuration::from_mins(15));
    let answer = app.with_token(&access).get("/server/health").await;
    assert_eq!(answer.refusal(), (401, "TOKEN_EXPIRED"));
}

#[tokio::test]
async fn cookie_mode_keeps_the_refresh_token_in_a_cookie() {
    let app = start().await;
    let answer = login(&app, "cookie").await;
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with("directus_refresh_token="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    assert!(answer.data().get("refresh_token").is_none());
    assert!(works(&app, answer.data()["access_token"].as_str().unwrap()).await);
    let pair = cookie.split(';').next().unwrap();
    let next = with_cookie(&app, "POST", "/auth/refresh", pair, json!({"mode": "cookie"})).await;
    assert!(next.header("set-cookie").starts_with("directus_refresh_token="));
    let out = with_cookie(&app, "POST", "/auth/logout", pair, json!({"mode": "cookie"})).await;
    assert!(
        out.header("set-cookie")
            .starts_with("directus_refresh_token=; Path=/; Max-Age=0")
    );
}

#[tokio::test]
async fn session_mode_keeps_everything_in_a_cookie() {
    let app = start().await;
    let answer = login(&app, "session").await;
    assert_eq!(answer.data(), &json!({"expires": 86_400_000}));
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("directus_session_token="));
    let health = with_cookie(&app, "GET", "/server/health", &cookie, Value::Null).await;
    assert_eq!(health.status, 200);
    let next = with_cookie(&app, "POST", "/auth/refresh", &cookie, json!({"mode": "session"})).await;
    assert_eq!(next.data(), &json!({"expires": 86_400_000}));
    let out = with_cookie(&app, "POST", "/auth/logout", &cookie, json!({"mode": "session"})).await;
    assert_eq!(out.status, 204);
    let health = with_cookie(&app, "GET", "/server/health", &cookie, Value::Null).await;
    assert_eq!(health.refusal(), (401, "INVALID_CREDENTIALS"));
    let gone = health.header("set-cookie");
    assert!(
        gone.starts_with("directus_session_token=; Path=/; Max-Age=0"),
        "{gone}"
    );
}

#[tokio::test]
async fn cookies_from_pages_of_other_origins_change_nothing() {
    let app = start().await;
    let answer = login(&app, "session").await;
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let client = app.anonymous();
    let refresh = async |origin: &str| {
        let request = client
            .request("POST", "/auth/refresh")
            .header("cookie", &cookie)
            .header("origin", origin)
            .json(&json!({"mode": "session"}));
        client.send(request).await
    };
    assert_eq!(
        refresh("https://evil.example").await.refusal(),
        (403, "FORBIDDEN")
    );
    assert_eq!(refresh("null").await.refusal(), (403, "FORBIDDEN"));
    assert_eq!(refresh(app.url()).await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_with_a_sign_in_is_said_at_once() {
    let app = start().await;
    let client = app.anonymous();
    let check = async |body: Value, status: u16, codes: &[&str], paths: &[&str]| {
        let answer = client.post("/auth/login", body.clone()).await;
        assert_eq!(
            (answer.status, answer.codes()),
            (status, codes.to_vec()),
            "{body}"
        );
        let errors = answer.body["errors"].as_array().unwrap();
        let found: Vec<_> = errors
            .iter()
            .map(|error| error["extensions"]["path"].as_str())
            .collect();
        let paths: Vec<_> = paths.iter().map(|path| Some(*path)).collect();
        assert_eq!(
            found.iter().flatten().collect::<Vec<_>>(),
            paths.iter().flatten().collect::<Vec<_>>(),
            "{body}"
        );
    };
    let three = ["INVALID_PAYLOAD"; 3];
    check(json!({}), 400, &three[..2], &["email", "password"]).await;
    check(
        json!({"email": "nope", "mode": "zzz"}),
        400,
        &three,
        &["email", "password", "mode"],
    )
    .await;
    check(
        json!({"email": 1, "password": [], "mode": {}}),
        400,
        &three,
        &["email", "password", "mode"],
    )
    .await;
    check(json!([]), 400, &three[..1], &[]).await;
    check(
        json!({"email": "a@b.c", "password": "x"}),
        401,
        &["INVALID_CREDENTIALS"],
        &[],
    )
    .await;
    check(
        json!({"email": ADMIN_EMAIL, "password": "x"}),
        401,
        &["INVALID_CREDENTIALS"],
        &[],
    )
    .await;
    let wrong = client
        .post("/auth/login", json!({"email": ADMIN_EMAIL, "password": "x"}))
        .await;
    let unknown = client
        .post("/auth/login", json!({"email": "a@b.c", "password": "x"}))
        .await;
    assert_eq!(wrong.text, unknown.text);
}

#[tokio::test]
async fn too_many_failures_have_to_wait() {
    let app = start().await;
    let client = app.anonymous();
    let body = |password: &str| json!({"email": ADMIN_EMAIL, "password": password});
    for _ in 0..5 {
        client.post("/auth/login", body("x")).await;
    }
    let answer = client.post("/auth/login", body(ADMIN_PASSWORD)).await;
    assert_eq!(answer.refusal(), (429, "REQUESTS_EXCEEDED"));
    assert_eq!(answer.header("retry-after"), "1");
    app.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(client.post("/auth/login", body(ADMIN_PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn refreshing_and_signing_out_need_something_to_show() {
    let app = start().await;
    let client = app.anonymous();
    for path in ["/auth/refresh", "/auth/logout"] {
        for body in [json!({}), json!({"mode": "session"}), json!({"mode": "cookie"})] {
            assert_eq!(client.post(path, body).await.refusal(), (400, "INVALID_PAYLOAD"));
        }
        assert_eq!(
            client.send(client.request("POST", path)).await.refusal(),
            (400, "INVALID_PAYLOAD")
        );
    }
    let unknown = json!({"refresh_token": "x"});
    assert_eq!(
        client.post("/auth/refresh", unknown.clone()).await.refusal(),
        (401, "INVALID_CREDENTIALS")
    );
    assert_eq!(client.post("/auth/logout", unknown).await.status, 204);
}

#[tokio::test]
async fn a_forgotten_password_gives_nothing_away() {
    let app = start().await;
    let client = app.anonymous();
    for email in [ADMIN_EMAIL, "nobody@example.com"] {
        let answer = client
            .post("/auth/password/request", json!({"email": email}))
            .await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    }
    let answer = client.post("/auth/password/request", json!({})).await;
    assert_eq!(answer.refusal(), (400, "INVALID_PAYLOAD"));
}

#[tokio::test]
async fn there_are_no_other_providers() {
    let app = start().await;
    let answer = app.anonymous().get("/auth").await;
    assert_eq!(answer.body, json!({"data": [], "disableDefault": false}));
}

#[tokio::test]
async fn one_credential_is_enough_and_two_are_too_many() {
    let app = start().await;
    let client = app.anonymous();
    let by_query = client
        .get(&format!("/server/health?access_token={ADMIN_TOKEN}"))
        .await;
    assert_eq!(by_query.status, 200);
    let both = app
        .get(&format!("/server/health?access_token={ADMIN_TOKEN}"))
        .await;
    assert_eq!(both.refusal(), (400, "INVALID_PAYLOAD"));
    let basic = client
        .request("GET", "/server/health")
        .header("authorization", "Basic abc");
    assert_eq!(client.send(basic).await.refusal(), (401, "INVALID_CREDENTIALS"));
    let lower = client
        .request("GET", "/server/health")
        .header("authorization", format!("bearer {ADMIN_TOKEN}"));
    assert_eq!(client.send(lower).await.status, 200);
    assert_eq!(
        client.with_token("nobodys").get("/server/health").await.refusal(),
        (401, "INVALID_CREDENTIALS")
    );
    assert_eq!(
        client.with_token("eyJ.x.y").get("/server/health").await.refusal(),
        (403, "INVALID_TOKEN")
    );
    assert_eq!(client.get("/server/health").await.refusal(), (403, "FORBIDDEN"));
}
