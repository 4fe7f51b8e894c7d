//! What a read answers: fields, wildcards, aliases, deep queries, order and pages.

use loggia_model::Query;
use serde_json::{Value, json};

use super::newspaper::newspaper;
use crate::fixture::{nobody, refused};

#[tokio::test]
async fn fields_shape_the_answer() {
    let paper = newspaper().await;
    let check = async |query: Value, expect: Value| {
        let mut query = query;
        query["filter"] = json!({"id": 1});
        let rows = paper.rows("articles", query.clone()).await;
        assert_eq!(rows, [expect], "{query}");
    };
    check(
        json!({"fields": "title,author"}),
        json!({"title": "Alpha", "author": 1}),
    )
    .await;
    check(
        json!({"fields": ["author.name"]}),
        json!({"author": {"name": "Ada"}}),
    )
    .await;
    check(
        json!({"fields": ["author", "author.name"]}),
        json!({"author": {"name": "Ada"}}),
    )
    .await;
    check(json!({"fields": ["tags"]}), json!({"tags": [1, 2]})).await;
    check(
        json!({"fields": ["tags.tags_id.name", "tags.sort"]}),
        json!({"tags": [{"tags_id": {"name": "news"}, "sort": 1}, {"tags_id": {"name": "sport"}, "sort": 2}]}),
    )
    .await;
    check(
        json!({"fields": ["author.articles.title"]}),
        json!({"author": {"articles": [{"title": "Alpha"}, {"title": "beta"}]}}),
    )
    .await;
    check(
        json!({"fields": ["blocks.item:texts.body", "blocks.item:pictures.url", "blocks.collection"]}),
        json!({"blocks": [{"item": {"url": "/a.png"}, "collection": "pictures"}, {"item": {"body": "Once"}, "collection": "texts"}]}),
    )
    .await;
    check(
        json!({"fields": ["blocks.item.*"]}),
        json!({"blocks": [{"item": {"id": 1, "url": "/a.png", "caption": "A"}}, {"item": {"id": 1, "body": "Once"}}]}),
    )
    .await;
    check(
        json!({"fields": ["blocks.item"]}),
        json!({"blocks": [{"item": "1"}, {"item": "1"}]}),
    )
    .await;
    check(
        json!({"fields": ["year(published_on)", "month(day)", "count(tags)", "count(data)"]}),
        json!({"published_on_year": 2025, "day_month": 3, "tags_count": 2, "data_count": null}),
    )
    .await;
    check(
        json!({"fields": ["json(data, b.c)", "json(data, list[2])", "json(data, nothing)"]}),
        json!({"data_b_c_json": "x", "data_list_2_json": 3, "data_nothing_json": null}),
    )
    .await;
    check(
        json!({"fields": ["year(author.born)"]}),
        json!({"author": {"born_year": 1815}}),
    )
    .await;
    check(
        json!({"fields": ["author.year(born)"]}),
        json!({"author": {"born_year": 1815}}),
    )
    .await;
    check(
        json!({"fields": ["t", "who.name", "mine"], "alias": {"t": "title", "who": "author", "mine": "tags"}}),
        json!({"t": "Alpha", "who": {"name": "Ada"}, "mine": [1, 2]}),
    )
    .await;
    check(
        json!({"fields": ["big", "price", "rating", "featured", "labels", "data"]}),
        json!({"big": "9223372036854775807", "price": serde_json::from_str::<Value>("19.90").unwrap(), "rating": 4.5, "featured": true,
            "labels": ["red", "green"], "data": {"a": 1, "b": {"c": "x"}, "list": [1, 2, 3]}}),
    )
    .await;
}

