//! What is left to people: access tokens and assistants neither loosen what holds them nor let anybody sign in.

use loggia_testkit::{ADMIN_EMAIL, ADMIN_PASSWORD, Answer, Client, TestApp};
use serde_json::{Value, json};

/// An access token: its key, and whoever asks by it.
async fn token(client: &Client, what: Value) -> (String, Client) {
    let mut said = json!({"name": "t"});
    said.as_object_mut()
        .unwrap()
        .extend(what.as_object().unwrap().clone());
    let made = client.post("/tokens", said).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let text = |name: &str| made.data()[name].as_str().unwrap().to_owned();
    (text("id"), client.with_token(&text("token")))
}

/// Refused, and it is said who does it instead.
#[track_caller]
fn left_to_people(answer: &Answer, what: &Value) {
    assert_eq!(answer.refusal(), (403, "FORBIDDEN"), "{what}: {}", answer.text);
    assert!(answer.text.contains("igned in"), "{what}: {}", answer.text);
}

#[tokio::test]
async fn access_tokens_make_rotate_and_widen_none() {
    let app = TestApp::start().await;
    let someone = app.user("someone@example.com", "someones-static-token").await;
    for owner in [&*app, &someone] {
        let limits = json!({"lifespan": 7, "requests_per_minute": 100, "changed_rows_per_hour": 10, "policies": [],
            "ip_access": ["127.0.0.0/8"]});
        for limits in [json!({}), limits] {
            let (id, held) = token(owner, limits.clone()).await;
            let (other, _) = token(owner, limits.clone()).await;
            let mut twin = limits.clone();
            twin["name"] = "twin".into();
            left_to_people(&held.post("/tokens", twin).await, &limits);
            for id in [&id, &other] {
                let path = format!("/tokens/{id}/rotate");
                left_to_people(&held.post(&path, json!({})).await, &limits);
            }
            if limits.get("policies").is_none() {
                continue;
            }
            for more in [
                json!({"policies": null}),
                json!({"expires": null}),
                json!({"lifespan": 30}),
                json!({"ip_access": null}),
                json!({"ip_access": ["127.0.0.0/8", "10.0.0.0/8"]}),
                json!({"requests_per_minute": null}),
                json!({"requests_per_minute": 101}),
                json!({"changed_rows_per_hour": 11}),
            ] {
                left_to_people(
                    &held.patch(&format!("/tokens/{other}"), more.clone()).await,
                    &more,
                );
            }
            let mut still = app.get(&format!("/tokens/{other}")).await.data().clone();
            still["lifespan"] = 7.into();
            for (name, value) in limits.as_object().unwrap() {
                assert_eq!(still[name], *value, "{name}");
            }
        }
    }
    // An administrator's token does not lift the limits of others either, nor what only proposes.
    let (_, admin) = token(&app, json!({})).await;
    let (careful, _) = token(&someone, json!({"mode": "propose", "requests_per_minute": 5})).await;
    for more in [json!({"mode": "direct"}), json!({"requests_per_minute": 6})] {
        left_to_people(
            &admin.patch(&format!("/tokens/{careful}"), more.clone()).await,
            &more,
        );
    }
    let less = json!({"requests_per_minute": 4, "ip_access": ["10.0.0.0/8"], "name": "held"});
    assert_eq!(admin.patch(&format!("/tokens/{careful}"), less).await.status, 200);
    assert_eq!(admin.delete(&format!("/tokens/{careful}")).await.status, 204);
    // A person may.
    assert_eq!(someone.post("/tokens", json!({"name": "t"})).await.status, 200);
}

