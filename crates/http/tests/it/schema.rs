//! `/collections`, `/fields`, `/relations`, `/schema/snapshot`, `/server/specs/oas`.

use serde_json::{Value, json};

use crate::blog::blog;

#[tokio::test]
async fn the_model_is_read_and_changed() {
    let app = blog().await;
    let collection = app.get("/collections/posts").await;
    assert_eq!(collection.data()["collection"], "posts");
    assert!(collection.data()["schema"].is_object() && collection.data()["meta"].is_object());
    let changed = app
        .patch(
            "/collections/posts",
            json!({"meta": {"note": "What is published"}}),
        )
        .await;
    assert_eq!(changed.data()["meta"]["note"], "What is published");
    let fields = app.get("/fields/posts").await;
    let names: Vec<_> = fields
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["field"].as_str().unwrap())
        .collect();
    assert_eq!(names[..3], ["id", "title", "slug"]);
    let field = app
        .patch(
            "/fields/posts/views",
            json!({"schema": {"default_value": 3}, "meta": {"note": "Readers"}}),
        )
        .await;
    assert_eq!(
        (
            &field.data()["schema"]["default_value"],
            &field.data()["meta"]["note"]
        ),
        (&json!(3), &json!("Readers"))
    );
    let relation = app.get("/relations/posts/author").await;
    assert_eq!(relation.data()["related_collection"], "authors");
    let changed = app
        .patch(
            "/relations/posts/author",
            json!({"schema": {"on_delete": "SET NULL"}}),
        )
        .await;
    assert_eq!(changed.data()["schema"]["on_delete"], "SET NULL");
    assert_eq!(app.delete("/fields/posts/slug").await.status, 204);
    assert_eq!(app.get("/fields/posts/slug").await.refusal(), (403, "FORBIDDEN"));
    assert_eq!(app.delete("/relations/posts/author").await.status, 204);
    assert_eq!(app.get("/relations/posts").await.data(), &json!([]));
    assert_eq!(app.delete("/collections/home").await.status, 204);
    assert_eq!(app.get("/collections/home").await.refusal(), (403, "FORBIDDEN"));
    let snapshot = app.get("/schema/snapshot").await;
    assert!(
        snapshot.data()["collections"]
            .as_array()
            .unwrap()
            .iter()
            .any(|each| each["collection"] == "posts")
    );
}

#[tokio::test]
async fn all_of_a_list_is_made_or_none() {
    let app = blog().await;
    let body = json!([{"collection": "one", "schema": {}, "meta": {}}, {"collection": "posts", "schema": {}, "meta": {}}]);
    assert_eq!(
        app.post("/collections", body).await.refusal(),
        (400, "INVALID_PAYLOAD")
    );
    assert_eq!(app.get("/collections/one").await.refusal(), (403, "FORBIDDEN"));
}

#[tokio::test]
async fn what_belongs_to_the_system_stays() {
    let app = blog().await;
    for path in [
        "/collections/directus_users",
        "/fields/directus_users/email",
        "/fields/directus_settings/id",
        "/relations/directus_users/role",
    ] {
        let answer = app.delete(path).await;
        assert!((400..500).contains(&answer.status), "{path} {}", answer.text);
    }
    let altered = app
        .patch(
            "/fields/directus_users/email",
            json!({"schema": {"is_nullable": false}}),
        )
        .await;
    assert!((400..500).contains(&altered.status), "{}", altered.text);
    assert_eq!(
        app.get("/users/me?fields=email").await.data(),
        &json!({"email": loggia_testkit::ADMIN_EMAIL})
    );
    let own = json!({"field": "nickname", "type": "string", "schema": {}, "meta": {}});
    assert_eq!(app.post("/fields/directus_users", own).await.status, 200);
    assert_eq!(
        app.patch("/users/me?fields=nickname", json!({"nickname": "A"}))
            .await
            .data(),
        &json!({"nickname": "A"})
    );
    assert_eq!(app.delete("/fields/directus_users/nickname").await.status, 204);
}

#[tokio::test]
async fn hostile_names_are_refused_and_change_nothing() {
    let app = blog().await;
    let before = app.get("/collections").await.text;
    let long = "x".repeat(200);
    for name in [
        "",
        " ",
        "a\"b",
        "a'; DROP TABLE posts; --",
        "directus_x",
        "loggia_x",
        "sqlite_x",
        "a/b",
        "a\u{0}b",
        "Posts",
        long.as_str(),
    ] {
        let answer = app
            .post(
                "/collections",
                json!({"collection": name, "schema": {}, "meta": {}}),
            )
            .await;
        assert_eq!(answer.status, 400, "{name:?} {}", answer.text);
        let answer = app
            .post(
                "/fields/posts",
                json!({"field": name, "type": "string", "schema": {}, "meta": {}}),
            )
            .await;
        if !matches!(name, "directus_x" | "loggia_x" | "sqlite_x" | "Posts") {
            assert_eq!(answer.status, 400, "{name:?} {}", answer.text);
        }
    }
    assert_eq!(app.get("/collections").await.text, before);
}

#[tokio::test]
async fn administrators_alone_see_and_change_the_model() {
    let app = blog().await;
    let somebody = app.user("somebody@example.com", "somebodys-token-0").await;
    for client in [app.anonymous(), somebody] {
        for path in [
            "/collections/posts",
            "/collections/none",
            "/fields/posts",
            "/fields/posts/id",
            "/relations/posts",
            "/schema/snapshot",
        ] {
            assert_eq!(client.get(path).await.refusal(), (403, "FORBIDDEN"), "{path}");
        }
        assert_eq!(
            client
                .post("/collections", json!({"collection": "x", "schema": {}}))
                .await
                .refusal(),
            (403, "FORBIDDEN")
        );
        assert_eq!(
            client
                .patch("/collections/posts", json!({"meta": {}}))
                .await
                .refusal(),
            (403, "FORBIDDEN")
        );
        assert_eq!(
            client.delete("/fields/posts/title").await.refusal(),
            (403, "FORBIDDEN")
        );
        assert_eq!(
            client
                .post("/relations", json!({"collection": "posts", "field": "views"}))
                .await
                .refusal(),
            (403, "FORBIDDEN")
        );
    }
}

#[tokio::test]
async fn the_openapi_document_shows_what_the_caller_may_know() {
    let app = blog().await;
    let document = app.get("/server/specs/oas").await.body;
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/items/posts/{id}"]["patch"].is_object());
    assert_eq!(
        document["components"]["schemas"]["Item_posts"]["properties"]["views"]["type"],
        json!(["integer", "null"])
    );
    let mut ids: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .filter_map(|operation| operation.get("operationId").and_then(Value::as_str))
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
    let public = app.anonymous().get("/server/specs/oas").await.text;
    assert!(!public.contains("/items/posts") && !public.contains("Item_posts"));
}
