//! The `changes` tool: what was changed, by whom, and taking it back.

use loggia_access::TokenMode;
use loggia_tools::CallContext;
use serde_json::{Value, json};

use crate::fixture::{House, Rights, administrator, context, house, problems};

async fn done(house: &House, context: &CallContext, tool: &str, arguments: Value) -> Value {
    let answer = house.call(context, tool, arguments.clone()).await;
    answer.unwrap_or_else(|error| panic!("{tool} {arguments}: {error:#}"))
}

/// The key of the change that a write of items made.
async fn write(house: &House, context: &CallContext, mut arguments: Value) -> String {
    arguments["collection"] = "posts".into();
    let answer = done(house, context, "items", arguments).await;
    answer["receipt"]["change"].as_str().unwrap().to_owned()
}

async fn listed(house: &House, context: &CallContext, mut arguments: Value) -> Vec<Value> {
    arguments["action"] = "list".into();
    let answer = done(house, context, "changes", arguments).await;
    answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].clone())
        .collect()
}

#[tokio::test]
async fn changes_are_listed_newest_first_and_narrowed() {
    let house = house().await;
    house.blog().await;
    let all = json!(["create", "read", "update"]);
    let user = house.user(json!([{"collection": "posts", "action": all}])).await;
    let first = write(
        &house,
        &administrator(),
        json!({"action": "create", "data": {"title": "One"}}),
    )
    .await;
    let second = write(
        &house,
        &user,
        json!({"action": "update", "keys": [1], "data": {"title": "Two"}, "reason": "It\u{202e} was wrong."}),
    )
    .await;
    let whole = done(
        &house,
        &administrator(),
        "changes",
        json!({"action": "list", "collection": "posts"}),
    )
    .await;
    let rows = whole["data"].as_array().unwrap();
    assert_eq!((&rows[0]["id"], &rows[1]["id"]), (&json!(second), &json!(first)));
    assert_eq!(rows[0]["title"], "It was wrong.");
    assert_eq!(rows[0]["tool"], "items");
    assert_eq!(rows[0]["counts"]["posts"]["updated"], 1);
    assert!(
        rows[0].get("hash").is_none() && rows[0].get("reverts").is_none(),
        "{whole:#}"
    );
    let check = async |arguments: Value, expect: &[&String]| {
        assert_eq!(
            listed(&house, &administrator(), arguments.clone()).await,
            json!(expect).as_array().unwrap().clone(),
            "{arguments}"
        );
    };
    check(json!({"collection": "posts", "item": 1}), &[&second, &first]).await;
    check(json!({"collection": "posts", "item": 2}), &[]).await;
    check(json!({"user": user.caller.user()}), &[&second]).await;
    check(
        json!({"collection": "posts", "until": "2000-01-01T00:00:00Z"}),
        &[],
    )
    .await;
    check(
        json!({"collection": "posts", "since": "2000-01-01T00:00:00Z", "limit": 1}),
        &[&second],
    )
    .await;
    check(json!({"client": "nobody"}), &[]).await;
    let page = done(
        &house,
        &administrator(),
        "changes",
        json!({"action": "list", "collection": "posts", "limit": 1}),
    )
    .await;
    assert_eq!(page["meta"]["truncated"], true);
    let cursor = &page["meta"]["next"]["cursor"];
    check(json!({"collection": "posts", "cursor": cursor}), &[&first]).await;
    // Others see their own.
    assert_eq!(listed(&house, &user, json!({})).await, [json!(second)]);
    assert_eq!(
        listed(&house, &user, json!({"user": "me"})).await,
        [json!(second)]
    );
    assert!(
        listed(
            &house,
            &user,
            json!({"token": "00000000-0000-4000-8000-00000000000f"})
        )
        .await
        .is_empty()
    );
}

