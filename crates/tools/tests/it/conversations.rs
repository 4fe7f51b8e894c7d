//! Two conversations, as the calls that an assistant makes.

use serde_json::{Value, json};

use crate::fixture::{House, house};

fn key() -> Value {
    json!({"field": "id", "type": "uuid", "schema": {"is_primary_key": true}, "meta": {"hidden": true, "readonly": true}})
}

fn text(field: &str) -> Value {
    json!({"field": field, "type": "string"})
}

fn choice(field: &str, values: &[&str]) -> Value {
    let choices: Vec<Value> = values
        .iter()
        .map(|value| json!({"text": value, "value": value}))
        .collect();
    json!({"field": field, "type": "string", "meta": {"interface": "select-dropdown", "options": {"choices": choices}}})
}

async fn call(house: &House, tool: &str, arguments: Value) -> Value {
    house.succeeds(tool, arguments).await
}

#[tokio::test]
async fn a_blog_post_is_written_as_a_draft_then_published_and_linked() {
    let house = house().await;
    call(&house, "collections", json!({"action": "create", "data": [
        {"collection": "writers", "fields": [key(), text("name")]},
        {"collection": "posts", "fields": [
            key(), text("title"), text("slug"), text("excerpt"), choice("status", &["draft", "published"]),
            {"field": "content", "type": "text", "meta": {"interface": "input-rich-text-md"}}, {"field": "tags", "type": "csv"},
        ]},
    ]})).await;
    house
        .relate("posts", "writer", "writers", json!({"one_field": "posts"}))
        .await;

    assert!(
        call(&house, "system-prompt", json!({})).await["prompt"]
            .as_str()
            .unwrap()
            .contains("draft")
    );
    let collections = call(&house, "schema", json!({})).await;
    assert!(
        collections["collections"]
            .as_array()
            .unwrap()
            .contains(&json!("posts"))
    );
    let fields = call(&house, "schema", json!({"keys": ["posts"]})).await;
    assert_eq!(
        fields["fields"]["posts"]["status"]["choices"],
        json!(["draft", "published"])
    );

    let post = json!({
        "title": "Why the review queue is always full",
        "slug": "why-the-review-queue-is-always-full",
        "excerpt": "Every hand-over costs a day.",
        "status": "draft",
        "content": "# Hand-overs\n\n“Nobody” waits for 🎉 – <b>everybody</b> waits for review.\n",
        "tags": ["workflow", "editing"],
    });
    let made = call(
        &house,
        "items",
        json!({"action": "create", "collection": "posts", "data": post}),
    )
    .await;
    let id = made["data"][0]["id"].clone();
    let fields: Vec<_> = post.as_object().unwrap().keys().collect();
    let read = call(
        &house,
        "items",
        json!({"action": "read", "collection": "posts", "keys": [id], "query": {"fields": fields}}),
    )
    .await;
    assert_eq!(read["data"], json!([post]));

    let data = json!({"status": "published", "writer": {"name": "Ada"}});
    call(
        &house,
        "items",
        json!({"action": "update", "collection": "posts", "keys": [id], "data": data}),
    )
    .await;
    let query = json!({"fields": ["name", "posts.title", "posts.status"]});
    let read = call(
        &house,
        "items",
        json!({"action": "read", "collection": "writers", "query": query}),
    )
    .await;
    assert_eq!(
        read["data"],
        json!([{"name": "Ada", "posts": [{"title": post["title"], "status": "published"}]}])
    );
}

