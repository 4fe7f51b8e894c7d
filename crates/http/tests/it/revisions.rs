//! `/revisions`: what has become a secret since it was recorded is told by no way.

use loggia_testkit::TestApp;
use serde_json::{Value, json};

use crate::blog::{blog, made};

const MASK: &str = "**********";

/// A blog where a tag had a pin, twice, before pins became secrets; and a note that leads to the revision of it.
async fn concealed() -> TestApp {
    let app = blog().await;
    for field in ["pin", "hint"] {
        made(&app, "/fields/tags", json!({"field": field, "type": "string"})).await;
    }
    made(
        &app,
        "/items/tags",
        json!({"id": "a", "label": "A", "pin": "swordfish"}),
    )
    .await;
    app.patch("/items/tags/a", json!({"pin": "marlin", "hint": "blue"}))
        .await;
    let relation =
        json!({"collection": "quotes", "field": "revision", "related_collection": "directus_revisions"});
    made(
        &app,
        "/fields/quotes",
        json!({"field": "revision", "type": "integer"}),
    )
    .await;
    made(&app, "/relations", relation).await;
    let found = app
        .get("/revisions?filter[collection]=tags&sort=-id&fields=id")
        .await;
    let revision = found.data()[0]["id"].clone();
    made(&app, "/items/quotes", json!({"text": "q", "revision": revision})).await;
    let conceal = app
        .patch("/fields/tags/pin", json!({"meta": {"special": ["conceal"]}}))
        .await;
    assert_eq!(conceal.status, 200, "{}", conceal.text);
    app
}

fn is_masked(text: &str) -> bool {
    text.contains(MASK) && !text.contains("swordfish") && !text.contains("marlin")
}

#[tokio::test]
async fn what_is_a_secret_by_now_is_masked_wherever_revisions_are_read() {
    let app = concealed().await;
    let all = app.get("/revisions?filter[collection]=tags&sort=id").await;
    let images = |row: usize, name: &str| all.data()[row][name].clone();
    assert_eq!(images(0, "data")["label"], "A", "{}", all.text);
    assert_eq!(images(0, "data")["pin"], MASK);
    assert_eq!(images(1, "delta"), json!({"pin": MASK, "hint": "blue"}));
    assert_eq!(images(1, "before"), json!({"pin": MASK, "hint": null}));
    let last = images_key(&app).await;
    for path in [
        "/revisions?filter[collection]=tags".to_owned(),
        "/revisions?filter[collection]=tags&fields=data,delta,before".to_owned(),
        "/revisions?filter[collection]=tags&fields=then&alias[then]=data".to_owned(),
        "/revisions?filter[collection]=tags&fields=id,parent.data".to_owned(),
        format!("/revisions/{last}"),
        format!("/revisions/{last}?fields=delta"),
        format!("/revisions/{last}?fields=activity.revisions.data"),
        "/activity?filter[collection]=tags&fields=revisions.data".to_owned(),
        "/activity?filter[collection]=tags&fields=was.before,was.delta&alias[was]=revisions".to_owned(),
        "/activity?filter[collection]=tags&fields=*.*".to_owned(),
        "/items/quotes?fields=revision.*".to_owned(),
        "/items/quotes?fields=text,revision.activity.revisions.*".to_owned(),
    ] {
        let read = app.get(&path).await;
        assert_eq!(read.status, 200, "{path}: {}", read.text);
        assert!(is_masked(&read.text), "{path}: {}", read.text);
        assert!(!read.text.contains("of.image"), "{path}: {}", read.text);
    }
    let searched = app.request("SEARCH", "/revisions");
    let body = json!({"query": {"filter": {"collection": "tags"}, "fields": ["data"]}});
    let searched = app.send(searched.json(&body)).await;
    assert!(is_masked(&searched.text), "{}", searched.text);
    // What a write answers with is read like anything else.
    let written = app
        .patch(
            "/items/quotes/1?fields=text,revision.data,revision.delta",
            json!({"text": "r"}),
        )
        .await;
    assert!(is_masked(&written.text), "{}", written.text);
    assert!(!written.text.contains("of.image"), "{}", written.text);
}

async fn images_key(app: &TestApp) -> Value {
    let found = app
        .get("/revisions?filter[collection]=tags&sort=-id&fields=id")
        .await;
    found.data()[0]["id"].clone()
}

