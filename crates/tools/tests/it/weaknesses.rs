//! What went wrong elsewhere, and goes right here.

use loggia_access::TokenMode;
use loggia_tools::{CallContext, Catalogue as _};
use serde_json::{Value, json};

use crate::fixture::{House, Rights, administrator, context, house, problems};
use crate::help_desk::help_desk;

async fn blog() -> House {
    let house = house().await;
    house.blog().await;
    house
}

#[tokio::test]
async fn an_update_by_query_reaches_every_match_and_says_how_many() {
    let house = blog().await;
    let posts: Vec<Value> = (0..250).map(|i| json!({"title": format!("Post {i}")})).collect();
    house.create("posts", json!(posts)).await;
    let arguments = json!({"action": "update", "collection": "posts", "query": {"filter": {"status": {"_eq": "draft"}}}, "data": {"status": "published"}});
    let changed = house.succeeds("items", arguments).await;
    assert_eq!(changed["receipt"]["changed"]["posts"]["updated"], 250);
    assert_eq!(
        (&changed["meta"]["truncated"], &changed["meta"]["total"]),
        (&json!(true), &json!(250))
    );
    let left = json!({"aggregate": {"count": ["*"]}, "filter": {"status": {"_eq": "draft"}}});
    let left = house
        .succeeds(
            "items",
            json!({"action": "read", "collection": "posts", "query": left}),
        )
        .await;
    assert_eq!(left["data"][0]["count"].to_string().replace('"', ""), "0");
}

#[tokio::test]
async fn an_update_without_keys_and_query_changes_nothing() {
    let house = blog().await;
    house
        .create("posts", json!([{"title": "One"}, {"title": "Two"}]))
        .await;
    for query in [
        json!({}),
        json!({"filter": {}}),
        json!({"filter": null}),
        json!({"fields": ["id"]}),
    ] {
        let arguments =
            json!({"action": "update", "collection": "posts", "query": query, "data": {"title": "x"}});
        let error = house.fails("items", arguments).await;
        assert!(error.to_string().contains("query.filter"), "{query}: {error:#}");
    }
    assert_eq!(
        house.rows("posts", &["title"]).await,
        json!([{"title": "One"}, {"title": "Two"}])
    );
}

#[tokio::test]
async fn with_deletes_off_nothing_disappears_at_any_depth() {
    let house = blog().await;
    let arguments = json!({"action": "update", "collection": "posts", "field": "author", "data": {"meta": {"one_deselect_action": "delete"}}});
    house.succeeds("relations", arguments).await;
    let author = house
        .create(
            "authors",
            json!({"name": "Ada", "posts": [{"title": "One"}, {"title": "Two"}]}),
        )
        .await
        .remove(0);
    let posts = house.rows("posts", &["id", "title"]).await;
    let key = posts[0]["id"].clone();
    for data in [
        json!({"posts": []}),
        json!({"posts": [{"id": key}]}),
        json!({"posts": {"create": [], "update": [], "delete": [key]}}),
        json!({"posts": {"delete": [key]}, "name": "Changed"}),
    ] {
        let arguments = json!({"action": "update", "collection": "authors", "keys": [author], "data": data});
        let error = house.fails("items", arguments).await;
        assert!(
            error.to_string().contains("DELETES_DISABLED"),
            "{data}: {error:#}"
        );
    }
    let by_query = json!({"action": "update", "collection": "authors", "query": {"filter": {"name": {"_eq": "Ada"}}}, "data": {"posts": []}});
    assert!(
        house
            .fails("items", by_query)
            .await
            .to_string()
            .contains("DELETES_DISABLED")
    );
    for (tool, arguments) in [
        (
            "items",
            json!({"action": "delete", "collection": "posts", "keys": [key]}),
        ),
        ("collections", json!({"action": "delete", "keys": ["posts"]})),
        (
            "fields",
            json!({"action": "delete", "collection": "posts", "field": "title"}),
        ),
        (
            "relations",
            json!({"action": "delete", "collection": "posts", "field": "author"}),
        ),
    ] {
        assert_eq!(
            house.fails(tool, arguments).await["code"],
            "DELETES_DISABLED",
            "{tool}"
        );
    }
    assert_eq!(house.rows("posts", &["id", "title"]).await, posts);
    assert_eq!(house.rows("authors", &["name"]).await, json!([{"name": "Ada"}]));
}

