//! `/changes`, `/activity`, `/revisions`, and the header that names a change.

use serde_json::{Value, json};

use crate::blog::blog;

#[tokio::test]
async fn every_write_names_its_change_and_no_read_does() {
    let app = blog().await;
    let mut seen = Vec::new();
    for (method, path, body) in [
        ("POST", "/items/tags", json!([{"id": "a"}, {"id": "b"}])),
        ("PATCH", "/items/tags/a", json!({"label": "A"})),
        ("PATCH", "/items/home", json!({"headline": "Hi"})),
        ("DELETE", "/items/tags/a", Value::Null),
        ("PATCH", "/settings", json!({"project_name": "House"})),
        ("POST", "/roles", json!({"name": "Writers"})),
        (
            "POST",
            "/fields/tags",
            json!({"field": "color", "type": "string"}),
        ),
        ("PATCH", "/collections/tags", json!({"meta": {"note": "Words"}})),
        ("DELETE", "/fields/tags/color", Value::Null),
    ] {
        let request = app.request(method, path).header("x-request-id", "the-id");
        let answer = app.send(request.json(&body)).await;
        assert!(answer.status < 300, "{method} {path}: {}", answer.text);
        let change = answer.header("loggia-change").to_owned();
        assert_eq!(change.len(), 36, "{method} {path}");
        assert!(!seen.contains(&change), "{method} {path}");
        let read = app.get(&format!("/changes/{change}")).await;
        assert_eq!(read.data()["request_id"], "the-id", "{method} {path}");
        assert_eq!(read.data()["origin"], "rest");
        assert!(
            !read.data()["entries"].as_array().unwrap().is_empty(),
            "{method} {path}"
        );
        seen.push(change);
    }
    let receipt = app.post("/items/tags?meta=receipt", json!({"id": "c"})).await;
    assert_eq!(
        receipt.body["meta"]["receipt"]["change"],
        receipt.header("loggia-change")
    );
    assert_eq!(app.get("/items/tags").await.header("loggia-change"), "");
    let refused = app.post("/items/tags", json!({"idd": "d"})).await;
    assert_eq!((refused.status, refused.header("loggia-change")), (400, ""));
}

#[tokio::test]
async fn changes_are_found_read_and_taken_back() {
    let app = blog().await;
    let request = app
        .request("POST", "/items/tags")
        .header("loggia-change-title", "New words");
    let made = app.send(request.json(&json!({"id": "a", "label": "one"}))).await;
    let made = made.header("loggia-change").to_owned();
    let updated = app.patch("/items/tags/a", json!({"label": "two"})).await;
    let updated = updated.header("loggia-change").to_owned();
    let listed = app.get("/changes?collection=tags&item=a&user=me").await;
    let ids: Vec<_> = listed
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["id"])
        .collect();
    assert_eq!(ids, [updated.as_str(), made.as_str()]);
    assert_eq!(listed.data()[1]["title"], "New words");
    let first = app.get("/changes?collection=tags&limit=1").await;
    let rest = format!(
        "/changes?collection=tags&limit=1&cursor={}",
        first.body["meta"]["next"].as_str().unwrap()
    );
    assert_eq!(app.get(&rest).await.data()[0]["id"], made.as_str());
    for wrong in [
        "/changes?cursor=1",
        &format!("/changes/{updated}?cursor=tags/b"),
        &format!("/changes/{updated}?cursor=1"),
    ] {
        assert_eq!(app.get(wrong).await.refusal(), (400, "INVALID_QUERY"), "{wrong}");
    }
    let read = app.get(&format!("/changes/{updated}")).await;
    let entry = &read.data()["entries"][0];
    assert_eq!(
        (&entry["collection"], &entry["item"], &entry["action"]),
        (&json!("tags"), &json!("a"), &json!("update"))
    );
    assert_eq!(
        (&entry["before"]["label"], &entry["after"]["label"]),
        (&json!("one"), &json!("two"))
    );
    // What changed since is a conflict, unless it is to be lost.
    let refused = app.post(&format!("/changes/{made}/revert"), json!({})).await;
    assert_eq!(refused.refusal(), (409, "ITEM_CHANGED"), "{}", refused.text);
    let reverted = app
        .post(
            &format!("/changes/{updated}/revert"),
            json!({"conflicts": "refuse"}),
        )
        .await;
    assert_eq!(reverted.data()["reverted"], json!([updated]), "{}", reverted.text);
    assert_eq!(reverted.data()["change"], reverted.header("loggia-change"));
    assert_eq!(
        app.get("/items/tags/a").await.data(),
        &json!({"id": "a", "label": "one"})
    );
    let forced = json!({"changes": [made], "conflicts": "force"});
    assert_eq!(app.post("/changes/revert", forced).await.status, 200);
    assert_eq!(app.get("/items/tags").await.data(), &json!([]));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_for_changes_is_said() {
    let app = blog().await;
    let wrong = app
        .get("/changes?usr=me&since=yesterday&limit=0&item=a&token=me")
        .await;
    let paths: Vec<_> = wrong.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["extensions"]["path"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        paths,
        ["token", "since", "item", "limit", "usr"],
        "{}",
        wrong.text
    );
    for body in [
        json!({}),
        json!({"changes": []}),
        json!({"changes": ["x"], "user": "me"}),
        json!({"user": "me", "conflicts": "ignore"}),
        json!({"user": "me", "dry_run": "yes"}),
        json!([]),
    ] {
        let refused = app.post("/changes/revert", body.clone()).await;
        assert_eq!(refused.refusal(), (400, "INVALID_PAYLOAD"), "{body}");
    }
}

