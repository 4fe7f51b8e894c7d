//! What a call leaves behind: every write is a change that says who made it and with what.

use loggia_tools::CallContext;
use loggia_tools::catalogue::ClientInfo;
use serde_json::{Value, json};

use crate::fixture::{House, administrator, house};

/// An assistant that says what it is.
fn assistant() -> CallContext {
    CallContext {
        client: Some(ClientInfo {
            name: "Some\u{202e} Assistant".to_owned(),
            version: "1.2.3".to_owned(),
        }),
        ..administrator()
    }
}

/// The key of the change that a call made, as its receipt says.
async fn changed(house: &House, context: &CallContext, tool: &str, arguments: Value) -> String {
    let answer = house.call(context, tool, arguments.clone()).await;
    let answer = answer.unwrap_or_else(|error| panic!("{tool} {arguments}: {error:#}"));
    let change = answer["receipt"]["change"].as_str();
    change
        .unwrap_or_else(|| panic!("{tool} {arguments}: {answer:#}"))
        .to_owned()
}

#[tokio::test]
async fn every_write_of_every_tool_is_a_change_with_its_tool_client_request_and_reason() {
    let house = house().await;
    house.settings(json!({"mcp_allow_deletes": true})).await;
    let client = assistant();
    let field = json!({"field": "text", "type": "string"});
    let writes = [
        (
            "collections",
            json!({"action": "create", "data": [{"collection": "notes", "fields": [field]}, {"collection": "others"}]}),
        ),
        (
            "collections",
            json!({"action": "update", "data": {"collection": "notes", "meta": {"note": "Some"}}}),
        ),
        (
            "fields",
            json!({"action": "create", "collection": "notes", "data": [{"field": "other", "type": "integer"}, {"field": "more", "type": "string"}]}),
        ),
        (
            "fields",
            json!({"action": "update", "collection": "notes", "data": {"field": "more", "meta": {"note": "More"}}}),
        ),
        (
            "relations",
            json!({"action": "create", "collection": "notes", "field": "other", "data": {"related_collection": "others"}}),
        ),
        (
            "relations",
            json!({"action": "update", "collection": "notes", "field": "other", "data": {"meta": {"one_field": "notes"}}}),
        ),
        (
            "items",
            json!({"action": "create", "collection": "notes", "data": {"text": "One"}}),
        ),
        (
            "items",
            json!({"action": "update", "collection": "notes", "keys": [1], "data": {"text": "Two"}}),
        ),
        (
            "items",
            json!({"action": "delete", "collection": "notes", "keys": [1]}),
        ),
        (
            "relations",
            json!({"action": "delete", "collection": "notes", "field": "other"}),
        ),
        (
            "fields",
            json!({"action": "delete", "collection": "notes", "field": "more"}),
        ),
        ("collections", json!({"action": "delete", "keys": ["notes"]})),
    ];
    let mut made = Vec::new();
    for (i, (tool, mut arguments)) in writes.into_iter().enumerate() {
        arguments["reason"] = format!("Step\u{200b} {i}").into();
        made.push((tool, changed(&house, &client, tool, arguments).await));
    }
    let kept = house.all("loggia_changes").await;
    for (i, (tool, change)) in made.iter().enumerate() {
        let kept: Vec<_> = kept.iter().filter(|row| row["id"] == **change).collect();
        assert_eq!(kept.len(), 1, "{tool} {i}");
        let said = [
            "tool",
            "client_name",
            "client_version",
            "request_id",
            "title",
            "origin",
        ];
        let said: Vec<_> = said
            .iter()
            .map(|name| kept[0][*name].as_str().unwrap_or("-"))
            .collect();
        let title = format!("Step {i}");
        assert_eq!(
            said,
            [*tool, "Some Assistant", "1.2.3", "test", &title, "mcp"],
            "{tool} {i}"
        );
    }
}

#[tokio::test]
async fn reading_and_refused_writes_leave_nothing_behind() {
    let house = house().await;
    house.blog().await;
    house.create("posts", json!({"title": "One"})).await;
    let before = house.all("loggia_changes").await;
    for (tool, arguments) in [
        ("items", json!({"action": "read", "collection": "posts"})),
        ("schema", json!({"keys": ["posts"]})),
        (
            "items",
            json!({"action": "create", "collection": "posts", "data": [{"title": "Two"}, {"views": 1}]}),
        ),
        (
            "items",
            json!({"action": "update", "collection": "posts", "keys": [1, 99], "data": {"title": "Two"}}),
        ),
        (
            "items",
            json!({"action": "delete", "collection": "posts", "keys": [1]}),
        ),
        (
            "fields",
            json!({"action": "create", "collection": "posts", "data": {"field": "title", "type": "string"}}),
        ),
    ] {
        let _ = house.call(&administrator(), tool, arguments).await;
    }
    assert_eq!(house.all("loggia_changes").await, before);
}
#[tokio::test]
async fn presets_show_as_filled_in() {
    let house = house().await;
    house.blog().await;
    let user = house
        .user(json!([{
            "collection": "posts", "action": ["create", "read"], "fields": ["title", "views"],
            "presets": {"views": 7, "status": "published"},
        }]))
        .await;
    let arguments = json!({"action": "create", "collection": "posts", "data": {"title": "One"}});
    let made = house.call(&user, "items", arguments).await.unwrap();
    assert_eq!(made["receipt"]["applied"], json!(["data.title"]), "{made:#}");
    assert_eq!(made["receipt"]["defaulted"]["data.views"], json!(7), "{made:#}");
    assert_eq!(
        made["receipt"]["changed"],
        json!({"posts": {"created": 1, "updated": 0, "deleted": 0}})
    );
    let defaulted = &made["receipt"]["defaulted"];
    assert_eq!(
        defaulted.get("data.status"),
        None,
        "the caller may not read it: {made:#}"
    );
    assert_eq!(made["data"][0]["views"], json!(7));
    assert_eq!(made["data"][0].get("status"), None, "the caller may not read it");
    let stored = house.all("posts").await;
    assert_eq!(stored[0]["status"], json!("published"));
}
