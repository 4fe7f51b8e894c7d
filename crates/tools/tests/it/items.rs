//! The `items` tool.

use serde_json::{Value, json};

use crate::fixture::{House, house, problems};

async fn blog() -> House {
    let house = house().await;
    house.blog().await;
    house
}

fn on_posts(action: &str, more: Value) -> Value {
    let mut arguments = json!({"action": action, "collection": "posts"});
    for (name, value) in more.as_object().unwrap() {
        arguments[name] = value.clone();
    }
    arguments
}

#[tokio::test]
async fn a_write_answers_with_what_is_stored_and_a_receipt() {
    let house = blog().await;
    let data = json!({"title": "One", "views": "7"});
    let made = house
        .succeeds("items", on_posts("create", json!({"data": data})))
        .await;
    let row = &made["data"][0];
    assert_eq!(
        (&row["title"], &row["views"], &row["status"]),
        (&json!("One"), &json!(7), &json!("draft"))
    );
    // There are no pages of items yet that it could lead to.
    assert_eq!(made.get("url"), None);
    let receipt = &made["receipt"];
    assert_eq!(
        receipt["changed"],
        json!({"posts": {"created": 1, "updated": 0, "deleted": 0}})
    );
    assert!(receipt["applied"].to_string().contains("title"), "{receipt:#}");
    assert!(receipt["defaulted"].to_string().contains("draft"), "{receipt:#}");
    assert_eq!(receipt["coerced"][0]["to"], 7, "{receipt:#}");
}

#[tokio::test]
async fn many_are_created_with_one_call_and_shaped_by_fields() {
    let house = blog().await;
    let data = json!([{"title": "One", "author": {"name": "Ada"}}, {"title": "Two", "tags": [{"tags_id": {"name": "x"}}]}]);
    let query = json!({"fields": ["title", "author.name", "tags.tags_id.name"]});
    let made = house
        .succeeds("items", on_posts("create", json!({"data": data, "query": query})))
        .await;
    assert_eq!(
        made["data"],
        json!([
            {"title": "One", "author": {"name": "Ada"}, "tags": []},
            {"title": "Two", "author": null, "tags": [{"tags_id": {"name": "x"}}]},
        ])
    );
    for collection in ["posts", "authors", "tags", "posts_tags"] {
        assert!(
            made["receipt"]["changed"][collection]["created"].as_u64() >= Some(1),
            "{collection}"
        );
    }
}

#[tokio::test]
async fn data_keys_and_query_may_be_json_in_a_text() {
    let house = blog().await;
    let made = house
        .succeeds(
            "items",
            on_posts("create", json!({"data": "{\"title\": \"One\"}"})),
        )
        .await;
    let keys = format!("[{}]", made["data"][0]["id"]);
    let arguments = json!({"keys": keys, "query": "{\"fields\": [\"title\"]}"});
    assert_eq!(
        house.succeeds("items", on_posts("read", arguments)).await["data"],
        json!([{"title": "One"}])
    );
}

