//! What each kind of caller finds in their list of tools: nothing that they may not do, or may not know of.

use loggia_access::TokenMode;
use loggia_tools::{CallContext, Catalogue as _};
use serde_json::{Map, Value, json};

use crate::fixture::{House, Rights, administrator, context};
use crate::help_desk::help_desk;

/// The list in short: of each tool its arguments, what it may do to the world, and whether it answers with receipts; the
/// names that are listed for actions and collections; the fields that can be written, with types and remarks.
fn outline(house: &House, context: &CallContext) -> Value {
    let listing = house.tools.list(context);
    let tools = listing.tools().iter().map(|tool| {
        let input = &tool.input_schema["properties"];
        let arguments = input.as_object().unwrap().keys();
        let arguments: Vec<_> = arguments.map(String::as_str).collect();
        let hint = tool.annotations;
        let mut said = json!({
            "arguments": arguments.join(" "),
            "hints": match (hint.read_only, hint.destructive) {
                (true, false) => "reads",
                (false, false) => "adds",
                (false, true) => "overwrites",
                (true, true) => panic!("{}: reads and destroys", tool.name),
            },
            "receipt": tool.output_schema.as_ref().unwrap()["properties"].get("receipt").is_some(),
        });
        let mut note = |name: &str, node: &Value| {
            if !node.is_null() {
                said[name] = node.clone();
            }
        };
        note("actions", &input["action"]["enum"]);
        note("collections", &input["collection"]["enum"]);
        note("keys", &input["keys"]["items"]["enum"]);
        if let Some(fields) = input["data"]["items"]["properties"]
            .as_object()
            .filter(|_| tool.name == "items")
        {
            let shown = fields.iter().map(|(name, field)| {
                let said =
                    [&field["type"], &field["description"]].map(|text| text.as_str().unwrap_or_default());
                (name.clone(), Value::from(said.join(" ").trim_end()))
            });
            note("fields", &shown.collect::<Map<_, _>>().into());
        }
        (tool.name.clone(), said)
    });
    tools.collect::<Map<_, _>>().into()
}

