//! What is done to accounts is a change like any other: each act makes exactly one, whoever does it and by whatever way.

use jiff::SignedDuration;
use loggia_identity::{NewUser, Secret, one_time_password};
use loggia_journal::verify;
use loggia_testkit::{ADMIN_PASSWORD, Answer, Client, TestApp};
use serde_json::{Value, json};

const SOMEONE: &str = "someone@example.com";

struct House {
    app: TestApp,
    someone: Client,
    /// The key of someone.
    key: String,
    seen: usize,
}

/// What a change must say.
struct Expected<'e> {
    origin: &'e str,
    user: Option<&'e str>,
    entries: &'e [(&'e str, &'e str, &'e str, &'e [&'e str])],
}

async fn changes(app: &TestApp) -> Vec<Value> {
    let answer = app.get("/changes?limit=500").await;
    answer.data().as_array().unwrap().clone()
}

impl House {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let someone = app.user(SOMEONE, "someones-static-token").await;
        let key = app.identity.user_with(SOMEONE).await.unwrap();
        let seen = changes(&app).await.len();
        Self {
            app,
            someone,
            key,
            seen,
        }
    }

    /// Exactly one change was made since, and it says this; the record is intact.
    async fn made(&mut self, act: &str, expected: &Expected<'_>) -> Value {
        let all = changes(&self.app).await;
        assert_eq!(all.len(), self.seen + 1, "{act}");
        self.seen += 1;
        let change = &all[0];
        assert_eq!(change["origin"], expected.origin, "{act}");
        assert_eq!(change["user"].as_str(), expected.user, "{act}");
        assert!(change["title"].is_string(), "{act}: says what it is");
        assert_eq!(change["reversible"], true, "{act}");
        let id = change["id"].as_str().unwrap();
        let read = self.app.get(&format!("/changes/{id}")).await;
        let read = read.data().clone();
        let entries = read["entries"].as_array().unwrap();
        assert_eq!(entries.len(), expected.entries.len(), "{act}: {entries:?}");
        for (entry, (collection, item, action, fields)) in entries.iter().zip(expected.entries) {
            assert_eq!(
                (&entry["collection"], &entry["action"]),
                (&json!(collection), &json!(action)),
                "{act}"
            );
            if !item.is_empty() {
                assert_eq!(entry["item"], *item, "{act}");
            }
            if *action == "update" {
                let after: Vec<_> = entry["after"].as_object().unwrap().keys().collect();
                assert_eq!(after, *fields, "{act}");
            }
        }
        let text = read.to_string();
        for secret in [
            ADMIN_PASSWORD,
            "argon2",
            "someones-static-token",
            "another-password",
        ] {
            assert!(!text.contains(secret), "{act}: {text}");
        }
        assert_eq!(verify(&self.app.store, None).await.unwrap().broken, None, "{act}");
        read
    }

    /// Nothing was recorded since.
    async fn made_none(&self, act: &str) {
        assert_eq!(changes(&self.app).await.len(), self.seen, "{act}");
        assert_eq!(verify(&self.app.store, None).await.unwrap().broken, None, "{act}");
    }

    async fn login(&self, password: &str) -> Answer {
        let body = json!({"email": SOMEONE, "password": password});
        self.app.anonymous().post("/auth/login", body).await
    }

    fn code(&self, secret: &str) -> String {
        // Each code works once.
        self.app.clock.advance(SignedDuration::from_secs(30));
        one_time_password(secret, self.app.clock.now()).unwrap()
    }

    async fn set_up(&self) -> (Answer, String) {
        let made = self
            .someone
            .post("/users/me/tfa/generate", json!({"password": ADMIN_PASSWORD}))
            .await;
        let secret = made.data()["secret"].as_str().unwrap().to_owned();
        let body = json!({"secret": secret, "otp": self.code(&secret)});
        let answer = self.someone.post("/users/me/tfa/enable", body).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
        (answer, secret)
    }
}