#[tokio::test]
async fn changes_of_others_are_absent() {
    let app = blog().await;
    let made = app.post("/items/tags", json!({"id": "a"})).await;
    let made = made.header("loggia-change").to_owned();
    let nothing = "11111111-1111-4111-8111-111111111111";
    let someone = app
        .caller_with(
            "someone@example.com",
            json!([{"collection": "tags", "action": "read"}]),
        )
        .await;
    assert_eq!(someone.get("/changes").await.data(), &json!([]));
    for client in [&someone, &app.anonymous()] {
        let there = client.get(&format!("/changes/{made}")).await;
        let absent = client.get(&format!("/changes/{nothing}")).await;
        assert_eq!((there.status, &there.text), (403, &absent.text));
        let there = client.post(&format!("/changes/{made}/revert"), json!({})).await;
        let absent = client
            .post(&format!("/changes/{nothing}/revert"), json!({}))
            .await;
        assert_eq!((there.status, &there.text), (403, &absent.text));
        for path in ["/activity", "/activity/1", "/revisions", "/revisions/1"] {
            assert_eq!(client.get(path).await.refusal(), (403, "FORBIDDEN"), "{path}");
        }
    }
    assert_eq!(
        app.anonymous().get("/changes").await.refusal(),
        (403, "FORBIDDEN")
    );
}

#[tokio::test]
async fn activity_and_revisions_are_read_and_never_written() {
    let app = blog().await;
    app.post("/items/tags", json!({"id": "a", "label": "A"})).await;
    let activity = app
        .get("/activity?filter[collection][_eq]=tags&fields=id,action,item,revisions.data&sort=-id")
        .await;
    assert_eq!(activity.data()[0]["action"], "create", "{}", activity.text);
    assert_eq!(activity.data()[0]["item"], "a");
    let key = activity.data()[0]["id"].clone();
    let one = app.get(&format!("/activity/{key}?fields=collection")).await;
    assert_eq!(one.data(), &json!({"collection": "tags"}));
    let revisions = app
        .get("/revisions?filter[collection][_eq]=tags&fields=item,data")
        .await;
    assert_eq!(revisions.data()[0]["data"]["label"], "A", "{}", revisions.text);
    for path in ["/activity", "/revisions"] {
        assert_eq!(
            app.post(path, json!({})).await.refusal(),
            (405, "METHOD_NOT_ALLOWED")
        );
        assert_eq!(
            app.delete(&format!("{path}/1")).await.refusal(),
            (405, "METHOD_NOT_ALLOWED")
        );
    }
}