#[tokio::test]
async fn revisions_are_neither_chosen_nor_ordered_by_what_items_held() {
    let app = concealed().await;
    for query in [
        "filter[data][_nnull]=true",
        "filter[delta]={\"pin\":\"marlin\",\"hint\":\"blue\"}",
        "filter[data][_contains]=marlin",
        "filter[before][_in]=a,b",
        "filter={\"data\":{\"_json\":{\"pin\":{\"_eq\":\"marlin\"}}}}",
        "filter={\"data\":{\"_json\":{\"pin.x\":{\"_eq\":\"marlin\"}}}}",
        "filter={\"data\":{\"_json\":{\"[pin]\":{\"_eq\":\"marlin\"}}}}",
        "filter={\"data\":{\"_json\":{\".\":{\"_contains\":\"marlin\"}}}}",
        "filter={\"data\":{\"_json\":{\"label\":{\"_eq\":\"A\"}},\"_nnull\":true}}",
        "filter={\"_not\":{\"json(data, pin)\":{\"_eq\":\"marlin\"}}}",
        "filter={\"json(delta, pin)\":{\"_starts_with\":\"m\"}}",
        "filter={\"count(data)\":{\"_eq\":1}}",
        "sort=data",
        "sort=json(data, pin)",
        "sort=-json(before, pin)",
        "fields=json(data, pin)",
        "fields=count(delta)",
        "groupBy[]=data&aggregate[count]=*",
        "groupBy[]=json(data, pin)&aggregate[count]=*",
        "aggregate[countDistinct]=data",
        "aggregate[count]=delta",
        "aggregate[max]=data",
    ] {
        let refused = app.get(&format!("/revisions?{query}")).await;
        assert_eq!(
            refused.refusal(),
            (400, "INVALID_QUERY"),
            "{query}: {}",
            refused.text
        );
        assert!(
            refused.text.contains("data")
                || refused.text.contains("delta")
                || refused.text.contains("before")
        );
        assert!(!refused.text.contains("swordfish"), "{query}: {}", refused.text);
    }
    for path in [
        "/activity?filter={\"revisions\":{\"data\":{\"_json\":{\"pin\":{\"_eq\":\"marlin\"}}}}}",
        "/activity?filter={\"revisions\":{\"_some\":{\"json(data, pin)\":{\"_eq\":\"marlin\"}}}}",
        "/activity?fields=revisions.id&deep={\"revisions\":{\"_filter\":{\"json(data, pin)\":{\"_eq\":\"marlin\"}}}}",
        "/activity?fields=id,revisions.json(data, pin)",
        "/items/quotes?sort=revision.json(data, pin)",
        "/items/quotes?sort=revision.data",
        "/items/quotes?filter={\"revision\":{\"json(data, pin)\":{\"_eq\":\"marlin\"}}}",
        "/items/quotes?filter={\"revision\":{\"data\":{\"_null\":true}}}",
    ] {
        let refused = app.get(path).await;
        assert_eq!(
            refused.refusal(),
            (400, "INVALID_QUERY"),
            "{path}: {}",
            refused.text
        );
    }
    // Two texts, found by a search: what items held is not searched.
    for text in ["marlin", "swordfish", "blue"] {
        let found = app.get(&format!("/revisions?search={text}")).await;
        assert_eq!(found.data(), &json!([]), "{text}: {}", found.text);
    }
}

#[tokio::test]
async fn what_no_secret_is_called_may_be_looked_into() {
    let app = concealed().await;
    for query in [
        "filter={\"json(delta, hint)\":{\"_eq\":\"blue\"}}",
        "filter={\"delta\":{\"_json\":{\"hint\":{\"_eq\":\"blue\"}}}}",
        "sort=json(data, hint)&filter={\"json(delta, hint)\":{\"_nnull\":true}}",
    ] {
        let found = app
            .get(&format!("/revisions?{query}&fields=item,json(data, hint)"))
            .await;
        assert_eq!(found.status, 200, "{query}: {}", found.text);
        assert_eq!(
            found.data(),
            &json!([{"item": "a", "data_hint_json": "blue"}]),
            "{query}"
        );
    }
}

#[tokio::test]
async fn who_is_no_administrator_reads_no_revisions_whatever_is_granted() {
    let app = concealed().await;
    let rights = json!([
        {"collection": "directus_revisions", "action": "read"},
        {"collection": "directus_activity", "action": "read"},
        {"collection": "quotes", "action": "read"},
        {"collection": "tags", "action": "read", "fields": ["id"]},
    ]);
    let reader = app.caller_with("reader@example.com", rights).await;
    for path in ["/revisions", "/revisions/1", "/activity", "/activity/1"] {
        assert_eq!(reader.get(path).await.refusal(), (403, "FORBIDDEN"), "{path}");
    }
    let quotes = reader.get("/items/quotes?fields=*.*").await;
    assert!(quotes.data()[0]["revision"].is_number(), "{}", quotes.text);
    for path in [
        "/items/quotes?fields=revision.data",
        "/items/quotes?filter={\"revision\":{\"item\":{\"_eq\":\"a\"}}}",
        "/items/quotes?filter={\"revision\":{\"data\":{\"_nnull\":true}}}",
        "/items/quotes?sort=revision.item",
    ] {
        let refused = reader.get(path).await;
        assert!(
            refused.status == 403 || refused.status == 400,
            "{path}: {}",
            refused.text
        );
        assert!(!refused.text.contains("secret"), "{path}: {}", refused.text);
    }
}
