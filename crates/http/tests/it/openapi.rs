//! `/server/specs/oas` says what answers are like: statuses, headers and members of real ones are in it.

use loggia_testkit::{Answer, TestApp};
use serde_json::{Value, json};

use crate::blog::blog;

/// A component, or what stands in its place.
fn resolved<'a>(document: &'a Value, node: &'a Value) -> &'a Value {
    match node["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => node,
    }
}

/// Sends a request, and holds the answer against what the document says of the operation.
async fn holds(app: &TestApp, request: (&str, &str, Value), headers: &[(&str, &str)], place: &str) -> Answer {
    let document = app.get("/server/specs/oas").await.body;
    let (method, path, body) = request;
    let mut request = app.request(method, path);
    if !body.is_null() {
        request = request.json(&body);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = app.send(request).await;
    let operation = &document["paths"][place][method.to_lowercase()];
    let parameters: Vec<_> = operation["parameters"].as_array().into_iter().flatten().collect();
    let parameter = |place: &str, name: &str| {
        let mut found = parameters.iter().map(|parameter| resolved(&document, parameter));
        found.any(|known| known["in"] == place && known["name"].as_str().unwrap().eq_ignore_ascii_case(name))
    };
    for (name, _) in headers {
        assert!(parameter("header", name), "{method} {place} takes {name}");
    }
    if path.contains("meta=receipt") {
        assert!(parameter("query", "meta"), "{method} {place} takes meta");
    }
    assert_eq!(
        operation["requestBody"].is_object(),
        !body.is_null(),
        "{method} {place}"
    );
    let status = answer.status.to_string();
    let said = &operation["responses"][&status];
    assert!(
        said.is_object(),
        "{method} {place} answers {status}: {}",
        answer.text
    );
    let said = resolved(&document, said);
    for name in ["Loggia-Change", "ETag"] {
        let documented = said["headers"].as_object().into_iter().flatten();
        let documented = documented
            .into_iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name));
        assert_eq!(
            documented,
            !answer.header(name).is_empty(),
            "{method} {place} {status}: {name}"
        );
    }
    if let Some(members) = answer.body.as_object() {
        let schema = resolved(&document, &said["content"]["application/json"]["schema"]);
        for name in members.keys() {
            assert!(
                schema["properties"].get(name).is_some(),
                "{method} {place} {status}: {name} in {schema}"
            );
        }
    }
    answer
}

#[tokio::test]
async fn answers_of_items_are_as_documented() {
    let app = blog().await;
    let (many, one) = ("/items/authors", "/items/authors/{id}");
    let check =
        async |method: &str, path: &str, body: Value, headers: &[(&str, &str)], place: &str, status: u16| {
            let answer = holds(&app, (method, path, body), headers, place).await;
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
            answer
        };
    let title = [("Loggia-Change-Title", "A test")];
    let name = |name: &str| json!({"name": name});
    check("POST", "/items/authors", name("Ann"), &title, many, 200).await;
    let made = check(
        "POST",
        "/items/authors?meta=receipt&fields=id",
        json!([name("Bob"), name("Cid")]),
        &[],
        many,
        200,
    )
    .await;
    let receipt = &made.body["meta"]["receipt"];
    let document = app.get("/server/specs/oas").await.body;
    for member in receipt.as_object().unwrap().keys() {
        assert!(
            document["components"]["schemas"]["Receipt"]["properties"]
                .get(member)
                .is_some(),
            "{member}"
        );
    }
    check(
        "GET",
        "/items/authors?meta=total_count",
        Value::Null,
        &[],
        many,
        200,
    )
    .await;
    let read = check(
        "GET",
        "/items/authors/1?fields=*,_rev",
        Value::Null,
        &[],
        one,
        200,
    )
    .await;
    let (first, rev) = (read.header("etag").to_owned(), read.data()["_rev"].clone());
    let stale = [("If-Match", first.as_str())];
    check("PATCH", "/items/authors/1", name("Ada"), &stale, one, 200).await;
    check("PATCH", "/items/authors/1", name("Eve"), &stale, one, 412).await;
    check(
        "PATCH",
        "/items/authors/1",
        json!({"name": "Eve", "_rev": rev}),
        &[],
        one,
        409,
    )
    .await;
    check(
        "PATCH",
        "/items/authors",
        json!([{"id": 1, "name": "Eve", "_rev": rev}]),
        &[],
        many,
        409,
    )
    .await;
    let read = check("GET", "/items/authors/1?fields=_rev", Value::Null, &[], one, 200).await;
    let second = read.data()["_rev"].clone();
    check(
        "PATCH",
        "/items/authors",
        json!([{"id": 1, "name": "Eve", "_rev": second}]),
        &[],
        many,
        200,
    )
    .await;
    check("DELETE", "/items/authors/1", Value::Null, &stale, one, 412).await;
    let read = check("GET", "/items/authors/1?fields=_rev", Value::Null, &[], one, 200).await;
    check(
        "DELETE",
        "/items/authors/1?meta=receipt",
        Value::Null,
        &[("If-Match", read.header("etag"))],
        one,
        200,
    )
    .await;
    check("DELETE", "/items/authors", json!([2]), &title, many, 204).await;
    let home = "/items/home";
    check("PATCH", home, json!({"headline": "Hi"}), &title, home, 200).await;
    check("GET", "/items/home?fields=*,_rev", Value::Null, &[], home, 200).await;
    check("PATCH", home, json!({"headline": "Ho"}), &stale, home, 412).await;
    check(
        "PATCH",
        home,
        json!({"headline": "Ho", "_rev": rev}),
        &[],
        home,
        409,
    )
    .await;
    check(
        "PATCH",
        "/users/me",
        json!({"title": "Boss"}),
        &title,
        "/users/me",
        200,
    )
    .await;
    check(
        "PATCH",
        "/settings",
        json!({"project_name": "Ours"}),
        &title,
        "/settings",
        200,
    )
    .await;
}