#[tokio::test]
async fn long_lists_are_cut_and_continue() {
    let house = house().await;
    house.blog().await;
    for i in 0..30 {
        house.create("tags", json!({"name": format!("tag {i}")})).await;
    }
    let mut arguments = json!({"action": "list", "collection": "tags", "max_tokens": 500, "limit": 100});
    let mut seen = Vec::new();
    loop {
        let page = done(&house, &administrator(), "changes", arguments.clone()).await;
        assert!(page.to_string().len() / 4 <= 600, "{}", page.to_string().len());
        seen.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["id"].clone()),
        );
        match &page["meta"]["next"]["cursor"] {
            Value::Null => break,
            cursor => arguments["cursor"] = cursor.clone(),
        }
    }
    assert_eq!(seen.len(), 30);
    let data: Vec<_> = (0..25).map(|i| json!({"name": format!("more {i}")})).collect();
    let made = done(
        &house,
        &administrator(),
        "items",
        json!({"action": "create", "collection": "tags", "data": data}),
    )
    .await;
    let mut arguments = json!({"action": "diff", "keys": [made["receipt"]["change"]], "max_tokens": 400});
    let mut items = Vec::new();
    loop {
        let part = done(&house, &administrator(), "changes", arguments.clone()).await;
        items.extend(
            part["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["after"]["name"].clone()),
        );
        match &part["meta"]["next"]["cursor"] {
            Value::Null => break,
            cursor => arguments["cursor"] = cursor.clone(),
        }
    }
    let expect: Vec<_> = (0..25).map(|i| json!(format!("more {i}"))).collect();
    assert_eq!(items, expect);
}

#[tokio::test]
async fn a_diff_shows_each_item_before_and_after_as_far_as_it_may_be_read() {
    let house = house().await;
    house.blog().await;
    let user = house
        .user(json!([
            {"collection": "posts", "action": ["create", "update"]},
            {"collection": "posts", "action": "read", "fields": ["id", "title"]},
        ]))
        .await;
    write(
        &house,
        &administrator(),
        json!({"action": "create", "data": {"title": "One", "slug": "secret-slug"}}),
    )
    .await;
    let change = write(
        &house,
        &user,
        json!({"action": "update", "keys": [1], "data": {"title": "Two", "slug": "other-slug"}}),
    )
    .await;
    let diff = json!({"action": "diff", "keys": [change]});
    let whole = done(&house, &administrator(), "changes", diff.clone()).await;
    let item = &whole["data"][0];
    assert_eq!(
        (&item["collection"], &item["item"], &item["action"]),
        (&json!("posts"), &json!("1"), &json!("update"))
    );
    assert_eq!(
        (&item["before"]["title"], &item["after"]["title"]),
        (&json!("One"), &json!("Two"))
    );
    assert_eq!(item["before"]["slug"], "secret-slug");
    let narrowed = done(&house, &user, "changes", diff).await;
    assert_eq!(
        narrowed["data"][0]["after"],
        json!({"title": "Two"}),
        "{narrowed:#}"
    );
    assert!(!narrowed.to_string().contains("slug"), "{narrowed}");
}

#[tokio::test]
async fn changes_of_others_look_absent() {
    let house = house().await;
    house.blog().await;
    let all = json!(["create", "read", "update"]);
    let user = house.user(json!([{"collection": "posts", "action": all}])).await;
    let change = write(
        &house,
        &administrator(),
        json!({"action": "create", "data": {"title": "One"}}),
    )
    .await;
    let invented = "00000000-0000-4000-8000-00000000000f";
    for action in ["diff", "revert"] {
        let of = async |key: &str| {
            house
                .call(&user, "changes", json!({"action": action, "keys": [key]}))
                .await
                .unwrap_err()
        };
        let (real, absent) = (of(&change).await, of(invented).await);
        assert_eq!(real.to_string(), absent.to_string(), "{action}");
        assert_eq!(real["code"], "FORBIDDEN", "{action}");
    }
    let hidden = house
        .call(
            &user,
            "changes",
            json!({"action": "list", "collection": "authors"}),
        )
        .await
        .unwrap_err();
    let absent = house
        .call(
            &user,
            "changes",
            json!({"action": "list", "collection": "zuthors"}),
        )
        .await
        .unwrap_err();
    assert_eq!(
        hidden.to_string(),
        absent.to_string().replace("zuthors", "authors")
    );
}

#[tokio::test]
async fn who_writes_nothing_has_no_changes_to_see() {
    let house = house().await;
    house.blog().await;
    let reader = house
        .user(json!([{"collection": "posts", "action": "read"}]))
        .await;
    let writer = house
        .user(json!([{"collection": "posts", "action": ["read", "update"]}]))
        .await;
    assert!(!house.names(&reader).contains(&"changes".to_owned()));
    assert!(house.names(&writer).contains(&"changes".to_owned()));
    assert!(
        !house
            .names(&context(Rights::None, &[]))
            .contains(&"changes".to_owned())
    );
    let policy = house
        .policy(json!([{"collection": "posts", "action": "read"}]))
        .await;
    let layers: [&[&str]; 2] = [
        &writer
            .caller
            .claims()
            .policies
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        &[&policy],
    ];
    let narrowed = house.holder(&layers, Some(TokenMode::Direct)).await;
    let error = house
        .call(&narrowed, "changes", json!({"action": "list"}))
        .await
        .unwrap_err();
    assert_eq!(error["code"], "UNKNOWN_TOOL");
}