#[tokio::test]
async fn an_item_that_changed_since_it_was_read_is_neither_changed_nor_deleted() {
    let app = blog().await;
    app.post("/items/tags", json!({"id": "a", "label": "A"})).await;
    let read = app.get("/items/tags/a?fields=*,_rev").await;
    let first = read.header("etag").to_owned();
    assert_eq!(
        json!(first),
        format!("\"{}\"", read.data()["_rev"].as_str().unwrap())
    );
    assert_eq!(app.get("/items/tags/a").await.header("etag"), "");
    let patch = |tag: &str, body: Value| {
        let request = app.request("PATCH", "/items/tags/a").header("if-match", tag);
        app.send(request.json(&body))
    };
    assert_eq!(patch(&first, json!({"label": "B"})).await.status, 200);
    let late = patch(&first, json!({"label": "C"})).await;
    assert_eq!(late.refusal(), (412, "ITEM_CHANGED"), "{}", late.text);
    assert!(late.text.contains("label"), "{}", late.text);
    // By body it is a conflict.
    let late = app
        .patch(
            "/items/tags/a",
            json!({"label": "C", "_rev": read.data()["_rev"]}),
        )
        .await;
    assert_eq!(late.refusal(), (409, "ITEM_CHANGED"));
    let gone = app.request("DELETE", "/items/tags/a").header("if-match", &first);
    assert_eq!(app.send(gone).await.status, 412);
    assert_eq!(patch("W/\"2\"", json!({"label": "C"})).await.status, 400);
    assert_eq!(app.get("/items/tags/a").await.data()["label"], "B");
    let second = app.get("/items/tags/a?fields=_rev").await;
    let gone = app
        .request("DELETE", "/items/tags/a")
        .header("if-match", second.header("etag"));
    assert_eq!(app.send(gone).await.status, 204);
}

#[tokio::test]
async fn the_item_of_a_singleton_is_not_overwritten_unread() {
    let app = blog().await;
    for (path, field) in [("/items/home", "headline"), ("/settings", "project_descriptor")] {
        let read = async || {
            let item = app.get(&format!("{path}?fields={field},_rev")).await;
            let tag = item.data()["_rev"].as_str().unwrap().to_owned();
            assert_eq!(item.header("etag"), format!("\"{tag}\""), "{path}");
            tag
        };
        let patch = |tag: String, body: Value| {
            let request = app.request("PATCH", path).header("if-match", tag);
            app.send(request.json(&body))
        };
        let first = read().await;
        let early = patch("\"5f70bf18a0860070\"".to_owned(), json!({field: "early"})).await;
        assert_eq!(early.refusal(), (412, "ITEM_CHANGED"), "{path}: {}", early.text);
        let made = patch(format!("\"{first}\""), json!({field: "A"})).await;
        assert_eq!(made.status, 200, "{path}: {}", made.text);
        let second = read().await;
        assert_ne!(second, first, "{path}");
        let late = patch(format!("\"{first}\""), json!({field: "B"})).await;
        assert_eq!(late.refusal(), (412, "ITEM_CHANGED"), "{path}: {}", late.text);
        // By body it is a conflict.
        let late = app.patch(path, json!({field: "B", "_rev": first})).await;
        assert_eq!(late.refusal(), (409, "ITEM_CHANGED"), "{path}");
        let two = patch(format!("\"{second}\""), json!({field: "B", "_rev": first})).await;
        assert_eq!(two.refusal(), (400, "INVALID_PAYLOAD"), "{path}");
        let none = app.patch(path, json!({field: "B", "_rev": "new"})).await;
        assert_eq!(none.refusal(), (400, "INVALID_PAYLOAD"), "{path}");
        assert_eq!(read().await, second, "{path}");
        let fine = app.patch(path, json!({field: "B", "_rev": second})).await;
        assert_eq!((fine.status, &fine.data()[field]), (200, &json!("B")), "{path}");
        assert_eq!(
            patch("*".to_owned(), json!({field: "C"})).await.status,
            200,
            "{path}"
        );
        assert_eq!(app.get(path).await.header("etag"), "", "{path}");
    }
}