#[tokio::test]
async fn answers_of_the_other_addresses_are_as_documented() {
    let app = blog().await;
    let check = async |method: &str, path: &str, body: Value, place: &str, status: u16| {
        let title = [("Loggia-Change-Title", "A test")];
        let headers: &[_] = if method == "GET" { &[] } else { &title };
        let answer = holds(&app, (method, path, body), headers, place).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        answer
    };
    let table = |name: &str| json!({"collection": name, "schema": {}, "meta": {}});
    let (collections, collection) = ("/collections", "/collections/{collection}");
    check("POST", "/collections", table("notes"), collections, 200).await;
    check(
        "PATCH",
        "/collections/notes",
        json!({"meta": {"note": "x"}}),
        collection,
        200,
    )
    .await;
    check(
        "PATCH",
        "/collections",
        json!([{"collection": "notes", "meta": {"note": "y"}}]),
        collections,
        200,
    )
    .await;
    let (fields, field) = ("/fields/{collection}", "/fields/{collection}/{field}");
    check(
        "POST",
        "/fields/notes",
        json!({"field": "text", "type": "text"}),
        fields,
        200,
    )
    .await;
    check(
        "PATCH",
        "/fields/notes/text",
        json!({"meta": {"note": "x"}}),
        field,
        200,
    )
    .await;
    check(
        "PATCH",
        "/fields/notes",
        json!([{"field": "text", "meta": {"note": "y"}}]),
        fields,
        200,
    )
    .await;
    check("GET", "/fields/notes/text", Value::Null, field, 200).await;
    check("DELETE", "/fields/notes/text", Value::Null, field, 204).await;
    let deleted = check("DELETE", "/collections/notes", Value::Null, collection, 204).await;
    let change = deleted.header("loggia-change").to_owned();
    check("GET", "/changes?limit=1", Value::Null, "/changes", 200).await;
    check(
        "POST",
        &format!("/changes/{change}/revert"),
        json!({}),
        "/changes/{id}/revert",
        200,
    )
    .await;
    let token = check("POST", "/tokens", json!({"name": "One"}), "/tokens", 200).await;
    let token = format!("/tokens/{}", token.data()["id"].as_str().unwrap());
    check("PATCH", &token, json!({"name": "Two"}), "/tokens/{id}", 200).await;
    check(
        "POST",
        &format!("{token}/rotate"),
        json!({}),
        "/tokens/{id}/rotate",
        200,
    )
    .await;
    check("DELETE", &token, Value::Null, "/tokens/{id}", 204).await;
    // What somebody else changed meanwhile stands against taking back.
    app.post("/items/authors", json!({"name": "Ann"})).await;
    let renamed = app.patch("/items/authors/1", json!({"name": "Bob"})).await;
    app.patch("/items/authors/1", json!({"name": "Cid"})).await;
    let change = renamed.header("loggia-change");
    check(
        "POST",
        &format!("/changes/{change}/revert"),
        json!({}),
        "/changes/{id}/revert",
        409,
    )
    .await;
    check(
        "POST",
        "/changes/revert",
        json!({"changes": [change]}),
        "/changes/revert",
        409,
    )
    .await;
}

#[tokio::test]
async fn tags_belong_to_what_is_read_and_changed() {
    let app = blog().await;
    let own = json!({"collection": "tagged", "schema": {}, "meta": {}, "fields": [{"field": "_rev", "type": "string", "schema": {}, "meta": {}}]});
    app.post("/collections", own).await;
    let all = json!(["create", "read", "update"]);
    let permissions: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|action| json!({"collection": "posts", "action": action, "fields": ["title"]}))
        .collect();
    let editor = app.caller_with("editor@example.com", permissions.into()).await;
    let theirs = editor.get("/server/specs/oas").await.body;
    let ours = app.get("/server/specs/oas").await.body;
    let tag = |document: &Value, name: &str| {
        document["components"]["schemas"][name]["properties"]["_rev"]["type"].clone()
    };
    assert_eq!(tag(&theirs, "Item_posts"), "string");
    assert_eq!(tag(&theirs, "ItemUpdate_posts"), "string");
    assert_eq!(tag(&theirs, "NewItem_posts"), Value::Null);
    assert_eq!(tag(&ours, "Item_posts"), "string");
    assert_eq!(tag(&ours, "Item_tagged"), json!(["string", "null"]));
}
