//! `/items`.

use serde_json::{Value, json};

use crate::blog::{blog, made};

#[tokio::test]
async fn one_is_answered_as_one_and_many_as_many() {
    let app = blog().await;
    let one = made(&app, "/items/authors", json!({"name": "Ada"})).await;
    assert_eq!(one, json!({"id": 1, "name": "Ada", "posts": []}));
    let many = made(
        &app,
        "/items/authors?fields=name",
        json!([{"name": "Bea"}, {"name": "Cyd"}]),
    )
    .await;
    assert_eq!(many, json!([{"name": "Bea"}, {"name": "Cyd"}]));
    let read = app.get("/items/authors/1?fields=id,name").await;
    assert_eq!(read.data(), &json!({"id": 1, "name": "Ada"}));
    let changed = app
        .patch("/items/authors/1?fields=name", json!({"name": "Eve"}))
        .await;
    assert_eq!(changed.data(), &json!({"name": "Eve"}));
    assert_eq!(app.delete("/items/authors/1").await.status, 204);
    assert_eq!(app.get("/items/authors/1").await.refusal(), (403, "FORBIDDEN"));
    let page = app.get("/items/authors?fields=name&sort=-name&meta=*").await;
    assert_eq!(
        page.body,
        json!({"meta": {"total_count": 2, "filter_count": 2}, "data": [{"name": "Cyd"}, {"name": "Bea"}]})
    );
}

#[tokio::test]
async fn many_are_written_by_keys_by_query_and_one_by_one() {
    let app = blog().await;
    let rows: Vec<Value> = (0..250)
        .map(|i| json!({"title": format!("T{i}"), "views": i}))
        .collect();
    let all = made(&app, "/items/posts?fields=id&limit=-1", Value::Array(rows)).await;
    let keys: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["id"].as_str())
        .collect();
    assert_eq!(keys.len(), 250);
    let by_keys = app
        .patch(
            "/items/posts?fields=status",
            json!({"keys": &keys[..2], "data": {"status": "published"}}),
        )
        .await;
    assert_eq!(
        by_keys.data(),
        &json!([{"status": "published"}, {"status": "published"}])
    );
    let query = json!({"query": {"filter": {"views": {"_gte": 0}}}, "data": {"big": 7}});
    assert_eq!(
        app.patch("/items/posts?fields=id&limit=-1", query)
            .await
            .data()
            .as_array()
            .unwrap()
            .len(),
        250
    );
    let counted = app
        .get("/items/posts?aggregate[count]=*&filter[big][_eq]=7")
        .await;
    assert_eq!(
        counted.data(),
        &json!([{"count": 250}]),
        "every matching row is reached, not a page of them"
    );
    let each = app
        .patch(
            "/items/posts?fields=title",
            json!([{"id": keys[0], "title": "a"}, {"id": keys[1], "title": "b"}]),
        )
        .await;
    assert_eq!(each.data(), &json!([{"title": "a"}, {"title": "b"}]));
    let search = json!({"filter": {"title": {"_in": ["a", "b"]}}, "fields": ["title"], "sort": ["title"]});
    assert_eq!(
        app.search("/items/posts", search).await.data(),
        &json!([{"title": "a"}, {"title": "b"}])
    );
    assert_eq!(
        app.delete_many("/items/posts", json!([keys[0]])).await.status,
        204
    );
    assert_eq!(
        app.delete_many("/items/posts", json!({"keys": [keys[1]]}))
            .await
            .status,
        204
    );
    assert_eq!(
        app.delete_many(
            "/items/posts",
            json!({"query": {"filter": {"views": {"_gte": 0}}}})
        )
        .await
        .status,
        204
    );
    assert_eq!(app.get("/items/posts").await.data(), &json!([]));
}

