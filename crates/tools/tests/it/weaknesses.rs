//! What went wrong elsewhere, and goes right here.

use loggia_tools::Catalogue as _;
use serde_json::{Value, json};

use crate::fixture::{House, Rights, administrator, context, house, problems};

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