#[tokio::test]
async fn keys_that_do_not_exist_are_errors() {
    let house = blog().await;
    house.settings(json!({"mcp_allow_deletes": true})).await;
    let key = house.create("posts", json!({"title": "One"})).await.remove(0);
    for arguments in [
        json!({"action": "delete", "collection": "posts", "keys": [key, 999]}),
        json!({"action": "update", "collection": "posts", "keys": [key, 999], "data": {"title": "x"}}),
        json!({"action": "update", "collection": "posts", "data": [{"id": key, "title": "x"}, {"id": 999, "title": "x"}]}),
    ] {
        let error = house.fails("items", arguments.clone()).await;
        assert_eq!(error["code"], "FORBIDDEN", "{arguments}: {error:#}");
    }
    assert_eq!(house.rows("posts", &["title"]).await, json!([{"title": "One"}]));
}

#[tokio::test]
async fn unknown_fields_required_values_choices_and_types_are_enforced_all_at_once() {
    let house = blog().await;
    let data = json!([{"titel": "x", "status": "publish", "views": 1.5}, {"title": "y".repeat(81), "views": "many"}]);
    let error = house
        .fails(
            "items",
            json!({"action": "create", "collection": "posts", "data": data}),
        )
        .await;
    let found = problems(&error).join("\n");
    for path in [
        "[0].titel",
        "[0].title",
        "[0].status",
        "[0].views",
        "[1].title",
        "[1].views",
    ] {
        assert!(found.contains(&format!("data{path}")), "{path}: {error:#}");
    }
    assert!(error.to_string().contains("published"), "{error:#}");
    assert_eq!(house.rows("posts", &["id"]).await, json!([]));
}

#[tokio::test]
async fn what_is_listed_works_for_somebody_without_app_access() {
    let house = blog().await;
    let nobody = context(Rights::None, &[]);
    for tool in house.names(&nobody) {
        house.call(&nobody, &tool, json!({})).await.unwrap();
    }
    let public = house.names(&context(Rights::None, &[("read_only", "true")]));
    assert_eq!(public, ["system-prompt"]);
}

#[tokio::test]
async fn what_the_published_schemas_allow_is_accepted() {
    let house = blog().await;
    for (tool, arguments) in [
        (
            "collections",
            json!({"action": "create", "data": [{"collection": "plain"}]}),
        ),
        (
            "collections",
            json!({"action": "create", "data": [{"collection": "box", "schema": null, "meta": null}]}),
        ),
        (
            "collections",
            json!({"action": "update", "data": [{"collection": "plain", "meta": {"group": null}}]}),
        ),
        (
            "fields",
            json!({"action": "create", "collection": "plain", "data": [{"field": "name", "type": "string"}]}),
        ),
        (
            "fields",
            json!({"action": "update", "collection": "plain", "data": [{"field": "name", "meta": {"group": null}}]}),
        ),
        (
            "relations",
            json!({"action": "create", "collection": "plain", "field": "tag", "data": {"related_collection": "tags"}}),
        ),
        (
            "items",
            json!({"action": "create", "collection": "plain", "data": [{"name": null}]}),
        ),
        (
            "items",
            json!({"action": "read", "collection": "plain", "keys": ["1"], "query": null, "max_tokens": null}),
        ),
    ] {
        let listing = house.tools.list(&administrator());
        let schema = listing.find(tool).unwrap().input_schema.clone();
        let given: Value = arguments
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let nulls_inside = given["data"].to_string().contains("null");
        assert!(
            nulls_inside || jsonschema::is_valid(&schema, &given),
            "{tool} {arguments}"
        );
        house.succeeds(tool, arguments).await;
    }
}

#[tokio::test]
async fn count_distinct_counts_what_is_distinct() {
    let house = blog().await;
    house
        .create(
            "posts",
            json!([{"title": "a", "views": 1}, {"title": "b", "views": 1}, {"title": "c", "views": 2}]),
        )
        .await;
    let query = json!({"aggregate": {"countDistinct": ["views"]}});
    let read = house
        .succeeds(
            "items",
            json!({"action": "read", "collection": "posts", "query": query}),
        )
        .await;
    assert_eq!(read["meta"]["returned"], 1);
    assert_eq!(
        read["data"][0]["countDistinct"]["views"]
            .to_string()
            .replace('"', ""),
        "2"
    );
    let wrong =
        json!({"action": "read", "collection": "posts", "query": {"aggregate": {"countUnique": ["views"]}}});
    assert_eq!(
        problems(&house.fails("items", wrong).await),
        ["INVALID_PAYLOAD query.aggregate.countUnique"]
    );
}