#[tokio::test]
async fn what_makes_no_sense_is_said() {
    let house = house().await;
    house.blog().await;
    let check = async |arguments: Value, expect: &[&str]| {
        let error = house.fails("changes", arguments.clone()).await;
        assert_eq!(problems(&error), expect, "{arguments}: {error:#}");
    };
    check(json!({"action": "diff"}), &["INVALID_PAYLOAD keys"]).await;
    check(json!({"action": "diff", "keys": []}), &["INVALID_PAYLOAD keys"]).await;
    check(
        json!({"action": "diff", "keys": ["a", "b"]}),
        &["INVALID_PAYLOAD keys"],
    )
    .await;
    check(json!({"action": "diff", "keys": ["a"]}), &["FORBIDDEN keys[0]"]).await;
    check(
        json!({"action": "list", "keys": ["a"]}),
        &["INVALID_PAYLOAD keys"],
    )
    .await;
    check(json!({"action": "list", "item": 1}), &["INVALID_PAYLOAD item"]).await;
    check(
        json!({"action": "list", "since": "yesterday", "until": "x"}),
        &["INVALID_PAYLOAD since", "INVALID_PAYLOAD until"],
    )
    .await;
    check(
        json!({"action": "list", "cursor": "x"}),
        &["INVALID_QUERY cursor"],
    )
    .await;
    check(json!({"action": "revert"}), &["INVALID_PAYLOAD keys"]).await;
    check(
        json!({"action": "revert", "tool": "items"}),
        &["INVALID_PAYLOAD since"],
    )
    .await;
    check(
        json!({"action": "revert", "since": "2026-01-01T00:00:00Z"}),
        &["INVALID_PAYLOAD token"],
    )
    .await;
    check(
        json!({"action": "revert", "since": "2026-01-01T00:00:00Z", "tool": "items", "keys": ["a"]}),
        &["INVALID_PAYLOAD keys"],
    )
    .await;
    check(
        json!({"action": "revert", "keys": ["a"], "limit": 1, "conflicts": "ask"}),
        &["INVALID_PAYLOAD conflicts", "INVALID_PAYLOAD limit"],
    )
    .await;
    check(
        json!({"action": "list", "everybody": true, "dry_run": true, "title": "x", "conflicts": "skip"}),
        &[
            "INVALID_PAYLOAD conflicts",
            "INVALID_PAYLOAD everybody",
            "INVALID_PAYLOAD dry_run",
            "INVALID_PAYLOAD title",
        ],
    )
    .await;
    check(
        json!({"action": "list", "token": "mine", "user": "me"}),
        &["INVALID_PAYLOAD token", "INVALID_PAYLOAD user"],
    )
    .await;
}

#[tokio::test]
async fn a_change_is_taken_back_and_so_is_that() {
    let house = house().await;
    house.blog().await;
    house
        .create("posts", json!([{"title": "One"}, {"title": "Other"}]))
        .await;
    let change = write(
        &house,
        &administrator(),
        json!({"action": "update", "keys": [1, 2], "data": {"title": "Two"}}),
    )
    .await;
    let titles = async || house.rows("posts", &["title"]).await;
    assert_eq!(titles().await, json!([{"title": "Two"}, {"title": "Two"}]));
    let back = done(
        &house,
        &administrator(),
        "changes",
        json!({"action": "revert", "keys": [change], "reason": "A mistake"}),
    )
    .await;
    assert_eq!(titles().await, json!([{"title": "One"}, {"title": "Other"}]));
    assert_eq!(back["data"], json!([{"id": change}]));
    assert_eq!(back["receipt"]["changed"]["posts"]["updated"], 2);
    let revert = &back["receipt"]["change"];
    let newest = done(
        &house,
        &administrator(),
        "changes",
        json!({"action": "list", "limit": 1}),
    )
    .await;
    assert_eq!(newest["data"][0]["id"], *revert);
    assert_eq!(newest["data"][0]["reverts"], json!(change));
    assert_eq!(newest["data"][0]["title"], "A mistake");
    done(
        &house,
        &administrator(),
        "changes",
        json!({"action": "revert", "keys": [revert]}),
    )
    .await;
    assert_eq!(titles().await, json!([{"title": "Two"}, {"title": "Two"}]));
}

