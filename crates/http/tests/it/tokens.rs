//! `/tokens`: what a token may do, and what ends it, on the very next request.

use std::time::Duration;

use jiff::SignedDuration;
use loggia_access::Origin;
use loggia_identity::{Credential, RequestFacts, fingerprint};
use loggia_model::Query;
use loggia_testkit::{ADMIN_TOKEN, Client, TestApp};
use serde_json::{Value, json};

use crate::parrot::start;

/// A token of the caller's own: its key and its secret.
async fn make(client: &Client, what: Value) -> (String, String) {
    let made = client.post("/tokens", what).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let text = |name: &str| made.data()[name].as_str().unwrap().to_owned();
    (text("id"), text("token"))
}

async fn policy(app: &TestApp, what: Value) -> String {
    let made = app.post("/policies", what).await;
    assert_eq!(made.status, 200, "{}", made.text);
    made.data()["id"].as_str().unwrap().to_owned()
}

async fn user_id(app: &TestApp, email: &str) -> String {
    let found = app
        .get(&format!("/users?filter[email][_eq]={email}&fields=id"))
        .await;
    found.data()[0]["id"].as_str().unwrap().to_owned()
}

/// What a client is: refused with a code, somebody, or an administrator.
async fn standing(client: &Client) -> String {
    let globals = client.get("/policies/me/globals").await;
    match globals.status {
        200 if globals.data()["admin_access"] == true => "administrator".to_owned(),
        200 => "somebody".to_owned(),
        _ => globals.refusal().1.to_owned(),
    }
}

