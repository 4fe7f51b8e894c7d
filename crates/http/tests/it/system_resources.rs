//! `/users`, `/roles`, `/policies`, `/access`, `/permissions`, `/settings`.

use serde_json::json;

use crate::blog::{blog, made};

#[tokio::test]
async fn secrets_are_stored_and_never_shown() {
    let app = blog().await;
    let token = "a-token-of-their-own-0123456789";
    let body =
        json!({"email": "New@Example.com", "password": "long enough 1", "token": token, "first_name": "New"});
    let user = made(&app, "/users", body).await;
    assert_eq!(
        (&user["email"], &user["password"], &user["token"]),
        (
            &json!("new@example.com"),
            &json!("**********"),
            &json!("**********")
        )
    );
    let key = user["id"].as_str().unwrap();
    assert_eq!(
        app.with_token(token).get("/users/me").await.data(),
        &json!({"id": key})
    );
    let login = json!({"email": "new@example.com", "password": "long enough 1"});
    assert_eq!(
        app.anonymous().post("/auth/login", login.clone()).await.status,
        200
    );
    let same = json!({"password": "**********", "token": "**********", "first_name": "Newer"});
    assert_eq!(
        app.patch(&format!("/users/{key}?fields=first_name"), same)
            .await
            .data(),
        &json!({"first_name": "Newer"})
    );
    assert_eq!(
        app.anonymous().post("/auth/login", login.clone()).await.status,
        200
    );
    assert_eq!(
        app.patch(&format!("/users/{key}"), json!({"status": "suspended"}))
            .await
            .status,
        200
    );
    assert_eq!(app.with_token(token).get("/users/me").await.status, 401);
    assert_eq!(app.anonymous().post("/auth/login", login).await.status, 401);
    for query in [
        "filter[password][_nnull]=true",
        "sort=token",
        "search=a-token",
        "fields=password&filter[token][_starts_with]=a",
    ] {
        let answer = app.get(&format!("/users?{query}")).await;
        assert!(
            answer.status >= 400 || answer.data() == &json!([]),
            "{query} {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn wrong_users_are_refused() {
    let app = blog().await;
    for (body, code) in [
        (json!({"email": "nonsense"}), "FAILED_VALIDATION"),
        (json!({"email": "ADMIN@example.com"}), "RECORD_NOT_UNIQUE"),
        (
            json!({"email": "x@example.com", "password": "short"}),
            "FAILED_VALIDATION",
        ),
        (
            json!({"email": "x@example.com", "token": "short"}),
            "FAILED_VALIDATION",
        ),
        (
            json!({"email": "x@example.com", "status": "king"}),
            "FAILED_VALIDATION",
        ),
        (json!({"email": "x@example.com", "emial": "y"}), "INVALID_PAYLOAD"),
    ] {
        let answer = app.post("/users", body.clone()).await;
        assert_eq!(
            (answer.status, answer.codes()),
            (400, vec![code]),
            "{body} {}",
            answer.text
        );
    }
    assert_eq!(
        app.get("/users?aggregate[count]=*").await.data(),
        &json!([{"count": 1}])
    );
}

#[tokio::test]
async fn an_administrator_remains() {
    let app = blog().await;
    let me = app.get("/users/me?fields=id,role").await.data().clone();
    let key = me["id"].as_str().unwrap();
    for body in [json!({"status": "suspended"}), json!({"role": null})] {
        assert_eq!(
            app.patch(&format!("/users/{key}"), body.clone()).await.status,
            422,
            "{body}"
        );
    }
    assert_eq!(app.delete(&format!("/users/{key}")).await.status, 422);
    let policies = app
        .get("/policies?filter[admin_access][_eq]=true&filter[name][_neq]=Developer&fields=id")
        .await
        .data()
        .clone();
    let policy = policies[0]["id"].as_str().unwrap();
    assert_eq!(app.delete(&format!("/policies/{policy}")).await.status, 422);
    assert_eq!(
        app.patch(&format!("/policies/{policy}"), json!({"admin_access": false}))
            .await
            .status,
        422
    );
    assert_eq!(app.get("/users/me?fields=id,role").await.data(), &me);
}

#[tokio::test]
async fn roles_policies_permissions_and_access_belong_together() {
    let app = blog().await;
    let role = made(&app, "/roles", json!({"name": "Writers", "policies": [{"policy": {"name": "Write", "permissions": {
        "create": [{"collection": "posts", "action": "create", "fields": ["*"], "permissions": {}, "validation": null, "presets": null}],
        "update": [], "delete": [],
    }}}]})).await;
    let key = role["id"].as_str().unwrap();
    let read = app
        .get(&format!(
            "/roles/{key}?fields=name,policies.policy.name,policies.policy.permissions.collection"
        ))
        .await;
    assert_eq!(
        read.data(),
        &json!({"name": "Writers", "policies": [{"policy": {"name": "Write", "permissions": [{"collection": "posts"}]}}]})
    );
    let wrong = json!({"policy": loggia_model::system::PUBLIC_POLICY, "collection": "posts", "action": "reed", "fields": ["titel"]});
    assert_eq!(
        app.post("/permissions", wrong).await.codes(),
        ["FAILED_VALIDATION", "INVALID_PAYLOAD"]
    );
    assert_eq!(
        app.get(
            "/access?fields=policy.name&filter[role][_eq]="
                .to_owned()
                .as_str()
        )
        .await
        .status,
        400
    );
    let access = app
        .get(&format!("/access?fields=policy.name&filter[role][_eq]={key}"))
        .await;
    assert_eq!(access.data(), &json!([{"policy": {"name": "Write"}}]));
    assert_eq!(app.delete(&format!("/roles/{key}")).await.status, 204);
}

#[tokio::test]
async fn settings_are_one_item_and_count_at_once() {
    let app = blog().await;
    assert_eq!(
        app.get("/settings?fields=mcp_allow_deletes").await.data(),
        &json!({"mcp_allow_deletes": false})
    );
    assert_eq!(
        app.patch("/settings?fields=project_name", json!({"project_name": "House"}))
            .await
            .data(),
        &json!({"project_name": "House"})
    );
    assert_eq!(
        app.get("/server/info").await.data()["project"]["project_name"],
        "House"
    );
    assert_eq!(
        app.patch("/settings", json!({"projct_name": "House"}))
            .await
            .refusal(),
        (400, "INVALID_PAYLOAD")
    );
    assert_eq!(
        app.patch("/settings", json!({"mcp_enabled": false})).await.status,
        200
    );
    assert_eq!(app.mcp("ping", json!({})).await.status, 403);
}

#[tokio::test]
async fn people_without_rights_see_themselves_at_most() {
    let app = blog().await;
    let somebody = app.user("somebody@example.com", "somebodys-token-0").await;
    for path in [
        "/users",
        "/roles",
        "/policies",
        "/access",
        "/permissions",
        "/settings",
    ] {
        assert_eq!(somebody.get(path).await.refusal(), (403, "FORBIDDEN"), "{path}");
        assert_eq!(
            app.anonymous().get(path).await.refusal(),
            (403, "FORBIDDEN"),
            "{path}"
        );
    }
    assert_eq!(
        somebody.get("/users/me").await.data().as_object().unwrap().len(),
        1
    );
    assert_eq!(
        app.anonymous().get("/users/me").await.refusal(),
        (401, "INVALID_CREDENTIALS")
    );
    assert_eq!(somebody.get("/permissions/me").await.data(), &json!({}));
    assert_eq!(
        somebody.get("/policies/me/globals").await.data()["admin_access"],
        false
    );
    assert_eq!(
        somebody.patch("/users/me", json!({"title": "x"})).await.refusal(),
        (403, "FORBIDDEN")
    );
}