#[tokio::test]
async fn wildcards_bring_keys_at_their_last_level() {
    let paper = newspaper().await;
    let one = paper.item("authors", 1, json!("*")).await;
    assert_eq!(
        one,
        json!({"id": 1, "name": "Ada", "born": "1815-12-10", "articles": [1, 2]})
    );
    let two = paper.item("authors", 2, json!("*.*")).await;
    assert_eq!(two["articles"][0]["title"], "Gamma");
    assert_eq!(two["articles"][0]["author"], 2);
    assert_eq!(two["articles"][0]["tags"], json!([4]));
    let three = paper.item("authors", 2, json!("*.*.*")).await;
    assert_eq!(three["articles"][0]["author"]["name"], "Bob");
    assert_eq!(three["articles"][0]["tags"][0]["tags_id"], 3);
    let blocks = paper.item("articles", 1, json!("blocks.*.*")).await;
    assert_eq!(blocks["blocks"][1]["item"], json!({"id": 1, "body": "Once"}));
    // Nothing asked for means the wildcard.
    assert_eq!(
        paper.item("tags", 1, Value::Null).await,
        json!({"id": 1, "name": "news"})
    );
}

#[tokio::test]
async fn backlink_false_leaves_out_the_way_back() {
    let paper = newspaper().await;
    let query = json!({"fields": ["*.*"], "backlink": false, "filter": {"id": 2}});
    let rows = paper.rows("authors", query).await;
    assert_eq!(rows[0]["articles"][0]["title"], "Gamma");
    assert!(rows[0]["articles"][0].get("author").is_none());
}

#[tokio::test]
async fn deep_queries_shape_what_relations_lead_to() {
    let paper = newspaper().await;
    let check = async |query: Value, expect: Value| {
        let rows = paper.rows("articles", query.clone()).await;
        assert_eq!(Value::Array(rows), expect, "{query}");
    };
    check(
        json!({"fields": ["tags.tags_id"], "filter": {"id": {"_lte": 2}}, "deep": {"tags": {"_limit": 1, "_sort": "-sort"}}}),
        json!([{"tags": [{"tags_id": 2}]}, {"tags": [{"tags_id": 1}]}]),
    )
    .await;
    check(
        json!({"fields": ["tags.id"], "filter": {"id": 1}, "deep": {"tags": {"_filter": {"tags_id": {"name": "sport"}}}}}),
        json!([{"tags": [{"id": 2}]}]),
    )
    .await;
    check(
        json!({"fields": ["tags.id"], "filter": {"id": 1}, "deep": {"tags": {"_limit": 1, "_page": 2}}}),
        json!([{"tags": [{"id": 2}]}]),
    )
    .await;
    check(
        json!({"fields": ["tags.id"], "filter": {"id": 1}, "deep": {"tags": {"_offset": 1}}}),
        json!([{"tags": [{"id": 2}]}]),
    )
    .await;
    // A to-one item that does not match is not there.
    check(
        json!({"fields": ["author.name"], "filter": {"id": {"_in": [1, 3]}}, "deep": {"author": {"_filter": {"name": "Bob"}}}}),
        json!([{"author": null}, {"author": {"name": "Bob"}}]),
    )
    .await;
    check(
        json!({"fields": ["author.articles.t"], "filter": {"id": 3}, "deep": {"author": {"articles": {"_alias": {"t": "title"}, "_search": "gam"}}}}),
        json!([{"author": {"articles": [{"t": "Gamma"}]}}]),
    )
    .await;
    check(
        json!({"fields": ["x.id", "y.id"], "alias": {"x": "tags", "y": "tags"}, "filter": {"id": 1},
            "deep": {"x": {"_limit": 1}, "y": {"_sort": "-id"}}}),
        json!([{"x": [{"id": 1}], "y": [{"id": 2}, {"id": 1}]}]),
    )
    .await;
    check(
        json!({"fields": ["tags"], "filter": {"id": 1}, "deep": {"tags": {"_fields": ["sort"]}}}),
        json!([{"tags": [{"sort": 1}, {"sort": 2}]}]),
    )
    .await;
}