#[tokio::test]
async fn access_tokens_change_nobodys_way_to_sign_in() {
    let app = TestApp::start().await;
    let may = json!([{"collection": "directus_users", "action": ["read", "update"]}]);
    let someone = app.caller_with("someone@example.com", may).await;
    let (id, admin) = (someone.key().await, app.key().await);
    let (_, own) = token(&someone, json!({"lifespan": 7})).await;
    let (_, wide) = token(&app, json!({})).await;
    for change in [
        json!({"password": "another-password-2"}),
        json!({"token": "a-static-token-without-end"}),
        json!({"email": "thief@example.com"}),
        json!({"external_identifier": "thief"}),
    ] {
        for (client, path) in [
            (&own, "/users/me".to_owned()),
            (&wide, "/users/me".to_owned()),
            (&wide, format!("/users/{id}")),
            (&wide, format!("/users/{admin}")),
        ] {
            left_to_people(&client.patch(&path, change.clone()).await, &change);
        }
    }
    let new = json!({"email": "new@example.com", "token": "a-static-token-without-end"});
    left_to_people(&wide.post("/users", new.clone()).await, &new);
    let path = format!("/users/{id}/tfa/disable");
    left_to_people(&wide.post(&path, json!({})).await, &json!(path));
    // Suspending is no loosening; letting in again is.
    let path = format!("/users/{id}");
    assert_eq!(
        wide.patch(&path, json!({"status": "suspended"})).await.status,
        200
    );
    let again = json!({"status": "active"});
    left_to_people(&wide.patch(&path, again.clone()).await, &again);
    assert_eq!(app.patch(&path, again).await.status, 200);
    // Everything else about users is theirs, and so is taking a token away.
    let rest = json!({"first_name": "Ada", "token": null});
    assert_eq!(wide.patch(&path, rest).await.status, 200);
    assert_eq!(someone.get("/users/me").await.refusal().0, 401);
    let new = json!({"email": "new@example.com", "password": "another-password-2"});
    assert_eq!(wide.post("/users", new).await.status, 200);
    let person = app
        .patch("/users/me", json!({"password": "another-password-2"}))
        .await;
    assert_eq!(person.status, 200, "{}", person.text);
}

#[tokio::test]
async fn access_tokens_make_no_administrators() {
    let app = TestApp::start().await;
    let all = app.policy(json!({"admin_access": true})).await;
    let some = app.policy(json!({})).await;
    let role = app.role(json!({"name": "Chiefs", "policies": [all]})).await;
    let staff = app.role(json!({"name": "Staff", "policies": [some]})).await;
    let someone = app
        .caller(json!({"email": "someone@example.com", "role": staff}))
        .await;
    let id = someone.key().await;
    let (_, wide) = token(&app, json!({})).await;
    let user = format!("/users/{id}");
    for (method, path, body) in [
        ("PATCH", user.as_str(), json!({"role": role})),
        ("PATCH", &user, json!({"policies": [{"policy": all}]})),
        ("POST", "/access", json!({"policy": all, "user": id})),
        ("POST", "/access", json!({"policy": all, "role": staff})),
        ("PATCH", &format!("/roles/{staff}"), json!({"parent": role})),
        (
            "PATCH",
            &format!("/policies/{some}"),
            json!({"admin_access": true}),
        ),
        (
            "POST",
            "/users",
            json!({"email": "new@example.com", "role": role}),
        ),
    ] {
        let refused = wide.send(wide.request(method, path).json(&body)).await;
        left_to_people(&refused, &body);
    }
    // What does not make an administrator may be given.
    let other = app.policy(json!({})).await;
    let given = wide.post("/access", json!({"policy": other, "user": id})).await;
    assert_eq!(given.status, 200, "{}", given.text);
    let made = wide
        .post("/users", json!({"email": "new@example.com", "role": staff}))
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
}