#[tokio::test]
async fn everything_nested_is_written_in_one_request_and_read_in_another() {
    let app = blog().await;
    let fields = "title,author.name,tags.tags_id.label,tags.sort,blocks.collection,blocks.item:quotes.text,blocks.item:images.url";
    let post = made(&app, "/items/posts", json!({
        "title": "One",
        "author": {"name": "Ada"},
        "tags": [{"sort": 2, "tags_id": {"id": "b", "label": "B"}}, {"sort": 1, "tags_id": {"id": "a", "label": "A"}}],
        "blocks": [
            {"collection": "quotes", "item": {"text": "q"}, "sort": 1},
            {"collection": "images", "item": {"url": "u"}, "sort": 2},
        ],
    })).await;
    let key = post["id"].as_str().unwrap();
    assert_eq!(post["tags"].as_array().unwrap().len(), 2);
    let read = app.get(&format!("/items/posts/{key}?fields={fields}")).await;
    assert_eq!(
        read.data(),
        &json!({
            "title": "One",
            "author": {"name": "Ada"},
            "tags": [{"tags_id": {"label": "A"}, "sort": 1}, {"tags_id": {"label": "B"}, "sort": 2}],
            "blocks": [{"collection": "quotes", "item": {"text": "q"}}, {"collection": "images", "item": {"url": "u"}}],
        })
    );
    let junctions = post["tags"].as_array().unwrap().clone();
    let change = json!({"tags": {"create": [{"tags_id": "a", "sort": 9}], "update": [{"id": junctions[0], "sort": 5}], "delete": [junctions[1]]}});
    let changed = app
        .patch(
            &format!("/items/posts/{key}?fields=tags.tags_id,tags.sort"),
            change,
        )
        .await;
    assert_eq!(changed.data()["tags"].as_array().unwrap().len(), 2);
    assert_eq!(
        app.patch(&format!("/items/posts/{key}?fields=tags"), json!({"tags": []}))
            .await
            .data(),
        &json!({"tags": []})
    );
    assert_eq!(app.get("/items/posts_tags").await.data(), &json!([]));
    assert_eq!(
        app.get("/items/tags?fields=id").await.data(),
        &json!([{"id": "a"}, {"id": "b"}])
    );
}

#[tokio::test]
async fn values_come_back_exactly_as_they_were_written() {
    let app = blog().await;
    let body = r#"{"title":"ünï 🎉 \u202e","big":9223372036854775807,"price":"12.50000","on":"2024-02-29","extra":{"b":1.10,"a":[null,true,"x"]}}"#;
    let request = app
        .request("POST", "/items/posts?fields=title,big,price,on,extra")
        .header("content-type", "application/json")
        .body(body);
    let answer = app.send(request).await;
    let expect = r#"{"data":{"title":"ünï 🎉 "#.to_owned()
        + "\u{202e}"
        + r#"","big":"9223372036854775807","price":12.50000,"on":"2024-02-29","extra":{"b":1.10,"a":[null,true,"x"]}}}"#;
    assert_eq!(answer.text, expect);
}

