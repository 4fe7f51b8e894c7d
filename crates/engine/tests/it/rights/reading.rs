//! What callers with permissions read: rows, fields and relations; and that nothing else can be told from what is not
//! there.

use serde_json::{Value, json};

use super::desk::{desk, words};
use crate::fixture::{holder, nobody, policy, refused};
use crate::items::newspaper::newspaper;
use loggia_model::Query;

/// Published articles with some fields, drafts with their title, and nothing of their authors.
fn reader() -> Value {
    json!([
        {"collection": "articles", "action": "read", "fields": ["title", "status", "author"],
         "permissions": {"status": {"_eq": "published"}}},
        {"collection": "articles", "action": "read", "fields": ["title", "views"],
         "permissions": {"views": {"_lt": 15}}},
    ])
}

#[tokio::test]
async fn items_add_up_and_fields_show_where_a_permission_that_grants_them_holds() {
    let desk = desk(reader()).await;
    let rows = desk.rows("articles", json!({"sort": ["id"]})).await;
    let expect = json!([
        {"id": 1, "title": "Alpha", "status": "published", "views": 10, "author": 1},
        {"id": 3, "title": "Gamma", "status": "published", "views": null, "author": 2},
        {"id": 4, "title": "Ärger", "status": null, "views": 0, "author": null},
    ]);
    assert_eq!(rows, expect);
    // Masked values are NULL for conditions too.
    assert_eq!(
        desk.ids("articles", json!({"views": {"_gte": 0}})).await,
        json!([1, 4])
    );
    assert_eq!(
        desk.ids("articles", json!({"status": {"_null": true}})).await,
        json!([4])
    );
    assert_eq!(
        desk.ids("articles", json!({"_not": {"status": {"_eq": "published"}}}))
            .await,
        json!([4])
    );
}

#[tokio::test]
async fn what_is_not_granted_looks_like_what_does_not_exist() {
    let desk = desk(reader()).await;
    let queries = |name: &str| {
        vec![
            json!({"fields": [name]}),
            json!({"fields": [format!("count({name})")]}),
            json!({"filter": {name: {"_nnull": true}}}),
            json!({"filter": {name: {"_some": {"id": 1}}}}),
            json!({"sort": [name]}),
            json!({"alias": {"x": name}, "fields": ["x"]}),
            json!({"deep": {name: {"_limit": 1}}}),
            json!({"aggregate": {"max": [name]}}),
            json!({"groupBy": [name]}),
            json!({"fields": [format!("{name}.id")]}),
        ]
    };
    // A column, a list whose collection is not granted, a list through a junction, a secret.
    for hidden in ["body", "comments", "tags", "secret"] {
        let pairs = queries(hidden).into_iter().zip(queries("qqqqqq"));
        for (asked, absent) in pairs {
            let told = words(desk.page("articles", asked.clone()).await);
            let absent = words(desk.page("articles", absent).await);
            let absent: Vec<_> = absent.iter().map(|word| word.replace("qqqqqq", hidden)).collect();
            // Only the nearest name may differ: it depends on what was written.
            let bare = |words: &[String]| -> Vec<String> {
                words
                    .iter()
                    .map(|word| {
                        word.split(" Did you mean")
                            .next()
                            .unwrap_or(word)
                            .split(" Fields:")
                            .next()
                            .unwrap_or(word)
                            .to_owned()
                    })
                    .collect()
            };
            assert_eq!(bare(&told), bare(&absent), "{asked}");
            for word in &told {
                let hint = word.split("in root.").nth(1).unwrap_or_default();
                assert!(
                    !hint.contains("body") && !hint.contains("slug") && !hint.contains("comments"),
                    "{word}"
                );
            }
        }
    }
    // What may be read keeps its name even where it cannot be followed.
    let plain = words(desk.page("articles", json!({"fields": ["title.name"]})).await);
    let hidden = words(desk.page("articles", json!({"fields": ["author.name"]})).await);
    assert_eq!(hidden[0], plain[0].replace("title", "author"));
    assert_eq!(
        words(desk.page("authors", json!({})).await)[0].replace("authors", "writers"),
        words(desk.page("writers", json!({})).await)[0]
    );
}

#[tokio::test]
async fn an_alias_may_have_the_name_of_a_field_that_is_not_there_for_the_caller() {
    let desk = desk(reader()).await;
    let query = json!({"alias": {"body": "title"}, "fields": ["body"], "filter": {"id": 1}});
    assert_eq!(desk.rows("articles", query).await, json!([{"body": "Alpha"}]));
}