#[tokio::test]
async fn a_narrowed_token_grants_nothing_that_it_does_not_have() {
    let app = TestApp::start().await;
    let all = json!(["create", "read", "update", "delete"]);
    let of = |name: &str| json!({"collection": name, "action": all});
    let rules =
        ["users", "roles", "policies", "access", "permissions"].map(|name| of(&format!("directus_{name}")));
    let clerk = app.policy(json!({"name": "Clerk", "permissions": rules})).await;
    let secrets = app.policy(json!({"name": "Secrets"})).await;
    let desk = app.policy(json!({"name": "Desk"})).await;
    let gone = app.policy(json!({"name": "Gone"})).await;
    let role = app.role(json!({"name": "Keepers", "policies": [secrets]})).await;
    let office = app.role(json!({"name": "Office", "policies": [desk]})).await;
    let someone = app.caller_of("someone@example.com", &[]).await;
    let (id, me) = (someone.key().await, app.key().await);
    let (_, held) = token(&app, json!({"policies": [clerk, desk, gone]})).await;
    assert_eq!(app.delete(&format!("/policies/{gone}")).await.status, 204);
    let (user, own, policy) = (
        format!("/users/{id}"),
        format!("/users/{me}"),
        format!("/policies/{clerk}"),
    );
    let more = json!({"policy": clerk, "collection": "*", "action": "read", "fields": ["*"]});
    for (method, path, body) in [
        ("PATCH", user.as_str(), json!({"role": role})),
        ("PATCH", &own, json!({"role": role})),
        ("PATCH", &format!("/roles/{office}"), json!({"parent": role})),
        ("PATCH", &format!("/roles/{role}"), json!({"users": [id]})),
        (
            "POST",
            "/users",
            json!({"email": "new@example.com", "role": role}),
        ),
        (
            "POST",
            "/users",
            json!({"email": "new@example.com", "role": {"name": "New", "parent": role}}),
        ),
    ] {
        let refused = held.send(held.request(method, path).json(&body)).await;
        left_to_people(&refused, &body);
    }
    // What policies say and who has them is written by administrators alone, and it is none.
    for (method, path, body) in [
        ("POST", "/permissions", more),
        ("PATCH", &policy, json!({"admin_access": true})),
        (
            "PATCH",
            &policy,
            json!({"permissions": [{"collection": "*", "action": "read"}]}),
        ),
        (
            "POST",
            "/policies",
            json!({"id": gone, "name": "Gone", "admin_access": true}),
        ),
        ("POST", "/access", json!({"policy": secrets, "user": me})),
        ("PATCH", &user, json!({"policies": [{"policy": secrets}]})),
        (
            "POST",
            "/roles",
            json!({"name": "New", "policies": [{"policy": secrets}]}),
        ),
    ] {
        let refused = held.send(held.request(method, path).json(&body)).await;
        assert_eq!(refused.refusal(), (403, "FORBIDDEN"), "{body}: {}", refused.text);
    }
    // What it has it may hand out; taking away is always fine.
    for (method, path, body) in [
        ("PATCH", user.as_str(), json!({"role": office})),
        (
            "POST",
            "/users",
            json!({"email": "new@example.com", "role": office}),
        ),
        ("PATCH", &user, json!({"role": null})),
    ] {
        let done = held.send(held.request(method, path).json(&body)).await;
        assert_eq!(done.status, 200, "{body}: {}", done.text);
    }
    assert_eq!(
        held.get("/policies/me/globals").await.data()["admin_access"],
        false
    );
    let whole = app.patch(&user, json!({"role": role})).await;
    assert_eq!(whole.status, 200, "its owner may: {}", whole.text);
}

#[tokio::test]
async fn what_holds_assistants_is_loosened_by_people() {
    let app = TestApp::builder()
        .setting("mcp_max_rows", 50)
        .setting("auth_login_attempts", 5)
        .start()
        .await;
    let (_, wide) = token(&app, json!({})).await;
    let session = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
    let session = app.anonymous().post("/auth/login", session).await;
    let person = app.with_token(session.data()["access_token"].as_str().unwrap());
    for (change, path) in [
        (json!({"mcp_allow_deletes": true}), "mcp_allow_deletes"),
        (json!({"mcp_system_prompt": "Obey."}), "mcp_system_prompt"),
        (
            json!({"mcp_system_prompt_enabled": false}),
            "mcp_system_prompt_enabled",
        ),
        (
            json!({"mcp_prompts_collection": "directus_users"}),
            "mcp_prompts_collection",
        ),
        (json!({"mcp_max_rows": 51, "project_name": "X"}), "mcp_max_rows"),
        (json!({"mcp_max_tokens": 1_000_000}), "mcp_max_tokens"),
        (json!({"auth_login_attempts": null}), "auth_login_attempts"),
        (json!({"auth_password_policy": "/^.$/"}), "auth_password_policy"),
        (json!({"public_registration": true}), "public_registration"),
    ] {
        let refused = wide.patch("/settings", change.clone()).await;
        left_to_people(&refused, &change);
        let errors = refused.body["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{}", refused.text);
        assert_eq!(errors[0]["extensions"]["path"], path);
    }
    let tighter = json!({"mcp_max_rows": 10, "mcp_max_tokens": 100, "auth_login_attempts": 3, "mcp_enabled": false,
        "project_name": "House"});
    let changed = wide.patch("/settings", tighter).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let on = json!({"mcp_enabled": true});
    left_to_people(&wide.patch("/settings", on.clone()).await, &on);
    // Taking the tightening back is loosening.
    let back = format!("/changes/{}/revert", changed.header("loggia-change"));
    left_to_people(&wide.post(&back, json!({})).await, &json!(back));
    assert_eq!(person.post(&back, json!({})).await.status, 200);
    let looser = json!({"mcp_allow_deletes": true, "mcp_system_prompt": "Be kind.", "mcp_max_rows": 500});
    assert_eq!(person.patch("/settings", looser).await.status, 200);
}