#[tokio::test]
async fn what_is_wrong_is_all_reported_and_changes_nothing() {
    let app = blog().await;
    made(&app, "/items/posts", json!({"title": "there", "slug": "there"})).await;
    let check = async |body: Value, expect: &[(&str, &str)]| {
        let answer = app.post("/items/posts", body.clone()).await;
        let got: Vec<(String, String)> = answer.body["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| {
                let member = |name: &str| error["extensions"][name].as_str().unwrap_or_default().to_owned();
                (member("code"), member("path"))
            })
            .collect();
        let got: Vec<(&str, &str)> = got
            .iter()
            .map(|(code, path)| (code.as_str(), path.as_str()))
            .collect();
        assert_eq!(got, expect, "{body} {}", answer.text);
        assert!((400..500).contains(&answer.status), "{}", answer.text);
        assert_eq!(
            app.get("/items/posts?aggregate[count]=*").await.data(),
            &json!([{"count": 1}]),
            "{body}"
        );
    };
    check(json!({}), &[("FAILED_VALIDATION", "title")]).await;
    check(
        json!({"title": "x", "status": "gone"}),
        &[("FAILED_VALIDATION", "status")],
    )
    .await;
    check(
        json!({"title": "x", "titel": 1, "views": "many"}),
        &[("INVALID_PAYLOAD", "titel"), ("INVALID_PAYLOAD", "views")],
    )
    .await;
    check(
        json!({"title": "x", "views": 3_000_000_000_u64}),
        &[("VALUE_OUT_OF_RANGE", "views")],
    )
    .await;
    check(
        json!({"title": "x", "author": {"name": "a".repeat(41)}}),
        &[("VALUE_TOO_LONG", "author.name")],
    )
    .await;
    check(
        json!({"title": "x", "author": 99}),
        &[("INVALID_FOREIGN_KEY", "author")],
    )
    .await;
    check(
        json!({"title": "x", "slug": "there"}),
        &[("RECORD_NOT_UNIQUE", "slug")],
    )
    .await;
    check(
        json!([{"title": "x"}, {"title": null}]),
        &[("FAILED_VALIDATION", "[1].title")],
    )
    .await;
    check(
        json!({"title": "x", "blocks": [{"collection": "tags", "item": {}}]}),
        &[("INVALID_PAYLOAD", "blocks[0].collection")],
    )
    .await;
    check(json!("text"), &[("INVALID_PAYLOAD", "")]).await;
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_no_success() {
    let app = blog().await;
    let nobody = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    assert_eq!(
        app.patch(&format!("/items/posts/{nobody}"), json!({"views": 1}))
            .await
            .refusal(),
        (403, "FORBIDDEN")
    );
    assert_eq!(
        app.delete(&format!("/items/posts/{nobody}")).await.refusal(),
        (403, "FORBIDDEN")
    );
    assert_eq!(
        app.delete_many("/items/posts", json!([nobody])).await.refusal(),
        (403, "FORBIDDEN")
    );
    let made = made(&app, "/items/posts", json!({"title": "x", "views": 1})).await;
    let change = json!({"keys": [made["id"], nobody], "data": {"views": 2}});
    assert_eq!(
        app.patch("/items/posts", change).await.refusal(),
        (403, "FORBIDDEN")
    );
    assert_eq!(
        app.get("/items/posts?fields=views").await.data(),
        &json!([{"views": 1}])
    );
    assert_eq!(
        app.get("/items/posts/nonsense").await.refusal(),
        (403, "FORBIDDEN")
    );
}

#[tokio::test]
async fn it_must_be_said_which_items() {
    let app = blog().await;
    made(&app, "/items/posts", json!({"title": "x"})).await;
    for body in [
        json!({"data": {"views": 1}}),
        json!({"keys": [], "query": {}, "data": {}}),
        json!({"query": {}, "data": {"views": 1}}),
    ] {
        assert_eq!(
            app.patch("/items/posts", body.clone()).await.status,
            400,
            "{body}"
        );
    }
    for body in [json!({}), json!({"query": {}}), json!({"kees": []})] {
        assert_eq!(
            app.delete_many("/items/posts", body.clone()).await.status,
            400,
            "{body}"
        );
    }
    assert_eq!(
        app.get("/items/posts?fields=views").await.data(),
        &json!([{"views": null}])
    );
}

#[tokio::test]
async fn a_singleton_has_one_item() {
    let app = blog().await;
    assert_eq!(
        app.get("/items/home?fields=headline").await.data(),
        &json!({"headline": "Hello"})
    );
    assert_eq!(
        app.patch("/items/home?fields=headline", json!({"headline": "Hi"}))
            .await
            .data(),
        &json!({"headline": "Hi"})
    );
    assert_eq!(
        app.patch("/items/home?fields=id,headline", json!({"headline": "Ho"}))
            .await
            .data(),
        &json!({"id": 1, "headline": "Ho"})
    );
    assert_eq!(
        app.post("/items/home", json!({"headline": "x"})).await.refusal(),
        (404, "ROUTE_NOT_FOUND")
    );
}