#[tokio::test]
async fn what_changed_again_is_a_conflict_to_refuse_skip_or_force() {
    let house = house().await;
    house.blog().await;
    house
        .create("posts", json!([{"title": "One"}, {"title": "Other"}]))
        .await;
    let change = write(
        &house,
        &administrator(),
        json!({"action": "update", "keys": [1, 2], "data": {"title": "Two"}}),
    )
    .await;
    write(
        &house,
        &administrator(),
        json!({"action": "update", "keys": [1], "data": {"title": "Three"}}),
    )
    .await;
    let titles = async || house.rows("posts", &["title"]).await;
    let revert = json!({"action": "revert", "keys": [change]});
    let error = house.fails("changes", revert.clone()).await;
    assert_eq!(error["code"], "ITEM_CHANGED", "{error:#}");
    assert!(error.to_string().contains("title"), "{error:#}");
    assert_eq!(titles().await, json!([{"title": "Three"}, {"title": "Two"}]));
    let mut skip = revert.clone();
    skip["conflicts"] = "skip".into();
    let back = done(&house, &administrator(), "changes", skip).await;
    assert_eq!(titles().await, json!([{"title": "Three"}, {"title": "Other"}]));
    let conflict = &back["conflicts"][0];
    assert_eq!(
        (&conflict["collection"], &conflict["item"]),
        (&json!("posts"), &json!("1"))
    );
    let mut force = revert;
    force["conflicts"] = "force".into();
    done(&house, &administrator(), "changes", force).await;
    assert_eq!(titles().await, json!([{"title": "One"}, {"title": "Other"}]));
}

#[tokio::test]
async fn of_many_conflicts_the_first_are_shown_and_all_are_counted() {
    let house = house().await;
    house.blog().await;
    let posts: Vec<_> = (0..60).map(|_| json!({"title": "One"})).collect();
    house.create("posts", json!(posts)).await;
    let keys: Vec<_> = (1..=60).collect();
    let update = |title: &str| json!({"action": "update", "keys": keys, "data": {"title": title}});
    let change = write(&house, &administrator(), update("Two")).await;
    write(&house, &administrator(), update("Three")).await;
    let skip = json!({"action": "revert", "keys": [change], "conflicts": "skip"});
    let back = done(&house, &administrator(), "changes", skip).await;
    assert_eq!(back["conflicts"].as_array().unwrap().len(), 50);
    assert_eq!(back["meta"]["total_conflicts"], 60, "{}", back["meta"]);
    assert_eq!(back["meta"].get("total_not_restored"), None);
}