#[tokio::test]
async fn policies_are_opened_by_people() {
    let app = TestApp::start().await;
    let office = app
        .policy(json!({"ip_access": ["127.0.0.0/8"], "enforce_tfa": true}))
        .await;
    let (_, wide) = token(&app, json!({})).await;
    let path = format!("/policies/{office}");
    for change in [
        json!({"ip_access": []}),
        json!({"ip_access": null}),
        json!({"ip_access": ["0.0.0.0/0"]}),
        json!({"enforce_tfa": false}),
    ] {
        left_to_people(&wide.patch(&path, change.clone()).await, &change);
    }
    left_to_people(&wide.delete(&path).await, &json!(path));
    let tighter = json!({"ip_access": ["127.0.0.1"], "name": "Office"});
    assert_eq!(wide.patch(&path, tighter).await.status, 200);
    assert_eq!(
        app.patch(&path, json!({"ip_access": null, "enforce_tfa": false}))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_assistant_of_an_administrator_has_no_way_around() {
    let app = TestApp::start().await;
    let fields = json!([
        {"field": "id", "type": "integer", "schema": {"is_primary_key": true, "has_auto_increment": true}},
        {"field": "owner", "type": "uuid", "schema": {}},
        {"field": "house", "type": "integer", "schema": {}},
    ]);
    let made = app
        .post(
            "/collections",
            json!({"collection": "notes", "schema": {}, "meta": {}, "fields": fields}),
        )
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
    for (field, to) in [("owner", "directus_users"), ("house", "directus_settings")] {
        let relation = json!({"collection": "notes", "field": field, "related_collection": to});
        let made = app.post("/relations", relation).await;
        assert_eq!(made.status, 200, "{}", made.text);
    }
    let me = app.key().await;
    let nested = async |data: Value| {
        let arguments = json!({"action": "create", "collection": "notes", "data": data});
        app.tool("items", arguments).await
    };
    for data in [
        json!({"house": {"id": 1, "mcp_allow_deletes": true}}),
        json!({"owner": {"id": me, "password": "another-password-2"}}),
        json!({"owner": {"id": me, "token": "a-static-token-without-end"}}),
        json!({"owner": {"email": "new@example.com", "token": "a-static-token-without-end"}}),
    ] {
        let refused = nested(data.clone()).await.unwrap_err().to_string();
        assert!(
            refused.contains("FORBIDDEN") && refused.contains("signed in"),
            "{data}: {refused}"
        );
    }
    nested(json!({"owner": {"id": me, "first_name": "Ada"}}))
        .await
        .unwrap();
    // Nor does it take back what a person tightened.
    app.patch("/settings", json!({"mcp_allow_deletes": true})).await;
    let tightened = app.patch("/settings", json!({"mcp_allow_deletes": false})).await;
    let change = tightened.header("loggia-change").to_owned();
    for conflicts in ["refuse", "force"] {
        let arguments = json!({"action": "revert", "keys": [change], "conflicts": conflicts});
        let refused = app.tool("changes", arguments).await.unwrap_err().to_string();
        assert!(
            refused.contains("FORBIDDEN") && refused.contains("mcp_allow_deletes"),
            "{refused}"
        );
    }
    let settings = app.get("/settings?fields=mcp_allow_deletes").await;
    assert_eq!(settings.data(), &json!({"mcp_allow_deletes": false}));
}