fn names(outline: &Value) -> Vec<&str> {
    outline.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The parts of `items` that depend on the caller.
const ALL: &str = "action collection query keys max_tokens data revs reason";

#[tokio::test]
async fn items_lists_actions_arguments_collections_and_fields_of_the_caller() {
    let house = help_desk().await;
    let table = [
        // Reading alone.
        (
            json!([{"collection": "tickets", "action": "read", "fields": ["title"]}]),
            json!({
                "actions": ["read"], "collections": ["tickets"], "hints": "reads", "receipt": false,
                "arguments": "action collection query keys max_tokens",
            }),
        ),
        // A form: nothing can be read, so there is nothing to ask for and nothing to answer with.
        (
            json!([{"collection": "tickets", "action": "create", "fields": ["title", "text"]}]),
            json!({
                "actions": ["create"], "collections": ["tickets"], "hints": "adds", "receipt": true,
                "arguments": "action collection max_tokens data reason",
                "fields": {"id": "integer", "text": "string", "title": "string"},
            }),
        ),
        // What may be given differs between the actions.
        (
            json!([
                {"collection": "tickets", "action": "create", "fields": ["title", "text"]},
                {"collection": "tickets", "action": "update", "fields": ["title", "verdict"]},
            ]),
            json!({
                "actions": ["create", "update"], "collections": ["tickets"], "hints": "overwrites", "receipt": true,
                "arguments": "action collection keys max_tokens data revs reason",
                "fields": {
                    "id": "integer", "text": "string create only", "title": "string", "verdict": "string update only",
                },
            }),
        ),
        // Fields that are only read are not written; a relation whose target is not theirs is a plain key.
        (
            json!([
                {"collection": "tickets", "action": "read"},
                {"collection": "tickets", "action": "update", "fields": ["customer", "status"]},
            ]),
            json!({
                "actions": ["read", "update"], "collections": ["tickets"], "hints": "overwrites", "receipt": true,
                "arguments": ALL,
                "fields": {"customer": "integer", "id": "integer", "status": "string"},
            }),
        ),
        // Lists whose items may not be changed are not there; those of which they may are changed by an object.
        (
            json!([
                {"collection": "customers", "action": "update"},
                {"collection": "tickets", "action": "read"},
                {"collection": "invoices", "action": ["read", "create"], "fields": ["total", "customer"]},
            ]),
            json!({
                "actions": ["create", "read", "update"], "collections": ["customers", "invoices", "tickets"],
                "hints": "overwrites", "receipt": true, "arguments": ALL,
                "fields": {
                    "card": "string update only", "customer": "integer create only", "id": "integer",
                    "invoices": "object update only", "name": "string update only", "total": "integer create only",
                },
            }),
        ),
        // Taking away alone.
        (
            json!([{"collection": "tickets", "action": "delete"}]),
            json!({
                "actions": ["delete"], "collections": ["tickets"], "hints": "overwrites", "receipt": true,
                "arguments": "action collection keys max_tokens revs reason",
            }),
        ),
    ];
    for (permissions, expect) in table {
        let user = house.user(permissions.clone()).await;
        assert_eq!(outline(&house, &user)["items"], expect, "{permissions:#}");
    }
}

#[tokio::test]
async fn a_field_of_different_types_is_listed_as_text() {
    let house = help_desk().await;
    let numbered = json!({"collection": "orders", "fields": [{"field": "status", "type": "integer"}, {"field": "tags", "type": "csv"}]});
    house
        .succeeds("collections", json!({"action": "create", "data": numbered}))
        .await;
    let both = json!([
        {"collection": "tickets", "action": "create", "fields": ["status", "title"]},
        {"collection": "orders", "action": "create", "fields": ["status", "tags"]},
    ]);
    let user = house.user(both).await;
    let fields = &outline(&house, &user)["items"]["fields"];
    assert_eq!(
        *fields,
        json!({"id": "integer", "status": "string", "tags": "array", "title": "string"})
    );
    let data = json!({"status": "7", "tags": ["a"]});
    let arguments = json!({"action": "create", "collection": "orders", "data": data});
    house.call(&user, "items", arguments).await.unwrap();
    assert_eq!(
        house.rows("orders", &["status", "tags"]).await,
        json!([{"status": 7, "tags": ["a"]}])
    );
}

#[tokio::test]
async fn what_is_listed_to_be_written_can_be_written_and_the_rest_is_refused() {
    let house = help_desk().await;
    let user = house
        .user(json!([
            {"collection": "tickets", "action": "create", "fields": ["title", "text", "customer"]},
            {"collection": "tickets", "action": ["read", "update"], "fields": ["title", "verdict"]},
            {"collection": "customers", "action": "create", "fields": ["name"]},
            {"collection": "invoices", "action": "update", "fields": ["total"]},
        ]))
        .await;
    let schema = house
        .tools
        .list(&user)
        .find("items")
        .unwrap()
        .input_schema
        .clone();
    let fields = schema["properties"]["data"]["items"]["properties"]
        .as_object()
        .unwrap()
        .clone();
    let tried = [
        ("tickets", "create"),
        ("tickets", "update"),
        ("customers", "create"),
        ("invoices", "update"),
    ];
    for field in [
        "card", "customer", "invoices", "name", "status", "text", "tickets", "title", "total", "verdict",
    ] {
        let mut taken = false;
        for (collection, action) in tried {
            let mut data = json!({field: null});
            if action == "create" && collection == "tickets" && field != "title" {
                data["title"] = "Needed".into();
            }
            if ["text", "title", "name", "verdict"].contains(&field) {
                data[field] = "x".into();
            }
            let mut arguments = json!({"action": action, "collection": collection, "data": data});
            if action == "update" {
                arguments["keys"] = json!([1]);
            }
            taken |= house.call(&user, "items", arguments).await.is_ok();
        }
        assert_eq!(fields.contains_key(field), taken, "{field}: {fields:?}");
    }
}

#[tokio::test]
async fn more_fields_than_can_be_listed_are_not() {
    let house = help_desk().await;
    let fields = |count: usize| -> Vec<Value> {
        let fields = (0..count).map(|i| json!({"field": format!("f{i}"), "type": "string"}));
        fields.collect()
    };
    for (name, count) in [("few", 78), ("many", 90)] {
        let data = json!({"collection": name, "fields": fields(count)});
        house
            .succeeds("collections", json!({"action": "create", "data": data}))
            .await;
        let user = house
            .user(json!([{"collection": name, "action": ["create", "read"]}]))
            .await;
        let listed = outline(&house, &user);
        let shown = listed["items"]["fields"].as_object().map(Map::len);
        assert_eq!(shown, (name == "few").then_some(79), "{listed:#}");
        assert!(house.tools.list(&user).page(0).unwrap().0.len() <= 30_000);
    }
    // Nor where a client would not take one of the names.
    let data = json!({"collection": "odd", "fields": [{"field": "größe", "type": "string"}, {"field": "a", "type": "string"}]});
    house
        .succeeds("collections", json!({"action": "create", "data": data}))
        .await;
    for (fields, listed) in [(json!(["*"]), false), (json!(["a"]), true)] {
        let user = house
            .user(json!([{"collection": "odd", "action": "create", "fields": fields}]))
            .await;
        assert_eq!(
            outline(&house, &user)["items"].get("fields").is_some(),
            listed,
            "{fields}"
        );
    }
    // Administrators make fields as they go.
    assert_eq!(outline(&house, &administrator())["items"].get("fields"), None);
}

#[tokio::test]
async fn tools_are_those_of_the_caller() {
    let house = help_desk().await;
    let all = json!(["create", "read", "update", "delete"]);
    let every = json!([{"collection": "tickets", "action": all}]);
    let reads = json!([{"collection": "tickets", "action": "read"}]);
    let policy = house.policy(every.clone()).await;
    let read_policy = house.policy(reads.clone()).await;
    let read_only = [("read_only", "true")];
    let mut reader = house.holder(&[&[&policy]], None).await;
    reader.narrowing = context(Rights::None, &read_only).narrowing;
    let table: [(&str, CallContext, &[&str]); 8] = [
        ("nobody", context(Rights::None, &[]), &["system-prompt"]),
        (
            "a reader",
            house.user(reads).await,
            &["system-prompt", "schema", "items"],
        ),
        (
            "a writer",
            house.user(every).await,
            &["system-prompt", "schema", "items", "changes"],
        ),
        (
            "a writer on a connection that reads",
            reader,
            &["system-prompt", "schema", "items", "changes"],
        ),
        (
            "a token that only proposes",
            house.holder(&[&[&policy]], Some(TokenMode::Propose)).await,
            &["system-prompt", "schema", "items", "changes"],
        ),
        (
            "a token that may less than its owner",
            house
                .holder(&[&[&policy], &[&read_policy]], Some(TokenMode::Direct))
                .await,
            &["system-prompt", "schema", "items"],
        ),
        (
            "an administrator",
            administrator(),
            &[
                "system-prompt",
                "schema",
                "items",
                "changes",
                "collections",
                "fields",
                "relations",
            ],
        ),
        (
            "an administrator on a connection that reads",
            context(Rights::Administrator, &read_only),
            &[
                "system-prompt",
                "schema",
                "items",
                "changes",
                "collections",
                "fields",
                "relations",
            ],
        ),
    ];
    for (who, context, expect) in &table {
        let outline = outline(&house, context);
        assert_eq!(names(&outline), *expect, "{who}");
        let writes = ["a writer", "an administrator"].contains(who);
        for (name, tool) in outline.as_object().unwrap() {
            let arguments: Vec<_> = tool["arguments"].as_str().unwrap().split(' ').collect();
            let may = writes && !["system-prompt", "schema"].contains(&name.as_str());
            assert_eq!(
                tool["hints"],
                if may { "overwrites" } else { "reads" },
                "{who}: {name}"
            );
            for argument in ["data", "reason", "revs", "conflicts"] {
                assert!(may || !arguments.contains(&argument), "{who}: {name}: {argument}");
            }
            assert_eq!(tool["receipt"], may, "{who}: {name}");
        }
    }
}

/// Words that say that something can be done which cannot.
#[tokio::test]
async fn descriptions_speak_of_nothing_that_the_caller_cannot_do() {
    let house = help_desk().await;
    let said = |context: &CallContext| house.tools.list(context).page(0).unwrap().0.to_lowercase();
    let form = house
        .user(json!([{"collection": "tickets", "action": "create"}]))
        .await;
    let words = said(&form);
    for word in [
        "delet",
        "_rev",
        "filter",
        "sort",
        "query",
        "primary keys",
        "delete:",
        "update:",
        "read:",
    ] {
        let tools = house.tools.list(&form);
        let items = tools.find("items").unwrap();
        let text = format!("{} {}", items.description, items.input_schema).to_lowercase();
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert!(
        !words.contains("customers") && !words.contains("invoices"),
        "{words}"
    );
    let reading = said(&context(Rights::Administrator, &[("read_only", "true")]));
    for word in [
        "create",
        "delete",
        "revert:",
        "one_deselect_action",
        "has_auto_increment",
    ] {
        let at = reading.find(word).map(|at| &reading[at.saturating_sub(200)..]);
        assert_eq!(at, None, "{word}");
    }
    house.settings(json!({"mcp_allow_deletes": false})).await;
    for tool in house
        .tools
        .list(&administrator())
        .tools()
        .iter()
        .filter(|tool| tool.name != "changes")
    {
        assert!(
            !tool.description.contains("delet"),
            "{}: {}",
            tool.name,
            tool.description
        );
    }
}

/// A copy of the help desk that differs in everything that the caller may not know of.
async fn other_desk() -> House {
    let house = help_desk().await;
    let hidden = json!([
        {"collection": "payroll", "meta": {"note": "Who earns what", "singleton": true}, "fields": [
            {"field": "salary", "type": "integer"}, {"field": "size", "type": "geometry"},
        ]},
        {"collection": "aaa", "fields": (0..100).map(|i| json!({"field": format!("f{i}"), "type": "string"})).collect::<Vec<_>>()},
    ]);
    house
        .succeeds("collections", json!({"action": "create", "data": hidden}))
        .await;
    // Before, between and after the fields that are shown; and one of them no longer points to what is hidden.
    let fields = json!([
        {"field": "aaa", "type": "json", "meta": {"sort": 1, "required": true, "note": "Secret"}},
        {"field": "größe", "type": "string"},
        {"field": "owner", "type": "uuid"},
    ]);
    house
        .succeeds(
            "fields",
            json!({"action": "create", "collection": "tickets", "data": fields}),
        )
        .await;
    house
        .relate("tickets", "owner", "directus_users", json!({"one_field": null}))
        .await;
    let loose = json!({"action": "delete", "collection": "tickets", "field": "customer"});
    house.succeeds("relations", loose).await;
    let verdict = json!({"field": "verdict", "meta": {"note": "What was found", "options": {"choices": [{"text": "Good", "value": "good"}]}}});
    house
        .succeeds(
            "fields",
            json!({"action": "update", "collection": "tickets", "data": verdict}),
        )
        .await;
    house.create("customers", json!([{"name": "Cid"}])).await;
    house
}

#[tokio::test]
async fn databases_that_differ_in_what_is_hidden_give_the_same_lists() {
    let (one, other) = (help_desk().await, other_desk().await);
    let some = json!(["title", "text", "status", "customer"]);
    let kinds = [
        json!([{"collection": "tickets", "action": "read", "fields": some}]),
        json!([{"collection": "tickets", "action": ["create", "read", "update"], "fields": some}]),
        json!([{"collection": "tickets", "action": "create", "fields": ["title"]}, {"collection": "customers", "action": "read", "fields": ["name"]}]),
        json!([{"collection": "tickets", "action": ["read", "delete"], "fields": some, "permissions": {"status": {"_eq": "open"}}}]),
        json!([{"collection": "invoices", "action": ["create", "read"], "fields": ["total"]}]),
        json!([]),
    ];
    for permissions in kinds {
        for query in [&[][..], &[("schemas", "full")], &[("read_only", "true")]] {
            let mut answers = Vec::new();
            for house in [&one, &other] {
                let mut user = house.user(permissions.clone()).await;
                user.narrowing = context(Rights::None, query).narrowing;
                let list = house.tools.list(&user).page(0).unwrap().0.to_owned();
                let mut said = vec![list];
                for (tool, arguments) in [
                    ("system-prompt", json!({})),
                    ("schema", json!({})),
                    ("schema", json!({"keys": ["tickets"]})),
                    ("schema", json!({"keys": ["invoices"]})),
                ] {
                    said.push(format!("{:?}", house.call(&user, tool, arguments).await));
                }
                answers.push(said);
            }
            assert_eq!(answers[0], answers[1], "{permissions} {query:?}");
        }
    }
}