#[tokio::test]
async fn no_read_is_larger_than_its_bounds() {
    let house = blog().await;
    let posts: Vec<Value> = (0..1_000)
        .map(|i| json!({"title": format!("Post {i}"), "content": "text ".repeat(200)}))
        .collect();
    house.create("posts", json!(posts)).await;
    let query = json!({"limit": -1});
    let read = house
        .succeeds(
            "items",
            json!({"action": "read", "collection": "posts", "query": query}),
        )
        .await;
    assert!(read.to_string().len() / 4 <= 20_000, "{}", read.to_string().len());
    assert_eq!(
        (&read["meta"]["truncated"], &read["meta"]["total"]),
        (&json!(true), &json!(1_000))
    );
    assert_eq!(read["meta"]["next"]["query"]["offset"], read["meta"]["returned"]);
}

#[tokio::test]
async fn no_words_of_the_database_reach_a_client() {
    let house = blog().await;
    let author = house.create("authors", json!({"name": "Ada"})).await.remove(0);
    house
        .create("posts", json!({"title": "One", "slug": "one", "author": author}))
        .await;
    let post = |data: Value| json!({"action": "create", "collection": "posts", "data": data});
    for (arguments, code) in [
        (post(json!({"title": "Two", "slug": "one"})), "RECORD_NOT_UNIQUE"),
        (
            post(json!({"title": "Two", "author": 999})),
            "INVALID_FOREIGN_KEY",
        ),
        (post(json!({"title": null})), ""),
        (post(json!({"title": "Two", "views": 99_999_999_999_i64})), ""),
        (
            json!({"action": "read", "collection": "posts; DROP TABLE posts"}),
            "FORBIDDEN",
        ),
        (
            json!({"action": "read", "collection": "posts", "query": {"sort": ["title; --"]}}),
            "",
        ),
    ] {
        let error = house.fails("items", arguments.clone()).await.to_string();
        assert!(error.contains(code), "{arguments}: {error}");
        for word in [
            "CREATE TABLE",
            "SELECT ",
            "INSERT ",
            "sqlite",
            "SQLITE",
            "constraint failed",
            "rusqlite",
            ".rs:",
        ] {
            assert!(!error.contains(word), "{word}: {error}");
        }
    }
    assert_eq!(house.rows("posts", &["title"]).await, json!([{"title": "One"}]));
}

#[tokio::test]
async fn taking_back_deletes_nothing_while_deletes_are_off() {
    let house = blog().await;
    house.create("posts", json!([{"title": "One"}])).await;
    let listed = house
        .succeeds("changes", json!({"action": "list", "limit": 1}))
        .await;
    let key = listed["data"][0]["id"].clone();
    let error = house
        .fails("changes", json!({"action": "revert", "keys": [key]}))
        .await;
    assert!(error.to_string().contains("DELETES_DISABLED"), "{error:#}");
    assert_eq!(house.rows("posts", &["title"]).await, json!([{"title": "One"}]));
}

#[tokio::test]
async fn every_listed_tool_works_for_whoever_sees_it() {
    let house = help_desk().await;
    let mut kinds = vec![context(Rights::None, &[]), administrator()];
    for action in ["create", "read", "update", "delete"] {
        kinds.push(
            house
                .user(json!([{"collection": "tickets", "action": action, "fields": ["id", "title"]}]))
                .await,
        );
    }
    for kind in &kinds {
        for tool in house.names(kind) {
            let calls = match tool.as_str() {
                "schema" if house.names(kind).contains(&"items".to_owned()) => {
                    vec![json!({}), json!({"keys": ["tickets"]})]
                }
                "changes" => vec![json!({"action": "list"})],
                "collections" | "fields" | "relations" => vec![json!({"action": "read"})],
                // What it can do depends on the caller, and is tried below.
                "items" => vec![],
                _ => vec![json!({})],
            };
            for arguments in calls {
                let answer = house.call(kind, &tool, arguments.clone()).await;
                assert!(answer.is_ok(), "{tool} {arguments}: {answer:?}");
            }
        }
    }
    for kind in &kinds[2..] {
        let listing = house.tools.list(kind);
        let actions = listing.find("items").unwrap().input_schema["properties"]["action"]["enum"].clone();
        for action in actions.as_array().unwrap() {
            let mut arguments = json!({"action": action, "collection": "tickets"});
            if action != "create" {
                arguments["keys"] = json!([1]);
            }
            if action == "create" || action == "update" {
                arguments["data"] = json!({"title": "x"});
            }
            let answer = house.call(kind, "items", arguments).await;
            assert!(answer.is_ok(), "{action}: {answer:?}");
        }
    }
}