#[tokio::test]
async fn order_and_pages() {
    let paper = newspaper().await;
    let check = async |query: Value, expect: &[i64]| {
        let mut query = query;
        query["fields"] = json!("id");
        let rows = paper.rows("articles", query.clone()).await;
        let expect: Vec<Value> = expect.iter().map(|id| json!({"id": id})).collect();
        assert_eq!(rows, expect, "{query}");
    };
    check(json!({}), &[1, 2, 3, 4, 5]).await;
    check(json!({"sort": "-id"}), &[5, 4, 3, 2, 1]).await;
    check(json!({"sort": ["-views", "-id"]}), &[3, 2, 1, 4, 5]).await;
    check(json!({"sort": "views"}), &[5, 4, 1, 2, 3]).await;
    check(json!({"sort": "price"}), &[4, 5, 2, 1, 3]).await;
    check(json!({"sort": "-author.name,id"}), &[3, 1, 2, 4, 5]).await;
    check(json!({"sort": "-year(published_on)"}), &[2, 3, 1, 4, 5]).await;
    check(json!({"sort": "-count(tags)"}), &[1, 2, 3, 4, 5]).await;
    check(json!({"sort": "-t", "alias": {"t": "title"}, "limit": 1}), &[4]).await;
    check(json!({"limit": 2}), &[1, 2]).await;
    check(json!({"limit": 2, "page": 2}), &[3, 4]).await;
    check(json!({"limit": 2, "page": 0}), &[1, 2]).await;
    check(json!({"limit": 2, "offset": 1}), &[2, 3]).await;
    check(json!({"limit": 0}), &[]).await;
    check(json!({"limit": -1}), &[1, 2, 3, 4, 5]).await;
    check(json!({"offset": 9}), &[]).await;
}

#[tokio::test]
async fn counts_come_when_asked_for() {
    let paper = newspaper().await;
    let counts = async |query: Value| {
        let page = paper.page("articles", query).await.unwrap();
        (page.rows.len(), page.total_count, page.filter_count)
    };
    assert_eq!(counts(json!({"limit": 1})).await, (1, None, None));
    let filter = json!({"status": "published"});
    assert_eq!(
        counts(json!({"limit": 1, "meta": "*", "filter": filter})).await,
        (1, Some(5), Some(2))
    );
    assert_eq!(
        counts(json!({"meta": "filter_count", "search": "alpha"})).await,
        (1, None, Some(1))
    );
}

#[tokio::test]
async fn a_hundred_rows_unless_more_are_asked_for() {
    let paper = newspaper().await;
    let rows: Vec<_> = (10..140)
        .map(|id| json!({"id": id, "name": format!("tag {id}")}))
        .collect();
    crate::fixture::insert(&paper.engine, "tags", &rows).await;
    assert_eq!(paper.rows("tags", json!({})).await.len(), 100);
    assert_eq!(paper.rows("tags", json!({"limit": -1})).await.len(), 133);
    assert_eq!(paper.rows("tags", json!({"limit": 120})).await.len(), 120);
}

#[tokio::test]
async fn singletons_have_defaults_before_they_have_a_row() {
    let paper = newspaper().await;
    let row = paper
        .engine
        .read_singleton(&paper.admin, "front_page", Query::default())
        .await
        .unwrap();
    assert_eq!(
        Value::Object(row),
        json!({"id": null, "motto": "All the news", "lead": null})
    );
}