#[tokio::test]
async fn a_reserved_key_gets_its_content_later_and_then_whole() {
    let app = blog().await;
    let key = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    made(&app, "/items/posts", json!([{"id": key}])).await;
    assert_eq!(
        app.patch("/items/posts", json!([{"id": key, "views": 1}]))
            .await
            .refusal(),
        (400, "FAILED_VALIDATION")
    );
    assert_eq!(
        app.patch("/items/posts", json!([{"id": key, "views": 1, "title": "x"}]))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn system_collections_have_addresses_of_their_own() {
    let app = blog().await;
    for path in [
        "/items/directus_users",
        "/items/directus_users/1",
        "/items/nothing",
    ] {
        assert_eq!(app.get(path).await.refusal(), (403, "FORBIDDEN"), "{path}");
    }
    assert_eq!(
        app.post("/items/directus_users", json!({})).await.refusal(),
        (403, "FORBIDDEN")
    );
}

#[tokio::test]
async fn without_rights_nothing_is_seen_or_done() {
    let app = blog().await;
    let post = made(&app, "/items/posts", json!({"title": "x"})).await;
    let key = post["id"].as_str().unwrap();
    let somebody = app.user("somebody@example.com", "somebodys-token-0").await;
    for client in [app.anonymous(), somebody] {
        for path in ["/items/posts", "/items/nothing", &format!("/items/posts/{key}")] {
            assert_eq!(client.get(path).await.refusal(), (403, "FORBIDDEN"), "{path}");
        }
        let unknown = client.get("/items/nothing?fields=x").await.text;
        assert_eq!(
            client
                .get("/items/posts?fields=x")
                .await
                .text
                .replace("posts", "nothing"),
            unknown
        );
        assert_eq!(
            client.post("/items/posts", json!({"title": "y"})).await.refusal(),
            (403, "FORBIDDEN")
        );
        assert_eq!(
            client
                .patch(&format!("/items/posts/{key}"), json!({"title": "y"}))
                .await
                .refusal(),
            (403, "FORBIDDEN")
        );
        assert_eq!(
            client.delete(&format!("/items/posts/{key}")).await.refusal(),
            (403, "FORBIDDEN")
        );
        assert_eq!(
            client.search("/items/posts", json!({})).await.refusal(),
            (403, "FORBIDDEN")
        );
    }
    assert_eq!(
        app.get("/items/posts?fields=title").await.data(),
        &json!([{"title": "x"}])
    );
}

#[tokio::test]
async fn a_list_is_exported_as_a_file() {
    let app = blog().await;
    made(
        &app,
        "/items/authors",
        json!([{"name": "Ada, \"the first\""}, {"name": "Bea"}]),
    )
    .await;
    let csv = app.get("/items/authors?fields=id,name&export=csv").await;
    assert_eq!(
        csv.text,
        "\"id\",\"name\"\r\n1,\"Ada, \"\"the first\"\"\"\r\n2,\"Bea\""
    );
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"authors.csv\""
    );
    let json = app.get("/items/authors?fields=name&export=json").await;
    assert_eq!(
        json.body,
        json!([{"name": "Ada, \"the first\""}, {"name": "Bea"}])
    );
    assert_eq!(
        app.get("/items/authors?export=pdf").await.refusal(),
        (400, "INVALID_QUERY")
    );
    assert_eq!(
        app.anonymous().get("/items/authors?export=csv").await.refusal(),
        (403, "FORBIDDEN")
    );
}

#[tokio::test]
async fn a_key_into_any_collection_changes_with_its_collection_alone() {
    let app = blog().await;
    let post = made(
        &app,
        "/items/posts",
        json!({"title": "x", "blocks": [{"collection": "quotes", "item": {"text": "q"}}]}),
    )
    .await;
    let path = format!("/items/posts_blocks/{}", post["blocks"][0]);
    assert_eq!(
        app.patch(&path, json!({"collection": "images"})).await.refusal(),
        (400, "INVALID_PAYLOAD")
    );
    assert_eq!(app.patch(&path, json!({"sort": 3})).await.status, 200);
    let both = json!({"collection": "images", "item": {"url": "u"}});
    assert_eq!(app.patch(&path, both).await.data()["collection"], "images");
}

#[tokio::test]
async fn a_write_shows_its_receipt_when_asked() {
    let app = blog().await;
    let made = app
        .post(
            "/items/posts?meta=receipt&fields=title",
            json!({"title": "One", "views": "7", "author": {"name": "Ada"}}),
        )
        .await;
    assert_eq!(made.data(), &json!({"title": "One"}));
    let receipt = &made.body["meta"]["receipt"];
    assert_eq!(
        receipt["applied"],
        json!(["title", "views", "author.name"]),
        "{receipt}"
    );
    assert_eq!(
        receipt["coerced"],
        json!([{"path": "views", "from": "7", "to": 7}])
    );
    assert_eq!(receipt["defaulted"]["status"], "draft");
    let counts = |created: u64, updated: u64, deleted: u64| json!({"created": created, "updated": updated, "deleted": deleted});
    assert_eq!(
        receipt["changed"],
        json!({"posts": counts(1, 0, 0), "authors": counts(1, 0, 0)})
    );
    let many = app
        .post("/items/tags?meta=receipt", json!([{"id": "a"}, {"id": "b"}]))
        .await;
    assert_eq!(
        many.body["meta"]["receipt"]["changed"],
        json!({"tags": counts(2, 0, 0)})
    );
    let update = json!({"keys": ["a", "b"], "data": {"label": "x"}});
    let many = app.patch("/items/tags?meta=receipt", update).await;
    assert_eq!(
        many.body["meta"]["receipt"]["changed"],
        json!({"tags": counts(0, 2, 0)})
    );
    let gone = app.delete("/items/tags/a?meta=receipt").await;
    assert_eq!(
        (gone.status, &gone.body["meta"]["receipt"]["changed"]),
        (200, &json!({"tags": counts(0, 0, 1)}))
    );
    let gone = app.delete("/items/tags/b").await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    for path in ["/items/tags?meta=total_count", "/items/tags?meta=receipts"] {
        let refused = app.post(path, json!({"id": "c"})).await;
        assert_eq!(refused.refusal(), (400, "INVALID_QUERY"), "{path}");
    }
    assert_eq!(app.get("/items/tags").await.data(), &json!([]));
}

#[tokio::test]
async fn the_item_of_a_singleton_keeps_its_key() {
    let app = blog().await;
    let id = app.patch("/items/home", json!({"headline": "a"})).await.data()["id"].clone();
    for path in ["/items/home", "/settings"] {
        let refused = app.patch(path, json!({"id": 99})).await;
        assert_eq!(refused.refusal(), (400, "INVALID_PAYLOAD"), "{path}");
        assert_eq!(refused.body["errors"][0]["extensions"]["path"], "id");
    }
    let same = app.patch("/items/home", json!({"id": id, "headline": "b"})).await;
    assert_eq!(same.data()["headline"], "b");
}

#[tokio::test]
async fn a_hash_is_never_shown_however_its_field_was_made() {
    let app = blog().await;
    app.post("/fields/tags", json!({"field": "pin", "type": "hash"}))
        .await;
    app.post("/items/tags", json!({"id": "a", "pin": "1234"})).await;
    assert_eq!(app.get("/items/tags/a").await.data()["pin"], "**********");
    // The mask that is sent back means: as it is.
    app.patch("/items/tags/a", json!({"pin": "**********", "label": "A"}))
        .await;
    let changes = app.get("/changes?collection=tags&limit=1").await;
    let id = changes.data()[0]["id"].as_str().unwrap();
    let change = app.get(&format!("/changes/{id}")).await;
    assert!(!change.text.contains("argon2"), "{}", change.text);
    assert!(
        change.data()["entries"][0]["after"].get("pin").is_none(),
        "{}",
        change.text
    );
}