/// Documents in languages, with an owner and a private remark.
async fn documents(permissions: Value) -> (House, CallContext) {
    let house = house().await;
    let text = |name: &str| json!({"field": name, "type": "string"});
    let fields = json!([
        text("title"), text("locale"), text("status"), text("private"),
        {"field": "owner", "type": "uuid", "meta": {"special": ["user-created"]}},
    ]);
    let data = json!({"collection": "documents", "fields": fields});
    house
        .succeeds("collections", json!({"action": "create", "data": data}))
        .await;
    house
        .relate("documents", "owner", "directus_users", json!({}))
        .await;
    let chief = house
        .stored(
            "directus_users",
            json!([{"email": "chief@cms.test", "first_name": "Chief"}]),
        )
        .await;
    let user = house.user(permissions).await;
    let me = user.caller.user().unwrap();
    let rows = json!([
        {"title": "mine", "locale": "fr", "status": "draft", "private": "b", "owner": me},
        {"title": "theirs", "locale": "en", "status": "draft", "private": "a", "owner": chief[0]},
    ]);
    house.create("documents", rows).await;
    (house, user)
}

fn on_documents(action: &str, more: &Value) -> Value {
    let mut arguments = json!({"action": action, "collection": "documents"});
    arguments
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    arguments
}

#[tokio::test]
async fn leaving_out_the_locale_opens_no_other_one() {
    let french =
        json!([{"collection": "documents", "action": ["create", "read", "update"], "locales": ["fr"]}]);
    let (house, user) = documents(french).await;
    let create = |data: Value| on_documents("create", &json!({"data": data}));
    let made = house
        .call(&user, "items", create(json!({"title": "New"})))
        .await
        .unwrap();
    assert_eq!(made["data"][0]["locale"], "fr", "{made:#}");
    for arguments in [
        create(json!({"title": "New", "locale": "en"})),
        create(json!({"title": "New", "locale": null})),
        create(json!([{"title": "New"}, {"title": "New", "locale": "en"}])),
        on_documents("update", &json!({"keys": [1], "data": {"locale": "en"}})),
        on_documents("update", &json!({"keys": [2], "data": {"title": "x"}})),
        on_documents("update", &json!({"data": [{"id": 2, "locale": "fr"}]})),
    ] {
        let answer = house.call(&user, "items", arguments.clone()).await;
        assert!(answer.is_err(), "{arguments}: {answer:?}");
    }
    let stored = house.rows("documents", &["title", "locale"]).await;
    assert_eq!(
        stored,
        json!([
            {"title": "mine", "locale": "fr"}, {"title": "theirs", "locale": "en"}, {"title": "New", "locale": "fr"},
        ])
    );
}

#[tokio::test]
async fn nothing_is_sorted_by_what_may_not_be_read_in_any_notation() {
    let titles = json!([{"collection": "documents", "action": "read", "fields": ["title", "owner"]}]);
    let (house, user) = documents(titles).await;
    for sort in [
        json!(["private"]),
        json!(["-private"]),
        json!("private"),
        json!("title,-private"),
        json!(["owner.email"]),
        json!(["-owner.first_name"]),
        json!(["count(private)"]),
        json!(["private:desc"]),
    ] {
        let said = async |name: &str| {
            let text = sort.to_string().replace("private", name);
            let query = format!("{{\"sort\": {text}}}");
            let answer = house
                .call(&user, "items", on_documents("read", &json!({"query": query})))
                .await;
            answer.map_err(|error| error.to_string().replace(name, "THAT"))
        };
        let denied = said("private").await;
        assert!(denied.is_err(), "{sort}: {denied:?}");
        assert_eq!(denied, said("privats").await, "{sort}");
    }
    let deep = on_documents(
        "read",
        &json!({"query": {"fields": ["owner.*"], "deep": {"owner": {"_sort": ["email"]}}}}),
    );
    assert!(house.call(&user, "items", deep).await.is_err());
}