#[tokio::test]
async fn search_sorts_figures_and_counts_see_what_the_caller_sees() {
    let desk = desk(reader()).await;
    // "The first one" stands in a body, "draft" in a status that is masked.
    for (text, expect) in [
        ("first", json!([])),
        ("draft", json!([])),
        ("gamma", json!([3])),
        ("20", json!([])),
        ("10", json!([1])),
    ] {
        let rows = desk
            .rows("articles", json!({"search": text, "fields": ["id"]}))
            .await;
        let ids: Value = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].clone())
            .collect();
        assert_eq!(ids, expect, "{text}");
    }
    let sorted = desk
        .rows("articles", json!({"sort": ["-views", "id"], "fields": ["id"]}))
        .await;
    assert_eq!(sorted, json!([{"id": 1}, {"id": 4}, {"id": 3}]));
    let figures = json!({"aggregate": {"sum": ["views"], "count": ["*", "views", "status"]}});
    let figures = desk.rows("articles", figures).await;
    assert_eq!(
        figures,
        json!([{"sum": {"views": 10}, "count": {"views": 2, "status": 2}, "count(*)": 3}])
            .as_array()
            .map(|_| figures.clone())
            .unwrap()
    );
    assert_eq!(figures[0]["sum"]["views"], json!(10));
    assert_eq!(figures[0]["count"]["views"].to_string().trim_matches('"'), "2");
    let groups = desk
        .rows(
            "articles",
            json!({"groupBy": ["status"], "aggregate": {"count": "*"}}),
        )
        .await;
    let groups: Vec<_> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["status"].clone())
        .collect();
    assert_eq!(groups, [Value::Null, json!("published")]);
    let page = desk
        .page(
            "articles",
            json!({"meta": ["total_count", "filter_count"], "filter": {"views": {"_nnull": true}}}),
        )
        .await
        .unwrap();
    assert_eq!((page.total_count, page.filter_count), (Some(3), Some(2)));
}

#[tokio::test]
async fn relations_are_followed_where_both_sides_are_granted() {
    let mut desk = desk(json!([
        {"collection": "articles", "action": "read", "fields": ["title", "author", "tags", "comments"]},
        {"collection": "authors", "action": "read", "fields": ["name"], "permissions": {"name": {"_eq": "Ada"}}},
        {"collection": "articles_tags", "action": "read", "fields": ["tags_id"]},
        {"collection": "comments", "action": "read", "fields": ["text"]},
    ]))
    .await;
    let row = desk
        .rows(
            "articles",
            json!({"filter": {"id": {"_in": [1, 3]}}, "fields": ["*", "author.*"]}),
        )
        .await;
    // Bob may not be read, so his article has no author; the lists' pointing columns are not granted, so neither are
    // the lists.
    let expect = json!([
        {"id": 1, "title": "Alpha", "author": {"id": 1, "name": "Ada"}},
        {"id": 3, "title": "Gamma", "author": null},
    ]);
    assert_eq!(row, expect);
    assert_eq!(
        refused(desk.page("articles", json!({"fields": ["tags.tags_id"]})).await),
        ["FORBIDDEN fields[0]"]
    );
    assert_eq!(
        refused(desk.page("authors", json!({"fields": ["articles"]})).await),
        ["FORBIDDEN fields[0]"]
    );
    let follow = json!({"filter": {"$FOLLOW(comments, article)": {"text": {"_nnull": true}}}});
    assert_eq!(
        words(desk.page("articles", follow).await),
        words(
            desk.page(
                "articles",
                json!({"filter": {"$FOLLOW(comments, nothing)": {"text": 1}}})
            )
            .await
        )
        .iter()
        .map(|word| word.replace("nothing", "article"))
        .collect::<Vec<_>>()
    );
    // With the pointing column, the list is there, and only with what may be read of it.
    let more = policy(desk.engine(), json!([{"collection": "articles_tags", "action": "read", "fields": ["articles_id"], "permissions": {"sort": 1}}])).await;
    let first = desk.caller.claims().policies[0].clone();
    desk.caller = holder(super::desk::BOB, &[&[&first, &more]]);
    let row = desk
        .rows(
            "articles",
            json!({"filter": {"id": 1}, "fields": ["tags.tags_id", "count(tags)"]}),
        )
        .await;
    assert_eq!(row, json!([{"tags": [{"tags_id": 1}], "tags_count": 1}]));
}