#[tokio::test]
async fn an_item_is_expected_to_be_in_one_state() {
    let app = blog().await;
    app.post("/items/tags", json!({"id": "a", "label": "A"})).await;
    let tag = async || {
        let read = app.get("/items/tags/a?fields=_rev").await;
        (read.header("etag").to_owned(), read.data()["_rev"].clone())
    };
    let stale = tag().await;
    app.patch("/items/tags/a", json!({"label": "B"})).await;
    let fresh = tag().await;
    for (header, body) in [(&stale.0, &fresh.1), (&fresh.0, &stale.1)] {
        let request = app.request("PATCH", "/items/tags/a").header("if-match", header);
        let two = app.send(request.json(&json!({"label": "C", "_rev": body}))).await;
        assert_eq!(two.refusal(), (400, "INVALID_PAYLOAD"), "{}", two.text);
    }
    let twice = json!([
        {"id": "a", "label": "C", "_rev": stale.1},
        {"id": "a", "label": "D", "_rev": fresh.1}
    ]);
    let twice = app.patch("/items/tags", twice).await;
    assert_eq!(twice.refusal(), (400, "INVALID_PAYLOAD"), "{}", twice.text);
    assert_eq!(app.get("/items/tags/a").await.data()["label"], "B");
    let request = app.request("PATCH", "/items/tags/a").header("if-match", &fresh.0);
    let one = app
        .send(request.json(&json!({"label": "C", "_rev": fresh.1})))
        .await;
    assert_eq!(one.status, 200, "{}", one.text);
}

#[tokio::test]
async fn what_is_not_read_is_not_as_it_was_read() {
    let app = blog().await;
    app.post("/items/tags", json!({"id": "a", "label": "A"})).await;
    let rights = json!([{"collection": "tags", "action": "update", "fields": ["*"], "permissions": {}}]);
    let writer = app.caller_with("writer@example.com", rights).await;
    let read = app.get("/items/tags/a?fields=_rev").await.data()["_rev"].clone();
    for tag in [read, json!("5f70bf18a0860070")] {
        let body = json!({"label": "B", "_rev": tag});
        let refused = writer.patch("/items/tags/a", body.clone()).await;
        assert_eq!(refused.refusal(), (409, "ITEM_CHANGED"), "{}", refused.text);
        assert!(!refused.text.contains("label"), "{}", refused.text);
        // What is not there is answered alike.
        let absent = writer.patch("/items/tags/zzz", body).await;
        assert_eq!(absent.text.replace("zzz", "a"), refused.text);
    }
    assert_eq!(app.get("/items/tags/a").await.data()["label"], "A");
    let blind = writer.patch("/items/tags/a", json!({"label": "B"})).await;
    assert!(blind.status < 300, "{}", blind.text);
}

#[tokio::test]
async fn a_tag_is_for_one_item() {
    let app = blog().await;
    app.post("/items/tags", json!({"id": "a", "label": "A"})).await;
    for (method, body) in [
        ("PATCH", json!([{"id": "a", "label": "B"}])),
        ("PATCH", json!({"keys": ["a"], "data": {"label": "B"}})),
        ("DELETE", json!(["a"])),
    ] {
        let request = app.request(method, "/items/tags").header("if-match", "\"1\"");
        let refused = app.send(request.json(&body)).await;
        assert_eq!(refused.refusal(), (400, "INVALID_PAYLOAD"), "{method} {body}");
    }
    assert_eq!(app.get("/items/tags/a").await.data()["label"], "A");
}