#[tokio::test]
async fn the_first_start_is_the_first_change() {
    let app = TestApp::start().await;
    let all = changes(&app).await;
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0]["number"], &all[0]["origin"]), (&json!(1), &json!("cli")));
    let counts = all[0]["counts"].as_object().unwrap();
    let made: Vec<_> = counts
        .iter()
        .map(|(name, counted)| (name.as_str(), &counted["created"]))
        .collect();
    let one = json!(1);
    let expected = [
        "directus_roles",
        "directus_policies",
        "directus_access",
        "directus_users",
    ];
    assert_eq!(made, expected.map(|name| (name, &one)));
    assert_eq!(verify(&app.store, None).await.unwrap().broken, None);
}

#[tokio::test]
async fn what_the_command_line_does_to_users_is_recorded() {
    let mut house = House::new().await;
    let cli = |entries| Expected {
        origin: "cli",
        user: None,
        entries,
    };
    let identity = house.app.identity.clone();
    let user = NewUser {
        email: "new@example.com".to_owned(),
        password: Some(Secret::new("another-password-9")),
        token: None,
        role: None,
    };
    let made = identity.create_user(user).await.unwrap();
    let entries = [("directus_users", made.as_str(), "create", [].as_slice())];
    let read = house.made("user add", &cli(&entries)).await;
    assert_eq!(read["entries"][0]["after"]["email"], "new@example.com");
    assert_eq!(read["entries"][0]["secrets"], json!(["password"]));

    let key = house.key.clone();
    let new = Secret::new("another-password-2");
    identity.set_password(SOMEONE, &new).await.unwrap();
    let entries = [("directus_users", key.as_str(), "update", ["password"].as_slice())];
    house.made("user password", &cli(&entries)).await;

    let token = identity.rotate_token(SOMEONE).await.unwrap();
    let entries = [("directus_users", key.as_str(), "update", ["token"].as_slice())];
    let read = house.made("token create", &cli(&entries)).await;
    assert!(!read.to_string().contains(token.reveal()));
    identity.revoke_token(SOMEONE).await.unwrap();
    let read = house.made("token revoke", &cli(&entries)).await;
    assert_eq!(read["entries"][0]["after"], json!({"token": null}));
    identity.revoke_token(SOMEONE).await.unwrap();
    house.made_none("a token that is not there is revoked").await;
}

#[tokio::test]
async fn a_password_that_is_reset_by_mail_is_a_change_of_its_user() {
    let mut house = House::new().await;
    let anonymous = house.app.anonymous();
    let asked = anonymous
        .post("/auth/password/request", json!({"email": SOMEONE}))
        .await;
    assert_eq!(asked.status, 204);
    let mail = house.app.mailbox.next().await;
    let (_, rest) = mail.text.split_once("token=").unwrap();
    let token = rest.split_whitespace().next().unwrap();
    house.made_none("a link is asked for").await;
    let body = json!({"token": token, "password": "another-password-2"});
    let request = anonymous
        .request("POST", "/auth/password/reset")
        .header("x-request-id", "the-id");
    let done = house.app.send(request.json(&body)).await;
    assert_eq!(done.status, 204, "{}", done.text);
    let key = house.key.clone();
    let expected = Expected {
        origin: "rest",
        user: Some(&key),
        entries: &[("directus_users", &key, "update", &["password"])],
    };
    let read = house.made("reset", &expected).await;
    assert_eq!(read["request_id"], "the-id");
    assert_eq!(done.header("loggia-change"), read["id"]);
    // It cannot be taken back: what the password was is not kept.
    let reverted = house
        .app
        .post(
            &format!("/changes/{}/revert", read["id"].as_str().unwrap()),
            json!({}),
        )
        .await;
    assert_eq!(reverted.status, 200, "{}", reverted.text);
    assert_eq!(house.login("another-password-2").await.status, 200);
}