#[tokio::test]
async fn everything_that_a_token_did_since_a_moment_is_taken_back_at_once() {
    let house = house().await;
    house.blog().await;
    house.settings(json!({"mcp_allow_deletes": true})).await;
    let all = json!(["create", "read", "update", "delete"]);
    let policy = house
        .policy(json!([{"collection": "posts", "action": all}, {"collection": "tags", "action": all}]))
        .await;
    let robot = house.holder(&[&[&policy]], Some(TokenMode::Direct)).await;
    house
        .create(
            "posts",
            json!([{"title": "One", "status": "draft"}, {"title": "Other"}]),
        )
        .await;
    let before = (house.all("posts").await, house.all("tags").await);
    write(
        &house,
        &robot,
        json!({"action": "update", "keys": [1], "data": {"title": "Robot"}}),
    )
    .await;
    let data = json!({"title": "Robots", "status": "published"});
    write(
        &house,
        &robot,
        json!({"action": "update", "keys": [1], "data": data}),
    )
    .await;
    write(
        &house,
        &robot,
        json!({"action": "create", "data": {"title": "New"}}),
    )
    .await;
    write(&house, &robot, json!({"action": "delete", "keys": [2]})).await;
    let tag = json!({"action": "create", "collection": "tags", "data": {"name": "spam"}});
    done(&house, &robot, "items", tag).await;
    let back = json!({"action": "revert", "since": "2026-01-01T00:00:00Z", "token": "mine"});
    // The guard of deletes holds here as everywhere.
    house.settings(json!({"mcp_allow_deletes": false})).await;
    let error = house.call(&robot, "changes", back.clone()).await.unwrap_err();
    assert_eq!(error["code"], "DELETES_DISABLED", "{error:#}");
    assert_eq!(house.all("tags").await.len(), 1);
    house.settings(json!({"mcp_allow_deletes": true})).await;
    let back = done(&house, &robot, "changes", back).await;
    assert_eq!(
        (house.all("posts").await, house.all("tags").await),
        before,
        "{back:#}"
    );
    assert_eq!(back["data"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn by_collection_only_what_touched_it_is_taken_back() {
    let house = house().await;
    house.blog().await;
    house.settings(json!({"mcp_allow_deletes": true})).await;
    house.create("posts", json!({"title": "One"})).await;
    house.create("authors", json!({"name": "Ada"})).await;
    write(
        &house,
        &administrator(),
        json!({"action": "update", "keys": [1], "data": {"title": "Two"}}),
    )
    .await;
    let posts =
        json!({"action": "revert", "since": "2026-01-01T00:00:00Z", "collection": "posts", "tool": "items"});
    done(&house, &administrator(), "changes", posts).await;
    assert_eq!(house.rows("authors", &["name"]).await, json!([{"name": "Ada"}]));
    assert_eq!(
        house.rows("posts", &["title"]).await,
        json!([]),
        "its making was one of the changes"
    );
}

#[tokio::test]
async fn a_change_of_the_model_is_taken_back() {
    let house = house().await;
    house.blog().await;
    house.settings(json!({"mcp_allow_deletes": true})).await;
    house.create("posts", json!({"title": "One", "views": 7})).await;
    let before = house.succeeds("schema", json!({"keys": ["posts"]})).await;
    let gone = json!({"action": "delete", "collection": "posts", "field": "views"});
    let gone = house.succeeds("fields", gone).await;
    let back = json!({"action": "revert", "keys": [gone["receipt"]["change"]]});
    done(&house, &administrator(), "changes", back).await;
    let after = house.succeeds("schema", json!({"keys": ["posts"]})).await;
    assert_eq!(
        after["fields"]["posts"]["views"],
        before["fields"]["posts"]["views"]
    );
    assert_eq!(house.rows("posts", &["views"]).await, json!([{"views": 7}]));
}

#[tokio::test]
async fn who_only_reads_or_proposes_takes_nothing_back() {
    let house = house().await;
    house.blog().await;
    let policy = house
        .policy(json!([{"collection": "posts", "action": ["create", "read", "update"]}]))
        .await;
    let proposing = house.holder(&[&[&policy]], Some(TokenMode::Propose)).await;
    let mut reading = administrator();
    reading.narrowing = context(Rights::None, &[("read_only", "true")]).narrowing;
    let change = write(
        &house,
        &administrator(),
        json!({"action": "create", "data": {"title": "One"}}),
    )
    .await;
    for context in [&reading, &proposing] {
        let arguments = json!({"action": "revert", "keys": [change]});
        let error = house.call(context, "changes", arguments).await.unwrap_err();
        assert_eq!(problems(&error), ["FORBIDDEN action"], "{error:#}");
        done(&house, context, "changes", json!({"action": "list"})).await;
    }
    assert_eq!(house.rows("posts", &["title"]).await, json!([{"title": "One"}]));
}

#[tokio::test]
async fn the_words_of_rest_are_understood_as_well() {
    let house = house().await;
    house.blog().await;
    let all = json!(["create", "read", "update"]);
    let user = house.user(json!([{"collection": "posts", "action": all}])).await;
    house.create("posts", json!({"title": "One"})).await;
    let update = json!({"action": "update", "keys": [1], "data": {"title": "Two"}});
    let change = write(&house, &user, update).await;
    for arguments in [
        json!({"user": "me"}),
        json!({"user": "mine", "since": "2000-01-31", "origin": "mcp"}),
        json!({"until": "2100-01-01", "collection": "posts", "item": "1"}),
    ] {
        assert_eq!(
            listed(&house, &user, arguments.clone()).await,
            [json!(change)],
            "{arguments}"
        );
    }
    assert!(
        listed(&house, &user, json!({"request": "nobody"}))
            .await
            .is_empty()
    );
    let diff = done(
        &house,
        &user,
        "changes",
        json!({"action": "diff", "changes": [change]}),
    )
    .await;
    assert_eq!(diff["data"][0]["item"], "1");
    let dry = json!({"action": "revert", "changes": [change], "dry_run": true});
    let told = house.call(&administrator(), "changes", dry).await.unwrap();
    assert_eq!(told["receipt"]["changed"]["posts"]["updated"], 1, "{told:#}");
    assert_eq!(house.rows("posts", &["title"]).await, json!([{"title": "Two"}]));
    // Of everybody, only when that is said.
    let all = json!({"action": "revert", "since": "2000-01-31", "everybody": true, "dry_run": true, "user": user.caller.user()});
    let told = house.call(&administrator(), "changes", all).await.unwrap();
    assert_eq!(told["data"], json!([{"id": change}]), "{told:#}");
    let said = json!({"action": "revert", "since": "2000-01-31"});
    let error = house.call(&administrator(), "changes", said).await.unwrap_err();
    assert!(error["hint"].as_str().unwrap().contains("everybody"), "{error:#}");
}

#[tokio::test]
async fn what_is_not_restored_is_told_as_rest_tells_it() {
    let house = house().await;
    house.blog().await;
    let quiet = json!({"meta": {"accountability": "activity"}});
    let quiet = house
        .engine
        .update_collection(&administrator().caller, "posts", quiet)
        .await;
    quiet.unwrap();
    let change = write(
        &house,
        &administrator(),
        json!({"action": "create", "data": {"title": "One"}}),
    )
    .await;
    let refused = house
        .call(
            &administrator(),
            "changes",
            json!({"action": "revert", "keys": [change]}),
        )
        .await
        .unwrap_err();
    assert_eq!(refused["code"], "UNPROCESSABLE_CONTENT", "{refused:#}");
    let forced = json!({"action": "revert", "keys": [change], "conflicts": "force"});
    let forced = done(&house, &administrator(), "changes", forced).await;
    let lost = &forced["not_restored"][0];
    assert_eq!(
        (
            &lost["change"],
            &lost["collection"],
            &lost["item"],
            &lost["items"]
        ),
        (&json!(change), &json!("posts"), &json!("1"), &json!(1))
    );
}

#[tokio::test]
async fn definitions_in_a_diff_say_only_what_people_see() {
    let house = house().await;
    house.blog().await;
    let hidden = |text: &str| format!("{text}\u{200b}\u{e0041}\n\u{202e}");
    let long = "x".repeat(1_000);
    let note = json!({"action": "update", "data": {"collection": "posts", "meta": {
        "note": hidden(&format!("Read this.{long}")),
        "translations": [{"language": "de", "translation": hidden("Beitrag")}],
    }}});
    let collection = done(&house, &administrator(), "collections", note).await;
    let field = json!({"action": "update", "collection": "posts", "data": {
        "field": "title", "meta": {"note": hidden("Short."), "validation_message": hidden("No."),
            "options": {"placeholder": hidden("p"), "choices": [{"text": hidden("A"), "value": hidden("a")}]}},
        "schema": {"default_value": hidden("d")},
    }});
    let field = done(&house, &administrator(), "fields", field).await;
    let exact = write(
        &house,
        &administrator(),
        json!({"action": "create", "data": {"title": hidden("a")}}),
    )
    .await;
    let diff = async |change: &Value| {
        let diff = json!({"action": "diff", "keys": [change]});
        done(&house, &administrator(), "changes", diff).await["data"][0].clone()
    };
    let item = diff(&collection["receipt"]["change"]).await;
    let meta = &item["after"]["meta"];
    let shown = meta["note"].as_str().unwrap();
    assert!(
        shown.starts_with("Read this.xxx") && shown.ends_with("x…"),
        "{item:#}"
    );
    assert_eq!(shown.chars().count(), 240);
    assert_eq!(
        meta["translations"],
        json!([{"language": "de", "translation": "Beitrag"}])
    );
    let item = diff(&field["receipt"]["change"]).await;
    let meta = &item["after"]["meta"];
    assert_eq!(
        (&meta["note"], &meta["validation_message"]),
        (&json!("Short."), &json!("No."))
    );
    // What stands on several lines keeps them, and values stay what they are.
    assert_eq!(
        meta["options"],
        json!({"placeholder": "p\n", "choices": [{"text": "A\n", "value": hidden("a")}]})
    );
    assert_eq!(item["after"]["schema"]["default_value"], hidden("d"));
    // So do items.
    assert_eq!(diff(&exact.into()).await["after"]["title"], hidden("a"));
}
