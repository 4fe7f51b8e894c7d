//! Second factors: set up, asked for, demanded, taken away.

use jiff::SignedDuration;
use loggia_identity::one_time_password;
use loggia_testkit::{ADMIN_EMAIL, ADMIN_PASSWORD, Answer, Client, TestApp};
use serde_json::{Value, json};

use crate::parrot::start;

async fn login(app: &TestApp, email: &str, otp: Option<&str>) -> Answer {
    let mut body = json!({"email": email, "password": ADMIN_PASSWORD});
    if let Some(otp) = otp {
        body["otp"] = otp.into();
    }
    app.anonymous().post("/auth/login", body).await
}

async fn session(app: &TestApp, email: &str, otp: Option<&str>) -> Client {
    let answer = login(app, email, otp).await;
    app.with_token(answer.data()["access_token"].as_str().unwrap())
}

fn code(app: &TestApp, secret: &str) -> String {
    one_time_password(secret, app.clock.now()).unwrap()
}

/// Goes on to the next code.
fn wait(app: &TestApp) {
    app.clock.advance(SignedDuration::from_secs(30));
}

async fn set_up(app: &TestApp, client: &Client) -> String {
    let made = client
        .post("/users/me/tfa/generate", json!({"password": ADMIN_PASSWORD}))
        .await;
    let secret = made.data()["secret"].as_str().unwrap().to_owned();
    let enabled = client
        .post(
            "/users/me/tfa/enable",
            json!({"secret": secret, "otp": code(app, &secret)}),
        )
        .await;
    assert_eq!(enabled.status, 204, "{}", enabled.text);
    wait(app);
    secret
}

#[tokio::test]
async fn a_second_factor_is_set_up_with_the_password_and_a_code() {
    let app = start().await;
    let me = session(&app, ADMIN_EMAIL, None).await;
    let wrong = me.post("/users/me/tfa/generate", json!({"password": "x"})).await;
    assert_eq!(wrong.refusal(), (401, "INVALID_CREDENTIALS"));
    let made = me
        .post("/users/me/tfa/generate", json!({"password": ADMIN_PASSWORD}))
        .await;
    let secret = made.data()["secret"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 32);
    assert_eq!(
        made.data()["otpauth_url"],
        format!("otpauth://totp/Test:admin%40example.com?secret={secret}&issuer=Test")
    );
    // Nothing counts before it is confirmed.
    assert_eq!(login(&app, ADMIN_EMAIL, None).await.status, 200);
    let enable = async |secret: &str, otp: &str| {
        let answer = me
            .post("/users/me/tfa/enable", json!({"secret": secret, "otp": otp}))
            .await;
        (
            answer.status,
            answer.codes().first().copied().unwrap_or_default().to_owned(),
        )
    };
    let foreign = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    assert_eq!(
        enable(foreign, &code(&app, foreign)).await,
        (400, "INVALID_PAYLOAD".to_owned())
    );
    assert_eq!(enable(&secret, "000000").await, (401, "INVALID_OTP".to_owned()));
    assert_eq!(enable(&secret, &code(&app, &secret)).await, (204, String::new()));
    assert_eq!(
        enable(&secret, &code(&app, &secret)).await,
        (400, "INVALID_PAYLOAD".to_owned())
    );

    assert_eq!(
        login(&app, ADMIN_EMAIL, None).await.refusal(),
        (401, "INVALID_OTP")
    );
    assert_eq!(
        login(&app, ADMIN_EMAIL, Some("000000")).await.refusal(),
        (401, "INVALID_OTP")
    );
    let used = login(&app, ADMIN_EMAIL, Some(&code(&app, &secret))).await;
    assert_eq!(
        used.refusal(),
        (401, "INVALID_OTP"),
        "the code that set it up is used up"
    );
    wait(&app);
    let now = code(&app, &secret);
    assert_eq!(login(&app, ADMIN_EMAIL, Some(&now)).await.status, 200);
    assert_eq!(
        login(&app, ADMIN_EMAIL, Some(&now)).await.refusal(),
        (401, "INVALID_OTP")
    );
    // The secret is neither served nor recorded.
    for path in ["/users/me?fields=*", "/users?fields=*"] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(!answer.text.contains(&secret), "{path}");
    }
    let by_hand = app.patch("/users/me", json!({"tfa_secret": foreign})).await;
    assert_eq!(by_hand.refusal(), (400, "FAILED_VALIDATION"));

    wait(&app);
    let me = session(&app, ADMIN_EMAIL, Some(&code(&app, &secret))).await;
    let disable = async |otp: &str| me.post("/users/me/tfa/disable", json!({"otp": otp})).await;
    assert_eq!(disable("000000").await.refusal(), (401, "INVALID_OTP"));
    wait(&app);
    assert_eq!(disable(&code(&app, &secret)).await.status, 204);
    assert_eq!(login(&app, ADMIN_EMAIL, None).await.status, 200);
}