#[tokio::test]
async fn who_may_publish_only_their_own_documents_publishes_those_also_by_token() {
    let own = json!({"owner": {"_eq": "$CURRENT_USER"}});
    let permissions = json!([
        {"collection": "documents", "action": "read"},
        {"collection": "documents", "action": "update", "fields": ["status"], "permissions": own},
    ]);
    let (house, user) = documents(permissions.clone()).await;
    let policy = house.policy(permissions).await;
    let key = user.caller.user().unwrap().to_owned();
    let publish = |key: i64| on_documents("update", &json!({"keys": [key], "data": {"status": "published"}}));
    let by_token = house.holder_of(&key, &[&[&policy], &[&policy]], Some(TokenMode::Direct));
    for caller in [&user, &by_token] {
        let draft = on_documents("update", &json!({"keys": [1], "data": {"status": "draft"}}));
        house.call(caller, "items", draft).await.unwrap();
        house.call(caller, "items", publish(1)).await.unwrap();
        let refused = house.call(caller, "items", publish(2)).await.unwrap_err();
        let absent = house.call(caller, "items", publish(9)).await.unwrap_err();
        assert_eq!(refused.to_string().replace('2', "9"), absent.to_string());
    }
    let stored = house.rows("documents", &["status"]).await;
    assert_eq!(stored, json!([{"status": "published"}, {"status": "draft"}]));
}

#[tokio::test]
async fn a_condition_that_is_not_understood_opens_nothing() {
    let (house, _) = documents(json!([])).await;
    let policy = house.policy(json!([])).await;
    let row = |condition: Value| json!({"policy": policy, "collection": "documents", "action": "read", "fields": ["*"], "permissions": condition});
    let options = loggia_engine::items::WriteOptions::default();
    for condition in [
        json!({"owner": {"_is_mine": true}}),
        json!({"ownr": {"_eq": "$CURRENT_USER"}}),
        json!({"owner": {"_eq": "$CURRENT_USR"}}),
        json!("own"),
    ] {
        let rows = vec![row(condition.clone()).as_object().unwrap().clone()];
        let admin = crate::fixture::caller(Rights::Administrator);
        let made = house
            .engine
            .create_items(&admin, "directus_permissions", rows, &options)
            .await;
        assert!(made.is_err(), "{condition}");
    }
    // One whose field goes away afterwards grants nothing from then on.
    house
        .stored(
            "directus_permissions",
            json!([row(json!({"private": {"_eq": "a"}}))]),
        )
        .await;
    let user = house.holder(&[&[&policy]], None).await;
    let read = on_documents("read", &json!({}));
    assert_eq!(
        house.call(&user, "items", read.clone()).await.unwrap()["meta"]["returned"],
        1
    );
    house.settings(json!({"mcp_allow_deletes": true})).await;
    let gone = json!({"action": "delete", "collection": "documents", "field": "private"});
    house.succeeds("fields", gone).await;
    let error = house.call(&user, "items", read).await.unwrap_err();
    assert_eq!(error["code"], "UNKNOWN_TOOL", "{error:#}");
    assert_eq!(house.names(&user), ["system-prompt"]);
}

#[tokio::test]
async fn private_fields_and_addresses_of_people_are_in_no_answer() {
    let some = json!([{"collection": "documents", "action": ["create", "read", "update"], "fields": ["title", "owner"]}]);
    let (house, user) = documents(some).await;
    let query = |query: Value| json!({"query": query});
    for (arguments, answers) in [
        (on_documents("read", &json!({})), true),
        (
            on_documents("read", &query(json!({"fields": ["*", "owner"]}))),
            true,
        ),
        (on_documents("read", &query(json!({"fields": ["*.*.*"]}))), true),
        (
            on_documents("read", &query(json!({"fields": ["owner.email"]}))),
            false,
        ),
        (
            on_documents("read", &query(json!({"fields": ["private"]}))),
            false,
        ),
        (on_documents("read", &query(json!({"search": "chief"}))), true),
        (
            on_documents(
                "update",
                &json!({"keys": [2], "data": {"title": "x"}, "query": {"fields": ["*.*"]}}),
            ),
            true,
        ),
        (on_documents("create", &json!({"data": {"title": "x"}})), true),
    ] {
        let answer = house.call(&user, "items", arguments.clone()).await;
        assert_eq!(answer.is_ok(), answers, "{arguments}: {answer:?}");
        let text = format!("{answer:?}");
        for hidden in ["chief@", "Chief", "cms.test\"", "String(\"a\")", "String(\"b\")"] {
            assert!(!text.contains(hidden), "{arguments}: {hidden} in {text}");
        }
        assert!(
            answer.is_err() || !text.contains("private"),
            "{arguments}: {text}"
        );
    }
}