#[tokio::test]
async fn a_crm_is_modelled_filled_and_asked() {
    let house = house().await;
    call(&house, "system-prompt", json!({})).await;
    assert_eq!(
        call(&house, "collections", json!({"action": "read"})).await["data"],
        json!([])
    );
    call(&house, "collections", json!({"action": "create", "data": [
        {"collection": "organizations", "meta": {"icon": "domain", "display_template": "{{name}}"}, "fields": [key(), text("name"), text("website")]},
        {"collection": "contacts", "meta": {"icon": "person"}, "fields": [key(), text("name"), {"field": "email", "type": "string", "schema": {"is_unique": true}}]},
        {"collection": "deal_stages", "meta": {"sort_field": "sort"}, "fields": [key(), text("name"), {"field": "sort", "type": "integer"}]},
        {"collection": "deals", "fields": [key(), text("name"), {"field": "value", "type": "decimal", "schema": {"numeric_precision": 12, "numeric_scale": 2}}]},
        {"collection": "activities", "fields": [key(), choice("kind", &["email", "call", "task"]), text("subject"), {"field": "due", "type": "timestamp"}]},
        {"collection": "organizations_contacts", "meta": {"hidden": true}, "fields": [
            key(), text("role"), {"field": "organizations_id", "type": "uuid"}, {"field": "contacts_id", "type": "uuid"},
        ]},
    ]})).await;
    let many = "organizations_contacts";
    house
        .relate(
            many,
            "organizations_id",
            "organizations",
            json!({"one_field": "contacts", "junction_field": "contacts_id"}),
        )
        .await;
    house
        .relate(
            many,
            "contacts_id",
            "contacts",
            json!({"one_field": "organizations", "junction_field": "organizations_id"}),
        )
        .await;
    for (field, one) in [
        ("organization", "organizations"),
        ("contact", "contacts"),
        ("stage", "deal_stages"),
    ] {
        house
            .relate("deals", field, one, json!({"one_field": "deals"}))
            .await;
    }
    for (field, one) in [
        ("organization", "organizations"),
        ("contact", "contacts"),
        ("deal", "deals"),
    ] {
        house
            .relate("activities", field, one, json!({"one_field": "activities"}))
            .await;
    }
    for collection in ["deals", "activities"] {
        house
            .relate(collection, "owner", "directus_users", json!({}))
            .await;
    }
    let model = call(
        &house,
        "schema",
        json!({"keys": ["organizations", "contacts", "deals", "activities"]}),
    )
    .await;
    let relation = |collection: &str, field: &str| model["fields"][collection][field]["relation"].clone();
    assert_eq!(relation("organizations", "contacts")["type"], "m2m");
    assert_eq!(
        relation("contacts", "organizations")["collection"],
        "organizations"
    );
    assert_eq!(relation("organizations", "deals")["type"], "o2m");
    assert_eq!(
        relation("deals", "owner"),
        json!({"type": "m2o", "collection": "directus_users"})
    );

    let stages = house
        .create(
            "deal_stages",
            json!([{"name": "New", "sort": 1}, {"name": "Won", "sort": 2}]),
        )
        .await;
    let made = call(&house, "items", json!({"action": "create", "collection": "organizations", "data": {
        "name": "Acme",
        "contacts": [{"role": "buyer", "contacts_id": {"name": "Grace", "email": "grace@acme.test"}}],
        "deals": [{"name": "Renewal", "value": "1250.50", "stage": stages[0], "activities": [
            {"kind": "call", "subject": "Say hello", "due": "2026-12-01T09:00:00Z"},
        ]}],
    }, "query": {"fields": ["*", "contacts.contacts_id.name", "deals.id", "deals.value", "deals.activities.due"]}})).await;
    let acme = &made["data"][0];
    assert_eq!(acme["contacts"], json!([{"contacts_id": {"name": "Grace"}}]));
    assert_eq!(
        acme["deals"][0]["activities"],
        json!([{"due": "2026-12-01T09:00:00.000Z"}])
    );
    for collection in [
        "organizations",
        "contacts",
        "organizations_contacts",
        "deals",
        "activities",
    ] {
        assert_eq!(
            made["receipt"]["changed"][collection]["created"], 1,
            "{collection}"
        );
    }

    let deal = acme["deals"][0]["id"].clone();
    call(
        &house,
        "items",
        json!({"action": "update", "collection": "deals", "keys": [deal], "data": {"stage": stages[1]}}),
    )
    .await;
    let won = json!({"filter": {"stage": {"name": {"_eq": "Won"}}}, "aggregate": {"count": ["*"], "sum": ["value"]}});
    let won = call(
        &house,
        "items",
        json!({"action": "read", "collection": "deals", "query": won}),
    )
    .await;
    assert_eq!(won["data"][0]["count"].to_string().replace('"', ""), "1");
    let asked = json!({"fields": ["name"], "filter": {"organizations": {"organizations_id": {"deals": {"_some": {"stage": {"name": {"_eq": "Won"}}}}}}}});
    let asked = call(
        &house,
        "items",
        json!({"action": "read", "collection": "contacts", "query": asked}),
    )
    .await;
    assert_eq!(asked["data"], json!([{"name": "Grace"}]));
    let twice = house.fails("items", json!({"action": "create", "collection": "contacts", "data": {"name": "X", "email": "grace@acme.test"}})).await;
    assert_eq!(twice["code"], "RECORD_NOT_UNIQUE");
}