#[tokio::test]
async fn second_factors_are_changes_of_whoever_sets_them_up_or_takes_them_away() {
    let mut house = House::new().await;
    let key = house.key.clone();
    let admin = house.app.get("/users/me").await.data()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let by = |user| Expected {
        origin: "rest",
        user: Some(user),
        entries: &[],
    };
    let entries = [(
        "directus_users",
        key.as_str(),
        "update",
        ["tfa_secret"].as_slice(),
    )];
    let (enabled, secret) = house.set_up().await;
    let expected = Expected {
        entries: &entries,
        ..by(key.as_str())
    };
    let read = house.made("enable", &expected).await;
    assert_eq!(read["entries"][0]["secrets"], json!(["tfa_secret"]));
    assert!(!read.to_string().contains(&secret));
    assert_eq!(enabled.header("loggia-change"), read["id"]);
    let own = house.someone.get("/changes?user=me").await;
    assert_eq!(own.data().as_array().unwrap().len(), 1, "it is their own change");

    let otp = house.code(&secret);
    let wrong = house
        .someone
        .post("/users/me/tfa/disable", json!({"otp": "000000"}))
        .await;
    assert_eq!(wrong.refusal(), (401, "INVALID_OTP"));
    house.made_none("a wrong code").await;
    let disabled = house
        .someone
        .post("/users/me/tfa/disable", json!({"otp": otp}))
        .await;
    assert_eq!(disabled.status, 204, "{}", disabled.text);
    house.made("disable", &expected).await;

    house.set_up().await;
    house.made("enable again", &expected).await;
    let taken = house
        .app
        .post(&format!("/users/{key}/tfa/disable"), json!({}))
        .await;
    assert_eq!(taken.status, 204, "{}", taken.text);
    let expected = Expected {
        entries: &entries,
        ..by(admin.as_str())
    };
    house.made("disable by an administrator", &expected).await;
}

#[tokio::test]
async fn who_comes_and_who_is_refused_is_nobodys_change() {
    let house = House::new().await;
    for _ in 0..4 {
        let refused = house.login("x").await;
        assert_eq!((refused.status, refused.header("loggia-change")), (401, ""));
    }
    assert_eq!(house.login(ADMIN_PASSWORD).await.status, 200);
    house.made_none("sign-ins and refusals").await;
}

#[tokio::test]
async fn fields_that_were_added_to_users_are_recorded_with_them() {
    let mut house = House::new().await;
    for field in [
        json!({"field": "nickname", "type": "string"}),
        json!({"field": "pin", "type": "string", "meta": {"special": ["conceal"]}}),
    ] {
        let made = house.app.post("/fields/directus_users", field).await;
        assert_eq!(made.status, 200, "{}", made.text);
    }
    let key = house.key.clone();
    let body = json!({"nickname": "Some", "pin": "4711-4711"});
    let set = house.app.patch(&format!("/users/{key}"), body).await;
    assert_eq!(set.status, 200, "{}", set.text);
    house.seen = changes(&house.app).await.len();
    house.app.identity.rotate_token(SOMEONE).await.unwrap();
    let expected = Expected {
        origin: "cli",
        user: None,
        entries: &[("directus_users", &key, "update", &["token"])],
    };
    let read = house.made("token create", &expected).await;
    let query = json!({"filter": {"change": {"_eq": read["id"]}}, "fields": ["data"]});
    let revision = house.app.search("/revisions", query).await;
    let data = &revision.data()[0]["data"];
    assert_eq!(
        (&data["nickname"], &data["pin"]),
        (&json!("Some"), &json!("**********"))
    );
}

#[tokio::test]
async fn using_a_token_and_signing_in_changes_nothing() {
    let house = House::new().await;
    assert_eq!(house.login(ADMIN_PASSWORD).await.status, 200);
    let session = house.login(ADMIN_PASSWORD).await;
    let proof = json!({"refresh_token": session.data()["refresh_token"]});
    let again = house.app.anonymous().post("/auth/refresh", proof).await;
    let proof = json!({"refresh_token": again.data()["refresh_token"]});
    assert_eq!(
        house.app.anonymous().post("/auth/logout", proof).await.status,
        204
    );
    house.made_none("a session from its beginning to its end").await;
    let path = format!("/users/{}?fields=last_access", house.key);
    assert_eq!(
        house.app.get(&path).await.data()["last_access"],
        "2027-01-15T08:00:00.000Z"
    );
}