#[tokio::test]
async fn collections_that_a_field_can_point_into_are_those_that_may_be_read() {
    let desk = desk(json!([
        {"collection": "articles_blocks", "action": "read"},
        {"collection": "texts", "action": "read"},
    ]))
    .await;
    let query = json!({"fields": ["id", "item.*"], "sort": ["id"]});
    let expect = json!([
        {"id": 1, "item": {"id": 1, "body": "Once"}},
        {"id": 2, "item": "1"},
        {"id": 3, "item": {"id": 2, "body": "Twice"}},
    ]);
    assert_eq!(desk.rows("articles_blocks", query).await, expect);
    let told = words(
        desk.page("articles_blocks", json!({"fields": ["item:pictures.url"]}))
            .await,
    );
    let absent = words(
        desk.page("articles_blocks", json!({"fields": ["item:pixtures.url"]}))
            .await,
    );
    assert_eq!(told[0], absent[0].replace("pixtures", "pictures"));
    assert!(!told[0].contains("articles"), "{told:?}");
}

#[tokio::test]
async fn layers_narrow_each_other() {
    let paper = newspaper().await;
    let engine = &paper.engine;
    let wide = policy(
        engine,
        json!([
            {"collection": "articles", "action": "read", "fields": ["title", "views", "status"]},
            {"collection": "authors", "action": "read"},
        ]),
    )
    .await;
    let narrow = policy(engine, json!([
        {"collection": "articles", "action": "read", "fields": ["title", "body", "views"], "permissions": {"views": {"_gte": 20}}},
    ])).await;
    let caller = holder(super::desk::BOB, &[&[&wide], &[&narrow]]);
    let read = |collection: &'static str, query: Value| {
        engine.read_items(&caller, collection, Query::from_json(&query).unwrap())
    };
    let page = read("articles", json!({})).await.unwrap();
    let rows: Value = page.rows.into_iter().map(Value::Object).collect();
    assert_eq!(
        rows,
        json!([{"id": 2, "title": "beta", "views": 20}, {"id": 3, "title": "Gamma", "views": 20}])
    );
    assert_eq!(
        refused(read("articles", json!({"fields": ["body"]})).await),
        ["FORBIDDEN fields[0]"]
    );
    assert_eq!(
        refused(read("articles", json!({"fields": ["status"]})).await),
        ["FORBIDDEN fields[0]"]
    );
    assert_eq!(refused(read("authors", json!({})).await), ["FORBIDDEN "]);
}

#[tokio::test]
async fn a_changed_permission_counts_from_the_next_request_on() {
    use crate::fixture::permit;
    let desk = desk(json!([])).await;
    assert_eq!(refused(desk.page("articles", json!({})).await), ["FORBIDDEN "]);
    let policy = desk.caller.claims().policies[0].clone();
    let keys = permit(
        desk.engine(),
        &policy,
        json!([{"collection": "articles", "action": "read", "fields": ["title"]}]),
    )
    .await
    .unwrap();
    assert_eq!(
        desk.rows("articles", json!({"filter": {"id": 1}})).await,
        json!([{"id": 1, "title": "Alpha"}])
    );
    desk.paper
        .update(
            "directus_permissions",
            json!([keys[0]]),
            json!({"fields": ["views"]}),
        )
        .await
        .unwrap();
    assert_eq!(
        desk.rows("articles", json!({"filter": {"id": 1}})).await,
        json!([{"id": 1, "views": 10}])
    );
    desk.paper
        .delete("directus_policies", json!([policy]))
        .await
        .unwrap();
    assert_eq!(refused(desk.page("articles", json!({})).await), ["FORBIDDEN "]);
}

#[tokio::test]
async fn everything_is_refused_to_nobody() {
    let paper = newspaper().await;
    for collection in ["articles", "directus_users", "nothing"] {
        let query = Query::from_json(&json!({"fields": ["id"], "filter": {"id": 1}})).unwrap();
        let told = paper
            .engine
            .read_items(&nobody(), collection, query.clone())
            .await;
        assert_eq!(refused(told), ["FORBIDDEN "], "{collection}");
        let told = paper
            .engine
            .read_item(&nobody(), collection, &1.into(), query)
            .await;
        assert_eq!(refused(told), ["FORBIDDEN "], "{collection}");
    }
}

#[tokio::test]
async fn what_is_not_granted_is_not_written() {
    let desk = desk(reader()).await;
    for collection in ["articles", "authors", "nothing"] {
        let made = desk.create(collection, json!({"title": "x"})).await;
        assert_eq!(refused(made), ["FORBIDDEN "], "{collection}");
        let changed = desk.update(collection, json!([1]), json!({"title": "x"})).await;
        assert_eq!(refused(changed), ["FORBIDDEN "], "{collection}");
        assert_eq!(
            refused(desk.delete(collection, json!([1])).await),
            ["FORBIDDEN "],
            "{collection}"
        );
    }
}