#[tokio::test]
async fn reads_are_filtered_sorted_searched_and_counted() {
    let house = blog().await;
    house.create("posts", json!([
        {"title": "Apples", "views": 3, "status": "published"}, {"title": "Pears", "views": 5}, {"title": "Plums", "views": 4},
    ])).await;
    let check = async |query: Value, expect: Value| {
        let read = house
            .succeeds("items", on_posts("read", json!({"query": query})))
            .await;
        assert_eq!(read["data"], expect, "{query}");
    };
    check(
        json!({"fields": ["title"], "filter": {"views": {"_gte": 4}}, "sort": ["-views"]}),
        json!([{"title": "Pears"}, {"title": "Plums"}]),
    )
    .await;
    check(
        json!({"fields": ["title"], "search": "pple"}),
        json!([{"title": "Apples"}]),
    )
    .await;
    let counted = json!({"aggregate": {"count": ["*"]}, "groupBy": ["status"], "sort": ["status"]});
    let read = house
        .succeeds("items", on_posts("read", json!({"query": counted})))
        .await;
    let figures: Vec<_> = read["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["status"].clone(), row["count"].to_string().replace('"', "")))
        .collect();
    assert_eq!(
        figures,
        [
            (json!("draft"), "2".to_owned()),
            (json!("published"), "1".to_owned())
        ]
    );
}

#[tokio::test]
async fn reading_by_key_says_what_is_missing() {
    let house = blog().await;
    let keys = house
        .create("posts", json!([{"title": "One"}, {"title": "Two"}]))
        .await;
    let arguments = json!({"keys": [keys[0], 999], "query": {"fields": ["title"]}});
    let read = house.succeeds("items", on_posts("read", arguments)).await;
    assert_eq!(read["data"], json!([{"title": "One"}]));
    assert_eq!(
        read["meta"],
        json!({"returned": 1, "truncated": false, "missing": ["999"]})
    );
    let read = house
        .succeeds("items", on_posts("read", json!({"keys": [keys[1]]})))
        .await;
    assert_eq!(read["meta"], json!({"returned": 1, "truncated": false}));
}

#[tokio::test]
async fn updates_by_keys_each_and_query() {
    let house = blog().await;
    let keys = house
        .create(
            "posts",
            json!([{"title": "One"}, {"title": "Two"}, {"title": "Three"}]),
        )
        .await;
    let arguments =
        json!({"keys": [keys[0]], "data": [{"views": 1}], "query": {"fields": ["title", "views"]}});
    let changed = house.succeeds("items", on_posts("update", arguments)).await;
    assert_eq!(changed["data"], json!([{"title": "One", "views": 1}]));
    let each = json!({"data": [{"id": keys[1], "views": 2}, {"id": keys[2], "views": 3}]});
    let changed = house.succeeds("items", on_posts("update", each)).await;
    assert_eq!(changed["receipt"]["changed"]["posts"]["updated"], 2);
    let by_query =
        json!({"query": {"filter": {"views": {"_gte": 2}}, "fields": ["title"]}, "data": {"views": 9}});
    let changed = house.succeeds("items", on_posts("update", by_query)).await;
    assert_eq!(changed["data"], json!([{"title": "Two"}, {"title": "Three"}]));
    assert_eq!(
        house.rows("posts", &["views"]).await,
        json!([{"views": 1}, {"views": 9}, {"views": 9}])
    );
}

#[tokio::test]
async fn deleting_takes_keys_and_names_what_went() {
    let house = blog().await;
    house.settings(json!({"mcp_allow_deletes": true})).await;
    let keys = house
        .create("posts", json!([{"title": "One"}, {"title": "Two"}]))
        .await;
    let gone = house
        .succeeds("items", on_posts("delete", json!({"keys": [keys[0]]})))
        .await;
    assert_eq!(gone["data"], json!([{"id": keys[0]}]));
    assert_eq!(gone["receipt"]["changed"]["posts"]["deleted"], 1);
    assert_eq!(house.rows("posts", &["title"]).await, json!([{"title": "Two"}]));
}

#[tokio::test]
async fn a_singleton_has_one_item_and_no_keys() {
    let house = house().await;
    house
        .succeeds(
            "collections",
            json!({"action": "create", "data": {
                "collection": "home", "meta": {"singleton": true}, "fields": [
                    {"field": "title", "type": "string", "schema": {"default_value": "Welcome"}},
                ],
            }}),
        )
        .await;
    let on_home = |action: &str, more: Value| {
        let mut arguments = on_posts(action, more);
        arguments["collection"] = "home".into();
        arguments
    };
    let read = house.succeeds("items", on_home("read", json!({}))).await;
    assert_eq!(read["data"][0]["title"], "Welcome");
    let changed = house
        .succeeds("items", on_home("update", json!({"data": {"title": "Hello"}})))
        .await;
    assert_eq!(changed["data"][0]["title"], "Hello");
    assert_eq!(
        house.succeeds("items", on_home("read", json!({}))).await["data"][0]["title"],
        "Hello"
    );
    let error = house
        .fails("items", on_home("create", json!({"data": {"title": "x"}})))
        .await;
    assert!(error["hint"].as_str().unwrap().contains("`update`"));
    for arguments in [
        on_home("read", json!({"keys": [1]})),
        on_home("update", json!({"keys": [1], "data": {}})),
    ] {
        assert_eq!(
            problems(&house.fails("items", arguments).await),
            ["INVALID_PAYLOAD keys"]
        );
    }
}

#[tokio::test]
async fn a_singleton_is_not_overwritten_unread() {
    let house = house().await;
    let made = json!({"collection": "home", "meta": {"singleton": true}, "fields": [
        {"field": "title", "type": "string"},
    ]});
    house
        .succeeds("collections", json!({"action": "create", "data": made}))
        .await;
    let on_home = |action: &str, more: Value| {
        let mut arguments = on_posts(action, more);
        arguments["collection"] = "home".into();
        arguments
    };
    let read = async || {
        let query = json!({"query": {"fields": ["title", "_rev"]}});
        house.succeeds("items", on_home("read", query)).await["data"][0].clone()
    };
    let update = |title: &str, rev: Value| on_home("update", json!({"data": {"title": title, "_rev": rev}}));
    assert_eq!(
        read().await,
        json!({"title": null, "_rev": "0"}),
        "it was never written"
    );
    let early = house.fails("items", update("A", json!("5f70bf18a0860070"))).await;
    assert_eq!(early["code"], "ITEM_CHANGED", "{early:#}");
    house.succeeds("items", update("A", json!("0"))).await;
    let late = house.fails("items", update("B", json!("0"))).await;
    assert_eq!(late["code"], "ITEM_CHANGED", "{late:#}");
    assert!(late.to_string().contains("title"), "{late:#}");
    let written = read().await;
    assert_eq!(written["title"], "A");
    house
        .succeeds("items", update("B", written["_rev"].clone()))
        .await;
    for wrong in [json!("new"), json!(2)] {
        let wrong = house.fails("items", update("C", wrong)).await;
        assert_eq!(problems(&wrong), ["INVALID_PAYLOAD data._rev"]);
    }
    assert_eq!(read().await["title"], "B");
}

#[tokio::test]
async fn wrong_companions_are_taught() {
    let house = blog().await;
    house.settings(json!({"mcp_allow_deletes": true})).await;
    let keys = house
        .create("posts", json!([{"title": "One"}, {"title": "Two"}]))
        .await;
    let check = async |action: &str, more: Value, expect: &[&str]| {
        let error = house.fails("items", on_posts(action, more.clone())).await;
        assert_eq!(problems(&error), expect, "{action} {more}: {error:#}");
        let hinted = error["hint"].is_string() || error["problems"][0]["hint"].is_string();
        assert!(hinted, "{error:#}");
    };
    check("create", json!({}), &["INVALID_PAYLOAD data"]).await;
    check(
        "create",
        json!({"data": [], "keys": [1]}),
        &["INVALID_PAYLOAD data", "INVALID_PAYLOAD keys"],
    )
    .await;
    check(
        "create",
        json!({"data": {"title": "x"}, "query": {"limit": 1}}),
        &["INVALID_QUERY query.limit"],
    )
    .await;
    check("read", json!({"data": {}}), &["INVALID_PAYLOAD data"]).await;
    check("update", json!({"keys": keys}), &["INVALID_PAYLOAD data"]).await;
    check(
        "update",
        json!({"data": {"title": "x"}}),
        &["INVALID_PAYLOAD data[0].id"],
    )
    .await;
    check(
        "update",
        json!({"data": {"title": "x"}, "query": {"filter": {}}, "keys": keys}),
        &["INVALID_PAYLOAD query.filter"],
    )
    .await;
    check(
        "update",
        json!({"data": [{"title": "x"}, {"title": "y"}], "keys": keys}),
        &["INVALID_PAYLOAD data"],
    )
    .await;
    check(
        "update",
        json!({"data": {"title": "x"}, "query": {"filter": {"id": 1}, "limit": 5}}),
        &["INVALID_QUERY query.limit"],
    )
    .await;
    check("delete", json!({}), &["INVALID_PAYLOAD keys"]).await;
    check("delete", json!({"keys": []}), &["INVALID_PAYLOAD keys"]).await;
    check(
        "delete",
        json!({"query": {"filter": {}}}),
        &["INVALID_PAYLOAD keys", "INVALID_PAYLOAD query"],
    )
    .await;
    assert_eq!(
        house.rows("posts", &["title"]).await,
        json!([{"title": "One"}, {"title": "Two"}])
    );
}

#[tokio::test]
async fn the_systems_own_collections_are_out_of_reach() {
    let house = house().await;
    for (collection, part) in [
        ("directus_users", "relations"),
        ("directus_fields", "`fields`"),
        ("loggia_tokens", "relations"),
    ] {
        let error = house
            .fails("items", json!({"action": "read", "collection": collection}))
            .await;
        assert_eq!(problems(&error), ["INVALID_PAYLOAD collection"]);
        assert!(error["hint"].as_str().unwrap().contains(part), "{error}");
    }
}

#[tokio::test]
async fn unknown_names_are_errors_that_name_the_nearest() {
    let house = blog().await;
    let check = async |arguments: Value, path: &str, near: &str| {
        let error = house.fails("items", arguments.clone()).await;
        assert!(problems(&error)[0].ends_with(path), "{arguments}: {error:#}");
        assert!(error.to_string().contains(near), "{arguments}: {error:#}");
    };
    let mut arguments = on_posts("read", json!({}));
    arguments["collection"] = "post".into();
    check(arguments, "collection", "`posts`").await;
    check(
        on_posts("read", json!({"query": {"fields": ["titel"]}})),
        "query.fields[0]",
        "title",
    )
    .await;
    check(
        on_posts("read", json!({"query": {"filter": {"titel": {"_eq": 1}}}})),
        "query.filter.titel",
        "title",
    )
    .await;
    check(
        on_posts("read", json!({"query": {"filter": {"title": {"_eqq": 1}}}})),
        "query.filter.title._eqq",
        "_eq",
    )
    .await;
    check(
        on_posts("read", json!({"query": {"sort": ["titel"]}})),
        "query.sort[0]",
        "title",
    )
    .await;
    check(
        on_posts("create", json!({"data": {"titel": "x", "title": "x"}})),
        "titel",
        "title",
    )
    .await;
    check(on_posts("read", json!({"limit": 1})), "limit", "`query`").await;
    check(on_posts("raed", json!({})), "action", "`read`").await;
}

#[tokio::test]
async fn no_keys_change_nothing_and_say_so() {
    let house = house().await;
    house.blog().await;
    house.create("posts", json!({"title": "One"})).await;
    for extra in [json!({}), json!({"query": {"filter": {"title": {"_eq": "One"}}}})] {
        let mut arguments =
            json!({"action": "update", "collection": "posts", "keys": [], "data": {"title": "Two"}});
        arguments
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        let error = house.fails("items", arguments).await;
        assert_eq!(problems(&error), ["INVALID_PAYLOAD keys"], "{error:#}");
        assert!(error["message"].as_str().unwrap().contains("empty"), "{error:#}");
    }
    assert_eq!(house.rows("posts", &["title"]).await, json!([{"title": "One"}]));
}

#[tokio::test]
async fn wrong_shapes_and_unknown_names_are_told_together() {
    let house = house().await;
    house.blog().await;
    let arguments = json!({"action": "update", "collection": "post", "data": 5, "query": {"limt": 1}});
    let error = house.fails("items", arguments).await;
    let mut found = problems(&error);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "FORBIDDEN collection",
            "INVALID_PAYLOAD data",
            "INVALID_PAYLOAD query.limt"
        ],
        "{error:#}"
    );
}