#[tokio::test]
async fn who_came_by_a_password_alone_comes_again_with_a_code() {
    let app = start().await;
    let (me, other) = (
        session(&app, ADMIN_EMAIL, None).await,
        session(&app, ADMIN_EMAIL, None).await,
    );
    set_up(&app, &me).await;
    assert_eq!(me.get("/users/me").await.status, 200);
    assert_eq!(
        other.get("/users/me").await.refusal(),
        (401, "INVALID_CREDENTIALS")
    );
    assert_eq!(app.get("/users/me").await.status, 200, "static tokens go on");
}

#[tokio::test]
async fn wrong_codes_have_to_wait_like_wrong_passwords() {
    let app = start().await;
    set_up(&app, &session(&app, ADMIN_EMAIL, None).await).await;
    for _ in 0..10 {
        // Asking without a code is how clients find out, and no guess.
        assert_eq!(
            login(&app, ADMIN_EMAIL, None).await.refusal(),
            (401, "INVALID_OTP")
        );
    }
    for _ in 0..5 {
        assert_eq!(
            login(&app, ADMIN_EMAIL, Some("000000")).await.refusal(),
            (401, "INVALID_OTP")
        );
    }
    assert_eq!(
        login(&app, ADMIN_EMAIL, Some("000000")).await.refusal(),
        (429, "REQUESTS_EXCEEDED")
    );
}

#[tokio::test]
async fn where_it_is_demanded_nothing_else_can_be_done_before() {
    let app = start().await;
    let policy = app
        .post(
            "/policies",
            json!({"name": "strict", "enforce_tfa": true, "app_access": true}),
        )
        .await;
    let user = app.user("someone@example.com", "someones-static-token").await;
    let id = user.get("/users/me").await.data()["id"].clone();
    let access = json!({"user": id, "policy": policy.data()["id"]});
    assert_eq!(app.post("/access", access).await.status, 200);
    let made = app.post("/tokens", json!({"name": "t", "user": id})).await;
    let token = app.with_token(made.data()["token"].as_str().unwrap());

    let someone = session(&app, "someone@example.com", None).await;
    for (method, path) in [
        ("GET", "/users/me"),
        ("GET", "/tokens"),
        ("POST", "/tokens"),
        ("GET", "/server/health"),
        ("POST", "/users/me/tfa/disable"),
    ] {
        let body = json!({"name": "t", "otp": "000000"});
        let request = someone.request(method, path);
        let refused = someone
            .send(if method == "GET" {
                request
            } else {
                request.json(&body)
            })
            .await;
        assert_eq!(refused.refusal(), (403, "FORBIDDEN"), "{path}");
        assert!(
            refused.text.contains("/users/me/tfa/generate"),
            "{}",
            refused.text
        );
    }
    let mcp = someone.mcp("tools/list", json!({})).await;
    assert_eq!(mcp.status, 403, "{}", mcp.text);
    let globals = someone.get("/policies/me/globals").await;
    assert_eq!(globals.data()["enforce_tfa"], true);
    // Tokens are a factor of their own.
    for client in [&user, &token] {
        assert_eq!(client.get("/users/me").await.status, 200);
        assert_eq!(
            client.get("/policies/me/globals").await.data()["enforce_tfa"],
            true
        );
    }
    // But an access token says nothing about how its owner signs in.
    let refused = token
        .post("/users/me/tfa/generate", json!({"password": ADMIN_PASSWORD}))
        .await;
    assert_eq!(refused.refusal(), (403, "FORBIDDEN"));

    let secret = set_up(&app, &someone).await;
    assert_eq!(someone.get("/users/me").await.status, 200);
    let again = session(&app, "someone@example.com", Some(&code(&app, &secret))).await;
    assert_eq!(again.get("/users/me").await.status, 200);

    // Whoever lost the app asks an administrator.
    let path = format!("/users/{}/tfa/disable", id.as_str().unwrap());
    for refused in [
        someone.post(&path, json!({})).await,
        app.anonymous().post(&path, json!({})).await,
        app.post("/users/nobody/tfa/disable", json!({})).await,
    ] {
        assert_eq!(refused.refusal(), (403, "FORBIDDEN"));
    }
    assert_eq!(app.post(&path, json!({})).await.status, 204);
    assert_eq!(someone.get("/users/me").await.refusal(), (403, "FORBIDDEN"));
    assert_eq!(login(&app, "someone@example.com", None).await.status, 200);
    let globals = app.get("/policies/me/globals").await;
    assert_eq!(globals.data()["enforce_tfa"], Value::Bool(false));
}
