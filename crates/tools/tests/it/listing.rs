//! What is listed, for whom, and in what size.

use loggia_tools::{Catalogue as _, TOOLS};
use serde_json::{Value, json};

use crate::fixture::{Rights, administrator, context, house};

const EVERYTHING: [&str; 7] = [
    "system-prompt",
    "schema",
    "items",
    "changes",
    "collections",
    "fields",
    "relations",
];

#[tokio::test]
async fn the_list_of_an_administrator() {
    let house = house().await;
    house.settings(json!({"mcp_allow_deletes": true})).await;
    let listing = house.tools.list(&administrator());
    let (page, more) = listing.page(0).unwrap();
    assert!(!more);
    assert!(page.len() <= 30_000, "{} bytes", page.len());
    let tools: Value = serde_json::from_str(page).unwrap();
    insta::assert_json_snapshot!("tools_list", tools);
}

#[tokio::test]
async fn the_list_depends_on_rights_narrowing_and_settings() {
    let house = house().await;
    let check = |rights, query: &[(&str, &str)], expect: &[&str]| {
        assert_eq!(house.names(&context(rights, query)), expect, "{query:?}");
    };
    check(Rights::Administrator, &[], &EVERYTHING);
    check(Rights::None, &[], &["system-prompt"]);
    check(
        Rights::Administrator,
        &[("toolsets", "items,schema")],
        &["schema", "items"],
    );
    check(Rights::Administrator, &[("read_only", "true")], &EVERYTHING);
    check(Rights::Administrator, &[("schemas", "full")], &EVERYTHING);
    house.settings(json!({"mcp_system_prompt_enabled": false})).await;
    assert_eq!(house.names(&administrator()), EVERYTHING[1..]);
    assert_eq!(house.tools.instructions(&administrator()), None);
}

#[tokio::test]
async fn the_same_caller_gets_the_same_list_until_something_changes() {
    let house = house().await;
    let first = house.tools.list(&administrator());
    assert!(std::sync::Arc::ptr_eq(
        &first,
        &house.tools.list(&administrator())
    ));
    house.settings(json!({"mcp_allow_deletes": true})).await;
    assert_ne!(first.version(), house.tools.list(&administrator()).version());
}

fn actions(house: &crate::fixture::House, query: &[(&str, &str)], tool: &str) -> Value {
    let listing = house.tools.list(&context(Rights::Administrator, query));
    listing.find(tool).unwrap().input_schema["properties"]["action"]["enum"].clone()
}

#[tokio::test]
async fn actions_that_always_fail_are_not_in_the_schema() {
    let house = house().await;
    for tool in ["items", "collections", "fields", "relations"] {
        assert_eq!(actions(&house, &[], tool), json!(["create", "read", "update"]));
        assert_eq!(actions(&house, &[("read_only", "true")], tool), json!(["read"]));
    }
    house.settings(json!({"mcp_allow_deletes": true})).await;
    for tool in ["items", "collections", "fields", "relations"] {
        assert_eq!(
            actions(&house, &[], tool),
            json!(["create", "read", "update", "delete"])
        );
        assert_eq!(actions(&house, &[("read_only", "true")], tool), json!(["read"]));
    }
}

#[tokio::test]
async fn a_tool_that_is_not_listed_cannot_be_called() {
    let house = house().await;
    let check = async |context, tool: &str, nearest: Value| {
        let error = house.call(&context, tool, json!({})).await.unwrap_err();
        assert_eq!(
            error,
            json!({"code": "UNKNOWN_TOOL", "nearest": nearest}),
            "{tool}"
        );
    };
    check(administrator(), "itmes", json!("items")).await;
    check(administrator(), "zzz", Value::Null).await;
    // Tools for everybody; this list may only shrink.
    let open = ["system-prompt"];
    for tool in TOOLS.iter().map(|tool| tool.name()) {
        if !open.contains(&tool) {
            check(context(Rights::None, &[]), tool, Value::Null).await;
        }
    }
    check(
        context(Rights::Administrator, &[("toolsets", "schema")]),
        "items",
        Value::Null,
    )
    .await;
}

#[tokio::test]
async fn what_is_switched_off_says_so() {
    let house = house().await;
    let reading = context(Rights::Administrator, &[("read_only", "true")]);
    let arguments = json!({"action": "create", "collection": "posts", "data": {}});
    let error = house.call(&reading, "items", arguments).await.unwrap_err();
    assert_eq!(
        (&error["code"], &error["path"]),
        (&json!("FORBIDDEN"), &json!("action"))
    );
    assert!(error["hint"].as_str().unwrap().contains("read_only"));
    for tool in ["items", "collections", "fields", "relations"] {
        let error = house
            .fails(
                tool,
                json!({"action": "delete", "collection": "posts", "keys": [1]}),
            )
            .await;
        assert_eq!(error["code"], "DELETES_DISABLED", "{tool}");
        assert!(error["hint"].as_str().unwrap().contains("mcp_allow_deletes"));
    }
}

#[tokio::test]
async fn the_guidance_is_ours_the_projects_or_none() {
    let house = house().await;
    let built_in = house.succeeds("system-prompt", json!({})).await;
    let prompt = built_in["prompt"].as_str().unwrap();
    for word in [
        "schema",
        "_icontains",
        "meta.next",
        "draft",
        "data written by other people",
    ] {
        assert!(prompt.contains(word), "{word}");
    }
    assert!(prompt.len() < 6_000, "{}", prompt.len());
    assert!(
        house
            .tools
            .instructions(&administrator())
            .unwrap()
            .contains("system-prompt")
    );
    house
        .settings(json!({"mcp_system_prompt": "# House rules\n\nBe\u{200b} brief.\u{202e}"}))
        .await;
    let own = house.succeeds("system-prompt", json!({})).await;
    assert_eq!(own, json!({"prompt": "# House rules\n\nBe brief."}));
    house.settings(json!({"mcp_system_prompt_enabled": false})).await;
    let error = house
        .call(&administrator(), "system-prompt", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error["code"], "UNKNOWN_TOOL");
}