#[tokio::test]
async fn a_write_that_expects_an_older_revision_is_told_what_changed() {
    let house = house().await;
    house.settings(json!({"mcp_allow_deletes": true})).await;
    house.blog().await;
    house
        .create("posts", json!([{"title": "One"}, {"title": "Other"}]))
        .await;
    let read =
        json!({"action": "read", "collection": "posts", "keys": [1], "query": {"fields": ["id", "_rev"]}});
    let rev = house.succeeds("items", read).await["data"][0]["_rev"].clone();
    assert!(rev.is_string(), "{rev}");
    let update = |data: Value| json!({"action": "update", "collection": "posts", "data": data});
    house
        .succeeds("items", update(json!({"id": 1, "title": "Two", "_rev": rev})))
        .await;
    let mut by_key = update(json!({"title": "Three"}));
    (by_key["keys"], by_key["revs"]) = (json!([1]), json!({"1": rev}));
    let delete = json!({"action": "delete", "collection": "posts", "keys": [2, 1], "revs": {"1": rev}});
    for arguments in [
        update(json!({"id": 1, "title": "Three", "_rev": rev})),
        by_key,
        delete,
    ] {
        let error = house.fails("items", arguments.clone()).await;
        assert_eq!(error["code"], "ITEM_CHANGED", "{arguments}: {error:#}");
        assert!(error.to_string().contains("title"), "{arguments}: {error:#}");
    }
    assert_eq!(
        house.rows("posts", &["title"]).await,
        json!([{"title": "Two"}, {"title": "Other"}])
    );
    let foreign = json!({"action": "delete", "collection": "posts", "keys": [2], "revs": {"1": rev}});
    assert_eq!(
        problems(&house.fails("items", foreign).await),
        ["INVALID_PAYLOAD revs.1"]
    );
    let reading = json!({"action": "read", "collection": "posts", "keys": [1], "revs": {"1": rev}});
    assert_eq!(
        problems(&house.fails("items", reading).await),
        ["INVALID_PAYLOAD revs"]
    );
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_call_is_said_at_once() {
    let house = blog().await;
    let check = async |tool: &str, arguments: Value, expect: &[&str]| {
        let error = house.fails(tool, arguments.clone()).await;
        let mut found: Vec<_> = problems(&error)
            .iter()
            .map(|problem| problem.split_once(' ').unwrap().1.to_owned())
            .collect();
        found.sort_unstable();
        assert_eq!(found, expect, "{arguments}: {error:#}");
    };
    // The shape of one argument, the absence of another, and names.
    check(
        "items",
        json!({"action": "create", "collection": "postz", "max_tokens": "many", "dta": {}}),
        &["collection", "data", "dta", "max_tokens"],
    )
    .await;
    check(
        "items",
        json!({"action": "create", "collection": "posts", "data": [{"titel": "x"}, {"title": "x", "staus": "draft"}], "query": {"limt": 1}}),
        &["data[0].titel", "data[1].staus", "query.limt"],
    )
    .await;
    check(
        "items",
        json!({"action": "update", "collection": "posts", "keys": "1", "data": {"titel": "x", "_rev": 1}, "reson": ""}),
        &["data.titel", "keys", "reson"],
    )
    .await;
    check(
        "items",
        json!({"action": "read", "collection": "posts", "keys": 1, "query": {
            "fields": ["titel", "title", "t", "author.name", "count(tags)", "*"], "sort": ["-staus", "views"], "alias": {"t": "title"},
        }}),
        &["keys", "query.fields[0]", "query.sort[0]"],
    )
    .await;
    check(
        "changes",
        json!({"action": "list", "collection": "postz", "since": "soon", "limit": 0, "kys": []}),
        &["kys", "limit", "since"],
    )
    .await;
    check(
        "fields",
        json!({"action": "update", "collection": "posts", "data": [{"field": "titel"}, {"meta": 1}], "max": 1}),
        &["data[0].field", "data[1].field", "data[1].meta", "max"],
    )
    .await;
    check(
        "relations",
        json!({"action": "create", "collection": "posts", "field": "tag", "data": {"related_collection": "tagz", "met": {}}}),
        &["data.met", "data.related_collection"],
    )
    .await;
    check(
        "collections",
        json!({"action": "delete", "keys": ["posts"], "data": {}, "reason": 5}),
        &["action"],
    )
    .await;
    house.settings(json!({"mcp_allow_deletes": true})).await;
    check(
        "collections",
        json!({"action": "delete", "keys": ["posts", "postz"], "data": {}, "reason": 5}),
        &["data", "data.collection", "keys[1]", "reason"],
    )
    .await;
    assert_eq!(house.rows("posts", &["id"]).await, json!([]));
}