#[tokio::test]
async fn a_token_that_may_less_than_its_owner_sees_what_it_did_itself() {
    let app = blog().await;
    app.post("/items/tags", json!({"id": "a"})).await;
    let rights = json!({"permissions": [{"collection": "tags", "action": ["read", "create"]}]});
    let policy = app.policy(rights).await;
    let token = app
        .post("/tokens", json!({"name": "narrow", "policies": [policy]}))
        .await;
    let token = app.with_token(token.data()["token"].as_str().unwrap());
    assert_eq!(token.get("/changes").await.data(), &json!([]));
    let made = token.post("/items/tags", json!({"id": "b"})).await;
    let own = token.get("/changes").await;
    let own: Vec<_> = own.data().as_array().unwrap().iter().collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0]["id"], made.header("loggia-change"));
}

#[tokio::test]
async fn conflicts_name_nothing_that_is_hidden() {
    let app = blog().await;
    let rights = json!([
        {"collection": "tags", "action": "create", "fields": ["id", "label"]},
        {"collection": "tags", "action": "read", "fields": ["id"], "permissions": {"label": {"_neq": "gone"}}},
        {"collection": "tags", "action": "delete"},
    ]);
    let editor = app.caller_with("editor@example.com", rights).await;
    let made = editor.post("/items/tags", json!({"id": "a", "label": "A"})).await;
    let made = made.header("loggia-change").to_owned();
    let back = format!("/changes/{made}/revert");
    // The whole item is hidden by now: as one that is gone.
    app.patch("/items/tags/a", json!({"label": "gone"})).await;
    let refused = editor.post(&back, json!({})).await;
    assert_eq!(refused.refusal(), (403, "FORBIDDEN"), "{}", refused.text);
    app.delete("/items/tags/a").await;
    assert_eq!(editor.post(&back, json!({})).await.text, refused.text);
    // What was done to a field that is hidden is not in the way, and not told.
    let made = editor.post("/items/tags", json!({"id": "b", "label": "B"})).await;
    let back = format!("/changes/{}/revert", made.header("loggia-change"));
    app.patch("/items/tags/b", json!({"label": "hidden words"})).await;
    let reverted = editor.post(&back, json!({})).await;
    assert_eq!(reverted.status, 200, "{}", reverted.text);
    assert!(!reverted.text.contains("label") && !reverted.text.contains("hidden words"));
}

#[tokio::test]
async fn the_words_of_the_tool_are_understood_as_well() {
    let app = blog().await;
    let made = app.post("/items/tags", json!({"id": "a"})).await;
    let made = made.header("loggia-change").to_owned();
    for query in [
        "user=mine",
        "user=me&since=2000-01-31",
        "collection=tags&item=a&until=2100-01-01",
    ] {
        let listed = app.get(&format!("/changes?{query}")).await;
        assert_eq!(listed.data()[0]["id"], made.as_str(), "{query}: {}", listed.text);
    }
    let dry = json!({"keys": [made], "reason": "A try", "dry_run": true});
    let dry = app.post("/changes/revert", dry).await;
    assert_eq!(dry.data()["changed"]["tags"]["deleted"], 1, "{}", dry.text);
    let since = json!({"since": "2000-01-31"});
    let refused = app.post("/changes/revert", since).await;
    assert_eq!(refused.refusal(), (400, "INVALID_PAYLOAD"), "{}", refused.text);
    assert!(
        refused.text.contains("everybody") && refused.text.contains("token"),
        "{}",
        refused.text
    );
    let all = json!({"since": "2000-01-31", "everybody": true, "collection": "tags", "dry_run": true});
    let all = app.post("/changes/revert", all).await;
    assert_eq!(all.data()["reverted"], json!([made]), "{}", all.text);
    let reverted = app
        .post("/changes/revert", json!({"keys": [made], "reason": "A mistake"}))
        .await;
    let change = reverted.data()["change"].as_str().unwrap().to_owned();
    assert_eq!(
        app.get(&format!("/changes/{change}")).await.data()["title"],
        "A mistake"
    );
}