#[tokio::test]
async fn a_token_works_until_it_is_revoked_and_shows_its_secret_once() {
    let app = start().await;
    let made = app.post("/tokens", json!({"name": "import"})).await;
    let secret = made.data()["token"].as_str().unwrap().to_owned();
    let id = made.data()["id"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("lgt_") && secret.len() == 50, "{secret}");
    assert_eq!(made.data()["prefix"], secret[..12]);
    assert_eq!(made.data()["policies"], Value::Null);
    assert_eq!(made.data()["expires_in_days"], Value::Null);
    let client = app.with_token(&secret);
    assert_eq!(standing(&client).await, "administrator");
    for path in ["/tokens".to_owned(), format!("/tokens/{id}")] {
        let answer = app.get(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(!answer.text.contains(&secret[12..]), "{path}: {}", answer.text);
        assert!(!answer.text.contains(&fingerprint(&secret)), "{path}");
    }
    let gone = app.delete(&format!("/tokens/{id}")).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(standing(&client).await, "INVALID_CREDENTIALS");
    let again = app.delete(&format!("/tokens/{id}")).await;
    assert_eq!(again.refusal(), (403, "FORBIDDEN"));
}

#[tokio::test]
async fn a_token_does_at_most_what_its_policies_say() {
    let app = start().await;
    let full = policy(&app, json!({"name": "all", "admin_access": true})).await;
    let narrow = policy(&app, json!({"name": "nothing yet"})).await;
    let office = policy(
        &app,
        json!({"name": "office", "admin_access": true, "ip_access": ["10.0.0.0/8"]}),
    )
    .await;
    for (policies, expect) in [
        (Value::Null, "administrator"),
        (json!([full]), "administrator"),
        (json!([full, narrow]), "administrator"),
        (json!([narrow]), "somebody"),
        (json!([office]), "somebody"),
        (json!([]), "somebody"),
    ] {
        let (_, secret) = make(&app, json!({"name": "t", "policies": policies})).await;
        assert_eq!(standing(&app.with_token(&secret)).await, expect, "{policies}");
    }
    // A policy that its owner does not have gives a token nothing.
    let someone = app.user("someone@example.com", "someones-static-token").await;
    let owner = user_id(&app, "someone@example.com").await;
    let (_, secret) = make(&app, json!({"name": "t", "user": owner, "policies": [full]})).await;
    assert_eq!(standing(&app.with_token(&secret)).await, "somebody");
    // And one that is deleted later gives nothing to anybody.
    let (_, secret) = make(&app, json!({"name": "t", "policies": [full]})).await;
    assert_eq!(app.delete(&format!("/policies/{full}")).await.status, 204);
    assert_eq!(standing(&app.with_token(&secret)).await, "somebody");
    assert_eq!(standing(&someone).await, "somebody");
}

#[tokio::test]
async fn every_change_counts_on_the_very_next_request() {
    let app = start().await;
    app.user("someone@example.com", "someones-static-token").await;
    let owner = user_id(&app, "someone@example.com").await;
    let admin = policy(&app, json!({"name": "all", "admin_access": true})).await;
    let role = app.post("/roles", json!({"name": "r"})).await.data()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let attach = json!({"policy": admin, "role": role});
    assert_eq!(app.post("/access", attach).await.status, 200);
    let what = json!({"name": "t", "user": owner, "policies": [admin], "lifespan": 7});
    let (id, secret) = make(&app, what).await;
    let client = app.with_token(&secret);
    let user = async |change: Value| {
        let answer = app.patch(&format!("/users/{owner}"), change).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    let token = async |change: Value| {
        let answer = app.patch(&format!("/tokens/{id}"), change).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    assert_eq!(standing(&client).await, "somebody");
    user(json!({"role": role})).await;
    assert_eq!(standing(&client).await, "administrator");
    user(json!({"status": "suspended"})).await;
    assert_eq!(standing(&client).await, "USER_SUSPENDED");
    user(json!({"status": "active"})).await;
    assert_eq!(standing(&client).await, "administrator");
    let demoted = app
        .patch(&format!("/policies/{admin}"), json!({"admin_access": false}))
        .await;
    assert_eq!(demoted.status, 200, "{}", demoted.text);
    assert_eq!(standing(&client).await, "somebody");
    token(json!({"ip_access": ["10.0.0.0/8"]})).await;
    assert_eq!(
        client.get("/policies/me/globals").await.refusal(),
        (403, "FORBIDDEN")
    );
    token(json!({"ip_access": null})).await;
    assert_eq!(standing(&client).await, "somebody");
    let rotated = app.post(&format!("/tokens/{id}/rotate"), json!({})).await;
    assert_eq!(standing(&client).await, "INVALID_CREDENTIALS");
    let client = app.with_token(rotated.data()["token"].as_str().unwrap());
    assert_eq!(standing(&client).await, "somebody");
    app.clock.advance(SignedDuration::from_hours(7 * 24));
    assert_eq!(standing(&client).await, "TOKEN_EXPIRED");
    let still = app.post(&format!("/tokens/{id}/rotate"), json!({})).await;
    assert_eq!(still.refusal(), (422, "UNPROCESSABLE_CONTENT"));
    let rotated = app
        .post(&format!("/tokens/{id}/rotate"), json!({"lifespan": 30}))
        .await;
    assert_eq!(rotated.data()["expires_in_days"], 30);
    let client = app.with_token(rotated.data()["token"].as_str().unwrap());
    assert_eq!(standing(&client).await, "somebody");
    assert_eq!(app.delete(&format!("/users/{owner}")).await.status, 204);
    assert_eq!(standing(&client).await, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let app = start().await;
    let check = async |what: Value, expect: &[&str]| {
        let answer = app.post("/tokens", what.clone()).await;
        let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
        let found: Vec<_> = errors
            .iter()
            .map(|error| {
                format!(
                    "{} {}",
                    error["extensions"]["code"].as_str().unwrap(),
                    error["extensions"]["path"].as_str().unwrap_or("")
                )
            })
            .collect();
        assert_eq!(found, expect, "{what}: {}", answer.text);
    };
    check(json!({}), &["INVALID_PAYLOAD name"]).await;
    check(
        json!({"name": "t", "user": "nobody"}),
        &["INVALID_FOREIGN_KEY user"],
    )
    .await;
    let unknown = json!({"name": "t", "policies": ["abf8a154-5b1c-4a46-ac9c-7300570f4f17", "x", "y"]});
    check(
        unknown,
        &[
            "INVALID_FOREIGN_KEY policies[1]",
            "INVALID_FOREIGN_KEY policies[2]",
        ],
    )
    .await;
    check(
        json!({"name": "t", "expires": "2020-01-01T00:00:00Z"}),
        &["INVALID_PAYLOAD expires"],
    )
    .await;
    check(
        json!({"name": "t", "expires": null, "lifespan": 7}),
        &["INVALID_PAYLOAD lifespan"],
    )
    .await;
    check(
        json!({"name": "", "hash": "x", "policies": "x", "lifespan": 8, "ip_access": ["10.0.0.1", "office"],
            "requests_per_minute": 0, "changed_rows_per_hour": 1.5, "mode": "x"}),
        &[
            "INVALID_PAYLOAD hash",
            "INVALID_PAYLOAD name",
            "INVALID_PAYLOAD policies",
            "INVALID_PAYLOAD lifespan",
            "FAILED_VALIDATION ip_access[1]",
            "INVALID_PAYLOAD requests_per_minute",
            "INVALID_PAYLOAD changed_rows_per_hour",
            "INVALID_PAYLOAD mode",
        ],
    )
    .await;
    assert_eq!(app.get("/tokens").await.data(), &json!([]));
    assert_eq!(app.get("/tokens?limit=1").await.refusal(), (400, "INVALID_QUERY"));
    let direct = app.post("/items/loggia_tokens", json!({"name": "t"})).await;
    assert_eq!(direct.refusal(), (403, "FORBIDDEN"));
}

#[tokio::test]
async fn everybody_has_their_own_and_administrators_have_all() {
    let app = start().await;
    let someone = app.user("someone@example.com", "someones-static-token").await;
    let other = app.user("other@example.com", "others-static-token").await;
    let (id, _) = make(&someone, json!({"name": "mine"})).await;
    make(&other, json!({"name": "theirs"})).await;
    let names = async |client: &Client, path: &str| {
        let listed = client.get(path).await;
        let mut names: Vec<_> = listed
            .data()
            .as_array()
            .unwrap()
            .iter()
            .map(|token| token["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort_unstable();
        names
    };
    let owner = user_id(&app, "someone@example.com").await;
    assert_eq!(names(&someone, "/tokens").await, ["mine"]);
    assert_eq!(names(&app, "/tokens").await, ["mine", "theirs"]);
    assert_eq!(names(&app, "/tokens?user=me").await, [""; 0]);
    assert_eq!(names(&app, &format!("/tokens?user={owner}")).await, ["mine"]);
    for refused in [
        other.get(&format!("/tokens?user={owner}")).await,
        other.get(&format!("/tokens/{id}")).await,
        other.get("/tokens/11111111-1111-4111-8111-111111111111").await,
        other.get("/tokens/x").await,
        other
            .patch(&format!("/tokens/{id}"), json!({"name": "stolen"}))
            .await,
        other.post(&format!("/tokens/{id}/rotate"), json!({})).await,
        other.delete(&format!("/tokens/{id}")).await,
        other.post("/tokens", json!({"name": "t", "user": owner})).await,
        other
            .post("/tokens", json!({"name": "t", "user": "nobody"}))
            .await,
        app.anonymous().get("/tokens").await,
        app.anonymous().post("/tokens", json!({"name": "t"})).await,
    ] {
        assert_eq!(refused.refusal(), (403, "FORBIDDEN"), "{}", refused.text);
    }
    // A policy that exists and is not theirs looks like one that does not exist.
    let secret = policy(&app, json!({"name": "secret"})).await;
    let there = other
        .post("/tokens", json!({"name": "t", "policies": [secret]}))
        .await;
    let gone = app.delete(&format!("/policies/{secret}")).await;
    assert_eq!(gone.status, 204);
    let absent = other
        .post("/tokens", json!({"name": "t", "policies": [secret]}))
        .await;
    assert_eq!(there.text, absent.text);
    assert_eq!(there.refusal(), (400, "INVALID_FOREIGN_KEY"));
}

#[tokio::test]
async fn a_token_sees_and_ends_what_may_do_no_more_than_it_does() {
    let app = start().await;
    let full = policy(&app, json!({"name": "all", "admin_access": true})).await;
    let (wide, _) = make(&app, json!({"name": "wide"})).await;
    let limits = json!({"name": "held", "policies": [full], "lifespan": 30, "requests_per_minute": 100,
        "changed_rows_per_hour": 10, "ip_access": ["127.0.0.0/8", "::1"]});
    let (id, secret) = make(&app, limits.clone()).await;
    let (twin, _) = make(&app, limits).await;
    let held = app.with_token(&secret);
    for refused in [
        held.get(&format!("/tokens/{wide}")).await,
        held.patch(&format!("/tokens/{wide}"), json!({"name": "mine"}))
            .await,
        held.delete(&format!("/tokens/{wide}")).await,
    ] {
        assert_eq!(refused.refusal(), (403, "FORBIDDEN"));
    }
    assert!(!held.get("/tokens").await.text.contains("wide"));
    let change =
        json!({"name": "renamed", "lifespan": 7, "ip_access": ["127.0.0.1"], "requests_per_minute": 50});
    let narrower = held.patch(&format!("/tokens/{id}"), change).await;
    assert_eq!(narrower.status, 200, "{}", narrower.text);
    assert_eq!(narrower.data()["expires_in_days"], 7);
    // It is narrower than its twin by now, so that it does not know it any more; but it can end itself.
    assert_eq!(
        held.get(&format!("/tokens/{twin}")).await.refusal(),
        (403, "FORBIDDEN")
    );
    assert_eq!(held.delete(&format!("/tokens/{id}")).await.status, 204);
    assert_eq!(standing(&held).await, "INVALID_CREDENTIALS");

    let (id, secret) = make(&app, json!({"name": "careful", "mode": "propose"})).await;
    let careful = app.with_token(&secret);
    for refused in [
        careful
            .post("/tokens", json!({"name": "t", "mode": "propose"}))
            .await,
        careful
            .patch(&format!("/tokens/{id}"), json!({"name": "x"}))
            .await,
        careful.post(&format!("/tokens/{id}/rotate"), json!({})).await,
        careful.delete(&format!("/tokens/{id}")).await,
    ] {
        assert_eq!(refused.refusal(), (403, "FORBIDDEN"));
    }
}

#[tokio::test]
async fn requests_are_counted_whatever_is_forgotten() {
    let app = start().await;
    let (id, secret) = make(&app, json!({"name": "t", "requests_per_minute": 2})).await;
    let client = app.with_token(&secret);
    assert_eq!(client.get("/server/health").await.status, 200);
    let renamed = app
        .patch(&format!("/tokens/{id}"), json!({"name": "renamed"}))
        .await;
    assert_eq!(renamed.status, 200);
    assert_eq!(client.get("/server/health").await.status, 200);
    app.clock.advance(SignedDuration::from_secs(20));
    let refused = client.get("/server/health").await;
    assert_eq!(refused.refusal(), (429, "REQUESTS_EXCEEDED"));
    assert_eq!(refused.header("retry-after"), "40");
    app.clock.advance(SignedDuration::from_secs(40));
    assert_eq!(client.get("/server/health").await.status, 200);
}

#[tokio::test]
async fn the_last_use_is_noted() {
    let app = start().await;
    let (id, secret) = make(&app, json!({"name": "t"})).await;
    let used = async || {
        let token = app.get(&format!("/tokens/{id}")).await;
        (
            token.data()["last_used_on"].clone(),
            token.data()["last_used_ip"].clone(),
        )
    };
    assert_eq!(used().await, (Value::Null, Value::Null));
    assert_eq!(app.with_token(&secret).get("/server/health").await.status, 200);
    let noted = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match used().await {
                (Value::Null, _) => tokio::task::yield_now().await,
                noted => break noted,
            }
        }
    });
    assert_eq!(
        noted.await.unwrap(),
        (json!("2027-01-15T08:00:00.000Z"), json!("127.0.0.1"))
    );
}

#[tokio::test]
async fn what_happens_to_tokens_is_recorded_without_their_secrets() {
    let app = start().await;
    let (id, secret) = make(&app, json!({"name": "t"})).await;
    assert_eq!(
        app.patch(&format!("/tokens/{id}"), json!({"name": "u"}))
            .await
            .status,
        200
    );
    let rotated = app.post(&format!("/tokens/{id}/rotate"), json!({})).await;
    let second = rotated.data()["token"].as_str().unwrap().to_owned();
    assert_eq!(app.delete(&format!("/tokens/{id}")).await.status, 204);
    let facts = RequestFacts::local(Origin::Rest);
    let caller = app
        .identity
        .authenticate(Credential::Bearer(ADMIN_TOKEN), facts)
        .await
        .unwrap();
    let rows = async |collection: &str| {
        let query = Query::from_json(&json!({"fields": ["*"], "limit": -1})).unwrap();
        app.engine
            .read_items(&caller, collection, query)
            .await
            .unwrap()
            .rows
    };
    let mut all = Vec::new();
    for collection in ["loggia_changes", "directus_activity", "directus_revisions"] {
        all.extend(
            rows(collection)
                .await
                .into_iter()
                .map(|row| (collection, Value::Object(row).to_string())),
        );
    }
    let of_it = |wanted: &str| {
        all.iter()
            .filter(|(collection, row)| *collection == wanted && row.contains("loggia_tokens"))
            .count()
    };
    assert_eq!(of_it("loggia_changes"), 4, "{all:?}");
    assert_eq!(of_it("directus_activity"), 4);
    for secret in [secret, second] {
        let fingerprint = fingerprint(&secret);
        for (collection, row) in &all {
            assert!(
                !row.contains(&secret) && !row.contains(&fingerprint),
                "{collection}: {row}"
            );
        }
    }
}

#[tokio::test]
async fn a_narrowed_token_reads_what_both_its_owner_and_its_policies_grant() {
    let app = TestApp::start().await;
    let collection = json!({
        "collection": "articles",
        "schema": {},
        "meta": {},
        "fields": [
            {"field": "id", "type": "integer", "schema": {"is_primary_key": true, "has_auto_increment": true}},
            {"field": "title", "type": "string", "schema": {}},
            {"field": "notes", "type": "string", "schema": {}},
            {"field": "status", "type": "string", "schema": {}},
        ],
    });
    let made = app.post("/collections", collection).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let rows = json!([
        {"title": "one", "notes": "n1", "status": "published"},
        {"title": "two", "notes": "n2", "status": "draft"},
    ]);
    assert_eq!(app.post("/items/articles", rows).await.status, 200);
    let own = json!([{"collection": "articles", "action": ["read", "update"], "fields": ["id", "title", "status"]}]);
    let own = app.policy(json!({"permissions": own})).await;
    let narrow = json!([{"collection": "articles", "action": "read", "fields": ["title", "notes"],
        "permissions": {"status": {"_eq": "published"}}}]);
    let narrow = app.policy(json!({"permissions": narrow})).await;
    let someone = app.caller_of("someone@example.com", &[&own]).await;
    let owner = user_id(&app, "someone@example.com").await;
    let (_, secret) = make(&app, json!({"name": "t", "user": owner, "policies": [narrow]})).await;
    let token = app.with_token(&secret);

    assert_eq!(
        someone.get("/items/articles?fields=title").await.data(),
        &json!([{"title": "one"}, {"title": "two"}])
    );
    assert_eq!(
        token.get("/items/articles?fields=title").await.data(),
        &json!([{"title": "one"}])
    );
    // What only one of the two grants does not exist.
    for field in ["notes", "status"] {
        let refused = token.get(&format!("/items/articles?fields={field}")).await;
        assert!(refused.status >= 400, "{field}: {}", refused.text);
    }
    let change = json!({"title": "changed"});
    assert_eq!(
        someone.patch("/items/articles/1", change.clone()).await.status,
        200
    );
    assert_eq!(
        token.patch("/items/articles/1", change).await.refusal(),
        (403, "FORBIDDEN")
    );
    // Without a policy of its own it does what its owner does; with none at all, nothing.
    let (_, secret) = make(&someone, json!({"name": "t"})).await;
    let same = app.with_token(&secret);
    assert_eq!(
        same.get("/items/articles?fields=title")
            .await
            .data()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let (_, secret) = make(&someone, json!({"name": "t", "policies": []})).await;
    let nothing = app.with_token(&secret);
    assert_eq!(
        nothing.get("/items/articles?fields=title").await.refusal(),
        (403, "FORBIDDEN")
    );
    // A permission that goes counts on the very next request.
    let found = app
        .get(&format!("/permissions?filter[policy][_eq]={narrow}&fields=id"))
        .await;
    let path = format!("/permissions/{}", found.data()[0]["id"]);
    assert_eq!(app.delete(&path).await.status, 204);
    assert_eq!(
        token.get("/items/articles?fields=title").await.refusal(),
        (403, "FORBIDDEN")
    );
}

#[tokio::test]
async fn tokens_are_read_while_somebody_writes() {
    let app = start().await;
    let (id, secret) = make(&app, json!({"name": "t"})).await;
    let client = app.with_token(&secret);
    assert_eq!(client.get("/server/ping").await.status, 200);
    // Whoever wants to write waits for this one.
    let writing = app.store.begin().await.unwrap();
    for client in [&*app, &client] {
        for path in ["/tokens".to_owned(), format!("/tokens/{id}")] {
            let read = tokio::time::timeout(Duration::from_secs(20), client.get(&path));
            assert_eq!(read.await.expect("no waiting").status, 200, "{path}");
        }
    }
    drop(writing);
}
