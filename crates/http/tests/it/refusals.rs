//! What a refusal tells: of items, fields and collections that must not be known, nothing. Two houses that differ in those
//! alone refuse alike, to the letter: values that are taken, keys that point nowhere, items that are pointed to, and
//! names that are nearly right.
//!
//! Whether a value is taken cannot be hidden from somebody who may write it. By what, in which field and how often can.

use loggia_testkit::{Client, TestApp};
use serde_json::{Value, json};

use crate::inference::{Transcript, assert_alike, done};

/// What is hidden.
struct House {
    /// Items that nobody but administrators sees.
    items: Value,
    /// What points to rooms, and is not seen either.
    pointing: (&'static str, usize),
    /// A collection, a field, and a field of a collection that is seen in part.
    names: [&'static str; 3],
}

const SEEN: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const UNSEEN: &str = "aaaaaaaa-0000-4000-8000-000000000009";
/// In no house.
const NOWHERE: &str = "aaaaaaaa-0000-4000-8000-00000000000f";

async fn house(hidden: &House) -> (TestApp, Client) {
    let app = TestApp::start().await;
    let key = json!({"field": "id", "type": "uuid", "schema": {"is_primary_key": true}, "meta": {"special": ["uuid"]}});
    let plain = |name: &str, ty: &str| json!({"field": name, "type": ty, "schema": {}, "meta": {}});
    let unique =
        |name: &str| json!({"field": name, "type": "string", "schema": {"is_unique": true}, "meta": {}});
    let [collection, field, beside] = hidden.names;
    let collections = json!([
        {"collection": "rooms", "schema": {}, "meta": {}, "fields": [
            key, plain("name", "string"), unique("slug"), unique("cipher"), plain("open", "boolean"),
            plain("next", "uuid"), plain(beside, "string"),
        ]},
        {"collection": "keys", "schema": {}, "meta": {}, "fields": [plain("room", "uuid")]},
        {"collection": "bills", "schema": {}, "meta": {}, "fields": [plain("room", "uuid"), plain("sum", "integer")]},
        {"collection": collection, "schema": {}, "meta": {}, "fields": [plain(field, "string")]},
    ]);
    done(app.post("/collections", collections).await);
    for (many, field, alias) in [
        ("rooms", "next", "before"),
        ("keys", "room", "keys"),
        ("bills", "room", "bills"),
    ] {
        let relation = json!({"collection": many, "field": field, "related_collection": "rooms",
            "schema": {"on_delete": "NO ACTION"}, "meta": {"one_field": alias}});
        done(app.post("/relations", relation).await);
    }
    let room = |n: u8, open: bool| {
        json!({"id": format!("{}{n}", &SEEN[..35]), "name": format!("Room {n}"), "slug": format!("room-{n}"),
            "cipher": format!("c{n}"), "open": open})
    };
    done(
        app.post(
            "/items/rooms",
            json!([room(1, true), room(2, true), room(3, true)]),
        )
        .await,
    );
    done(app.post("/items/rooms", hidden.items.clone()).await);
    let (by, times) = hidden.pointing;
    let room_3 = room(3, true)["id"].clone();
    for _ in 0..times {
        let row = match by {
            "rooms" => json!({"name": "Hidden", "open": false, "next": room_3}),
            _ => json!({"room": room_3}),
        };
        done(app.post(&format!("/items/{by}"), row).await);
    }
    let open = json!({"open": {"_eq": true}});
    let rights = json!([
        {"collection": "rooms", "action": "read", "permissions": open, "fields": ["id", "name", "slug", "next", "open"]},
        {"collection": "rooms", "action": "create", "fields": ["id", "name", "slug", "next", "open"],
            "presets": {"open": true}},
        {"collection": "rooms", "action": "update", "fields": ["name", "slug", "next"], "permissions": open},
        {"collection": "rooms", "action": "delete", "permissions": open},
    ]);
    let editor = app.caller_with("editor@example.com", rights).await;
    (app, editor)
}

/// Three houses: in each of them the same values are taken and the same room is pointed to, by something else.
fn houses() -> [House; 3] {
    let hidden = |more: Value| {
        let mut room = json!({"id": UNSEEN, "name": "Hidden", "slug": "taken", "open": false});
        room.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        room
    };
    [
        House {
            items: json!([hidden(json!({}))]),
            pointing: ("bills", 1),
            names: ["bribes", "amount_paid", "worth"],
        },
        House {
            items: json!([
                hidden(json!({"name": "Another", "cipher": "taken"})),
                {"name": "More", "slug": "taken-2", "open": false},
            ]),
            pointing: ("rooms", 7),
            names: ["gifts", "given_to", "notes"],
        },
        House {
            items: json!([hidden(json!({"cipher": "other", "name": "taken"}))]),
            pointing: ("keys", 2),
            names: ["audits", "found", "aaa"],
        },
    ]
}

/// What is refused for something that is hidden: one bare denial.
async fn taken(said: &mut Transcript, who: &Client) {
    let room = format!("/items/rooms/{SEEN}");
    let fine = json!({"name": "New", "slug": "new-1"});
    for (method, path, body) in [
        ("POST", "/items/rooms", json!({"name": "x", "slug": "taken"})),
        (
            "POST",
            "/items/rooms?meta=receipt",
            json!([fine, {"slug": "taken"}]),
        ),
        (
            "POST",
            "/items/rooms",
            json!({"name": "x", "next": {"slug": "taken"}}),
        ),
        ("POST", "/items/rooms", json!({"id": UNSEEN, "name": "x"})),
        ("PATCH", &room, json!({"slug": "taken"})),
        (
            "PATCH",
            "/items/rooms",
            json!([{"id": SEEN, "name": "x"}, {"id": SEEN, "slug": "taken"}]),
        ),
        (
            "PATCH",
            "/items/rooms",
            json!({"query": {"filter": {"slug": "room-1"}}, "data": {"slug": "taken"}}),
        ),
        ("DELETE", &format!("{}3", &room[..room.len() - 1]), Value::Null),
        (
            "DELETE",
            "/items/rooms",
            json!([SEEN, format!("{}3", &SEEN[..35])]),
        ),
    ] {
        let refused = said.ask(who, method, path, body.clone()).await;
        let denied = refused.codes().iter().all(|code| *code == "FORBIDDEN");
        let in_use = method == "DELETE" && refused.codes() == ["INVALID_FOREIGN_KEY"];
        assert!(denied || in_use, "{method} {path} {body}: {}", refused.text);
        for hidden in ["bills", "keys", "cipher", "Hidden", "Another"] {
            assert!(
                !refused.text.contains(hidden),
                "{method} {path} {body}: {}",
                refused.text
            );
        }
    }
    for (action, rest) in [
        ("create", json!({"data": {"name": "x", "slug": "taken"}})),
        ("create", json!({"data": [fine, {"slug": "taken"}]})),
        ("update", json!({"keys": [SEEN], "data": {"slug": "taken"}})),
    ] {
        let mut arguments = rest;
        arguments["action"] = action.into();
        arguments["collection"] = "rooms".into();
        said.tool(who, "items", arguments).await;
    }
    // Nothing of it was done.
    said.ask(who, "GET", "/items/rooms?sort=id", Value::Null).await;
}

/// Keys of what is hidden and of what is nowhere; both are asked in every house.
async fn pointing(said: &mut Transcript, who: &Client) {
    let room = format!("/items/rooms/{SEEN}");
    for key in [UNSEEN, NOWHERE] {
        for (method, path, body) in [
            ("POST", "/items/rooms", json!({"name": "x", "next": key})),
            ("POST", "/items/rooms", json!([{"name": "x"}, {"next": key}])),
            ("PATCH", room.as_str(), json!({"next": key})),
            ("PATCH", &format!("/items/rooms/{key}"), json!({"name": "x"})),
            ("DELETE", &format!("/items/rooms/{key}"), Value::Null),
            ("GET", &format!("/items/rooms/{key}"), Value::Null),
        ] {
            let refused = said.ask(who, method, path, body.clone()).await;
            assert!(refused.status >= 400, "{method} {path} {body}: {}", refused.text);
        }
        let data = json!({"action": "update", "collection": "rooms", "keys": [SEEN], "data": {"next": key}});
        said.tool(who, "items", data).await;
    }
}

/// Names that are nearly those of what is hidden, and nearly those of what is not.
async fn named(said: &mut Transcript, who: &Client) {
    let room = format!("/items/rooms/{SEEN}");
    for name in ["bribe", "gift", "audit", "bill", "key", "room", "bills", "xyzzy"] {
        said.ask(who, "GET", &format!("/items/{name}"), Value::Null).await;
        said.ask(who, "POST", &format!("/items/{name}"), json!({"x": 1}))
            .await;
        said.ask(who, "GET", &format!("/fields/{name}"), Value::Null)
            .await;
        let read = json!({"action": "read", "collection": name});
        said.tool(who, "items", read).await;
        said.tool(who, "schema", json!({"keys": [name]})).await;
        said.tool(who, "changes", json!({"action": "list", "collection": name}))
            .await;
    }
    for name in ["ciphr", "wort", "note", "aa", "bils", "nam", "befor", "xyzzy"] {
        for query in [
            format!("fields={name}"),
            format!("sort=-{name}"),
            format!("filter[{name}][_eq]=1"),
            format!("fields=next.{name}"),
            format!("groupBy[]={name}&aggregate[count]=*"),
            format!("deep[{name}][_limit]=1"),
            format!("alias[x]={name}&fields=x"),
            format!("filter[$FOLLOW({name},room)][id][_null]=true"),
        ] {
            said.ask(who, "GET", &format!("/items/rooms?{query}"), Value::Null)
                .await;
        }
        let mut data = json!({"name": "x"});
        data[name] = "x".into();
        if name != "nam" {
            said.ask(who, "PATCH", &room, data.clone()).await;
        }
        let update = json!({"action": "update", "collection": "rooms", "keys": [SEEN], "data": data});
        said.tool(who, "items", update).await;
        let read =
            json!({"action": "read", "collection": "rooms", "query": {"fields": [name], "sort": [name]}});
        said.tool(who, "items", read).await;
    }
}

async fn told(app: &TestApp, who: &Client, channel: &str) -> Vec<String> {
    let mut said = Transcript::of(app);
    match channel {
        "taken" => taken(&mut said, who).await,
        "pointing" => pointing(&mut said, who).await,
        _ => named(&mut said, who).await,
    }
    said.lines
}

async fn alike(channel: &str, houses: &[House]) {
    let mut first: Option<Vec<String>> = None;
    for hidden in houses {
        let (app, editor) = house(hidden).await;
        let said = told(&app, &editor, channel).await;
        match &first {
            None => first = Some(said),
            Some(first) => assert_alike(channel, first, &said),
        }
    }
}

#[tokio::test]
async fn what_takes_a_value_or_is_in_the_way_is_not_told() {
    alike("taken", &houses()).await;
}

#[tokio::test]
async fn what_is_hidden_is_pointed_to_like_what_is_nowhere() {
    let [one, mut other, _] = houses();
    other.items = json!([{"name": "Hidden", "slug": "taken", "open": false}]);
    other.pointing = ("bills", 0);
    alike("pointing", &[one, other]).await;
}

#[tokio::test]
async fn no_suggestion_is_a_name_that_is_hidden() {
    alike("named", &houses()).await;
    let (app, editor) = house(&houses()[1]).await;
    let said = told(&app, &editor, "named").await.join("\n");
    for hidden in [
        "gifts",
        "given_to",
        "notes",
        "cipher",
        "mean `bills`",
        "mean \\\"bills",
    ] {
        assert!(
            !said.contains(hidden),
            "{hidden}: {}",
            said.lines()
                .find(|line| line.contains(hidden))
                .unwrap_or_default()
        );
    }
    // Those that may be known are suggested.
    assert!(said.contains("Did you mean") && said.contains("name"), "{said}");
}