#[tokio::test]
async fn mistakes_in_fields_sort_and_deep_are_named() {
    let paper = newspaper().await;
    let cases: Vec<(Value, &[&str])> = vec![
        (
            json!({"fields": ["titel", "author.nam"]}),
            &["FORBIDDEN fields[0]", "FORBIDDEN fields[1]"],
        ),
        (json!({"fields": ["title.x"]}), &["INVALID_QUERY fields[0]"]),
        (json!({"fields": ["author..name"]}), &["INVALID_QUERY fields[0]"]),
        (json!({"fields": ["year(title)"]}), &["INVALID_QUERY fields[0]"]),
        (json!({"fields": ["yeer(day)"]}), &["INVALID_QUERY fields[0]"]),
        (
            json!({"fields": ["json(title, a)"]}),
            &["INVALID_QUERY fields[0]"],
        ),
        (
            json!({"fields": ["json(data, $.a)"]}),
            &["INVALID_QUERY fields[0]"],
        ),
        (
            json!({"fields": ["blocks.item:text.body"]}),
            &["INVALID_QUERY fields[0]"],
        ),
        (json!({"fields": ["blocks.item.nope"]}), &["FORBIDDEN fields[0]"]),
        (
            json!({"fields": ["author:texts.name"]}),
            &["INVALID_QUERY fields[0]"],
        ),
        (json!({"sort": ["-titel"]}), &["FORBIDDEN sort[0]"]),
        (json!({"sort": "?"}), &["INVALID_QUERY sort[0]"]),
        (json!({"sort": "tags"}), &["INVALID_QUERY sort[0]"]),
        (json!({"sort": "tags.sort"}), &["INVALID_QUERY sort[0]"]),
        (json!({"sort": "secret"}), &["INVALID_QUERY sort[0]"]),
        (json!({"alias": {"t": "titel"}}), &["FORBIDDEN alias.t"]),
        (
            json!({"alias": {"title": "body"}}),
            &["INVALID_QUERY alias.title"],
        ),
        (json!({"deep": {"tgs": {"_limit": 1}}}), &["FORBIDDEN deep.tgs"]),
        (
            json!({"deep": {"title": {"_limit": 1}}}),
            &["INVALID_QUERY deep.title"],
        ),
        (
            json!({"fields": ["tags.id"], "deep": {"tags": {"_filter": {"nope": 1}}}}),
            &["FORBIDDEN deep.tags._filter.nope"],
        ),
        (
            json!({"fields": ["tags.tags_id.name"], "deep": {"tags": {"tags_id": {"_sort": "nope"}}}}),
            &["FORBIDDEN deep.tags.tags_id._sort[0]"],
        ),
        (json!({"version": "draft"}), &["INVALID_QUERY version"]),
        (
            json!({"fields": ["*.*.*.*.*.*.*.*.*.*.*.*.*.*"]}),
            &["INVALID_QUERY fields[0]"],
        ),
    ];
    for (query, expect) in cases {
        let got = refused(paper.page("articles", query.clone()).await);
        assert_eq!(got, expect, "{query}");
    }
}

#[tokio::test]
async fn what_is_not_there_looks_like_what_is_denied() {
    let paper = newspaper().await;
    let message = async |caller: &loggia_access::Caller, collection: &str| {
        let problems = paper
            .engine
            .read_items(caller, collection, Query::default())
            .await
            .unwrap_err()
            .problems();
        (
            problems.0[0].message.replace(collection, "X"),
            problems.0[0].hint.clone(),
        )
    };
    let (denied, absent) = (
        message(&nobody(), "articles").await,
        message(&nobody(), "nothing").await,
    );
    assert_eq!(denied, absent);
    assert_eq!(denied.1, None);
    let (text, hint) = message(&paper.admin, "artikles").await;
    assert_eq!(text, denied.0);
    assert_eq!(hint.as_deref(), Some("Did you mean `articles`?"));
    for key in [json!(77), json!("x"), json!(null), json!({}), json!(1.5)] {
        let read = paper
            .engine
            .read_item(&paper.admin, "articles", &key, Query::default())
            .await;
        assert_eq!(refused(read), ["FORBIDDEN "], "{key}");
    }
}

#[tokio::test]
async fn secrets_are_masked() {
    let paper = newspaper().await;
    let made = paper
        .create("articles", json!({"title": "Hidden", "secret": "hush"}))
        .await
        .unwrap();
    assert_eq!(made.rows[0]["secret"], "**********");
    let key = made.keys[0].clone();
    assert_eq!(
        paper.item("articles", key, json!(["secret"])).await,
        json!({"secret": "**********"})
    );
    assert_eq!(
        crate::fixture::secret(&paper.engine, "articles", "secret")
            .await
            .last(),
        Some(&json!("hashed:hush"))
    );
}

#[tokio::test]
async fn a_schema_that_changed_elsewhere_is_taken_in() {
    use loggia_model::plan::SchemaStep;
    let paper = newspaper().await;
    let table = "tags".to_owned();
    let column = "name".to_owned();
    crate::fixture::change_tables(&paper.engine, vec![SchemaStep::DropColumn { table, column }]).await;
    // The snapshot still has the column; the statement fails, and the new snapshot answers.
    assert_eq!(paper.rows("tags", json!({"limit": 1})).await, [json!({"id": 1})]);
    crate::fixture::change_tables(
        &paper.engine,
        vec![SchemaStep::DropTable {
            table: "pictures".to_owned(),
        }],
    )
    .await;
    let made = paper.create("pictures", json!({"url": "x"})).await;
    assert_eq!(refused(made), ["FORBIDDEN "]);
}
