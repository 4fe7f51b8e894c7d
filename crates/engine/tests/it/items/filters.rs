//! Which items a filter finds: every operator, function and variable, and every way to get one wrong.

use serde_json::{Value, json};

use super::newspaper::newspaper;
use crate::fixture::refused;

#[tokio::test]
async fn operators_find_what_they_say() {
    let paper = newspaper().await;
    let cases: Vec<(Value, &[i64])> = vec![
        (json!({}), &[1, 2, 3, 4, 5]),
        (json!({"title": {}}), &[1, 2, 3, 4, 5]),
        (json!({"title": {"_eq": "Alpha"}}), &[1]),
        (json!({"title": "Alpha"}), &[1]),
        (json!({"title": {"_eq": "alpha"}}), &[]),
        (json!({"title": {"_ieq": "alpha"}}), &[1]),
        (json!({"title": {"_ieq": "ÄRGER"}}), &[4]),
        (json!({"title": {"_neq": "Alpha"}}), &[2, 3, 4, 5]),
        // NULL is not different from anything.
        (json!({"views": {"_neq": 20}}), &[1, 4]),
        (json!({"views": {"_eq": null}}), &[5]),
        (json!({"views": null}), &[5]),
        (json!({"views": {"_neq": null}}), &[1, 2, 3, 4]),
        (json!({"views": {"_lt": 20}}), &[1, 4]),
        (json!({"views": {"_lte": "20"}}), &[1, 2, 3, 4]),
        (json!({"views": {"_gt": 0, "_lt": 20}}), &[1]),
        (json!({"views": {"_gte": 20}}), &[2, 3]),
        (json!({"views": {"_in": [10, "0"]}}), &[1, 4]),
        (json!({"views": {"_in": "10,0"}}), &[1, 4]),
        (json!({"views": {"_in": []}}), &[]),
        (json!({"views": {"_nin": [20]}}), &[1, 4]),
        (json!({"views": {"_null": true}}), &[5]),
        (json!({"views": {"_null": false}}), &[1, 2, 3, 4]),
        (json!({"views": {"_nnull": true}}), &[1, 2, 3, 4]),
        (json!({"views": {"_between": [10, 20]}}), &[1, 2, 3]),
        (json!({"views": {"_between": "0,10"}}), &[1, 4]),
        (json!({"views": {"_nbetween": [1, 10]}}), &[2, 3, 4]),
        (json!({"title": {"_contains": "a"}}), &[1, 2, 3]),
        (json!({"title": {"_contains": "A"}}), &[1]),
        (json!({"title": {"_icontains": "A"}}), &[1, 2, 3]),
        (json!({"title": {"_ncontains": "a"}}), &[4, 5]),
        (json!({"body": {"_ncontains": "first"}}), &[2, 3]),
        (json!({"title": {"_nicontains": "A"}}), &[4, 5]),
        // Wildcards of SQL are letters like others.
        (json!({"body": {"_contains": "%"}}), &[2]),
        (json!({"body": {"_contains": "e_t"}}), &[2]),
        (json!({"title": {"_starts_with": "G"}}), &[3]),
        (json!({"title": {"_istarts_with": "ä"}}), &[4]),
        (json!({"title": {"_nstarts_with": "G"}}), &[1, 2, 4, 5]),
        (json!({"title": {"_nistarts_with": "g"}}), &[1, 2, 4, 5]),
        (json!({"title": {"_ends_with": "ta"}}), &[2]),
        (json!({"title": {"_iends_with": "TA"}}), &[2]),
        (json!({"title": {"_nends_with": "a"}}), &[4, 5]),
        (json!({"title": {"_niends_with": "A"}}), &[4, 5]),
        (json!({"body": {"_empty": true}}), &[3, 4, 5]),
        (json!({"body": {"_nempty": true}}), &[1, 2]),
        (json!({"body": {"_empty": false}}), &[1, 2]),
        (json!({"title": {"_gt": "Alpha", "_lt": "Gamma"}}), &[5]),
        (json!({"title": {"$eq": "Alpha"}}), &[1]),
        (
            json!({"$or": [{"title": {"$startsWith": "G"}}, {"views": {"$null": true}}]}),
            &[3, 5],
        ),
        (json!({"$not": {"views": {"_eq": 20}}}), &[1, 4, 5]),
    ];
    for (filter, expect) in cases {
        let expect: Vec<Value> = expect.iter().map(|id| json!(id)).collect();
        assert_eq!(paper.ids("articles", filter.clone()).await, expect, "{filter}");
    }
}

#[tokio::test]
async fn values_are_compared_as_their_type_says() {
    let paper = newspaper().await;
    let cases: Vec<(Value, &[i64])> = vec![
        (json!({"big": {"_eq": "9223372036854775807"}}), &[1]),
        (json!({"big": {"_gt": "9223372036854775806"}}), &[1]),
        (json!({"price": {"_gt": 6}}), &[1, 3]),
        (json!({"price": {"_eq": "19.9"}}), &[1]),
        (json!({"price": {"_between": ["5.000", "19.90"]}}), &[1, 2]),
        (json!({"rating": {"_lt": 0}}), &[2]),
        (json!({"featured": {"_eq": true}}), &[1]),
        (json!({"featured": "false"}), &[2]),
        (json!({"featured": {"_neq": true}}), &[2]),
        (
            json!({"published_on": {"_lt": "2025-03-04T12:20:31+02:00"}}),
            &[1],
        ),
        (json!({"published_on": {"_gte": "2026-01-01"}}), &[2, 3]),
        (json!({"day": {"_eq": "2026-01-01"}}), &[2]),
        (json!({"at": {"_gt": "00:00:00"}}), &[1]),
        (
            json!({"token": {"_eq": "3FA85F64-5717-4562-B3FC-2C963F66AFA6"}}),
            &[1],
        ),
        (json!({"labels": {"_contains": "green"}}), &[1]),
        (json!({"data": {"_null": true}}), &[5]),
        (json!({"data": {"_json": {"a": {"_eq": 1}}}}), &[1]),
        (json!({"data": {"_json": {"b.c": {"_eq": "x"}}}}), &[1]),
        (json!({"data": {"_json": {"flag": {"_eq": true}}}}), &[4]),
        (json!({"data": {"_json": {"list[1]": {"_gte": 2}}}}), &[1]),
        (json!({"json(data, a)": {"_eq": "text"}}), &[2]),
        (json!({"count(data)": {"_eq": 2}}), &[3]),
        (json!({"year(published_on)": {"_eq": 2026}}), &[2, 3]),
        (json!({"month(published_on)": {"_in": [3, 11]}}), &[1, 3]),
        (json!({"week(day)": 10}), &[1]),
        (json!({"weekday(published_on)": {"_eq": 2}}), &[1]),
        (json!({"hour(published_on)": {"_gt": 9}}), &[1, 3]),
        (json!({"minute(event_at)": 20, "second(at)": 30}), &[1]),
    ];
    for (filter, expect) in cases {
        let expect: Vec<Value> = expect.iter().map(|id| json!(id)).collect();
        assert_eq!(paper.ids("articles", filter.clone()).await, expect, "{filter}");
    }
}

#[tokio::test]
async fn conditions_combine_and_follow_relations() {
    let paper = newspaper().await;
    let check = async |collection: &str, filter: Value, expect: &[i64]| {
        let expect: Vec<Value> = expect.iter().map(|id| json!(id)).collect();
        assert_eq!(
            paper.ids(collection, filter.clone()).await,
            expect,
            "{collection} {filter}"
        );
    };
    check("articles", json!({"_and": []}), &[1, 2, 3, 4, 5]).await;
    check("articles", json!({"_or": []}), &[1, 2, 3, 4, 5]).await;
    check("articles", json!({"_or": [{"id": 1}, {}]}), &[1, 2, 3, 4, 5]).await;
    check(
        "articles",
        json!({"_or": [{"id": 1}, {"_and": [{"views": 20}, {"status": "draft"}]}]}),
        &[1, 2],
    )
    .await;
    check("articles", json!({"author": {"name": {"_eq": "Ada"}}}), &[1, 2]).await;
    check("articles", json!({"author": 2}), &[3]).await;
    check(
        "articles",
        json!({"author": {"_in": [1, 2], "name": {"_contains": "o"}}}),
        &[3],
    )
    .await;
    check("articles", json!({"author": {"_null": true}}), &[4, 5]).await;
    // Where nobody is the author, the author's name is NULL.
    check("articles", json!({"author": {"name": {"_null": true}}}), &[4, 5]).await;
    check("articles", json!({"author": {"name": {"_neq": "Ada"}}}), &[3]).await;
    check(
        "articles",
        json!({"author": {"year(born)": {"_lt": 1900}}}),
        &[1, 2],
    )
    .await;
    check(
        "articles",
        json!({"author": {"_or": [{"name": "Bob"}, {"name": "Ada"}]}}),
        &[1, 2, 3],
    )
    .await;
    check(
        "articles",
        json!({"tags": {"tags_id": {"name": {"_eq": "news"}}}}),
        &[1, 2],
    )
    .await;
    check(
        "articles",
        json!({"tags": {"_some": {"tags_id": {"name": "sport"}}}}),
        &[1],
    )
    .await;
    check(
        "articles",
        json!({"tags": {"_none": {"tags_id": {"name": "news"}}}}),
        &[3, 4, 5],
    )
    .await;
    check("articles", json!({"tags": {"_null": true}}), &[4, 5]).await;
    check("articles", json!({"tags": {"_nnull": true}}), &[1, 2, 3]).await;
    check("articles", json!({"tags": 4}), &[3]).await;
    check("articles", json!({"count(tags)": {"_gte": 2}}), &[1]).await;
    check("articles", json!({"count(tags)": 0}), &[4, 5]).await;
    check(
        "articles",
        json!({"blocks": {"item:texts": {"body": {"_eq": "Twice"}}}}),
        &[2],
    )
    .await;
    check(
        "articles",
        json!({"blocks": {"item:pictures": {"url": {"_nnull": true}}}}),
        &[1],
    )
    .await;
    check("articles", json!({"blocks": {"collection": "pictures"}}), &[1]).await;
    check(
        "authors",
        json!({"articles": {"_some": {"views": {"_gt": 15}}}}),
        &[1, 2],
    )
    .await;
    check(
        "authors",
        json!({"articles": {"tags": {"tags_id": {"name": "art"}}}}),
        &[2],
    )
    .await;
    check("authors", json!({"articles": {"id": {"_null": true}}}), &[3]).await;
    check(
        "authors",
        json!({"$FOLLOW(articles, author)": {"title": "beta"}}),
        &[1],
    )
    .await;
    check(
        "tags",
        json!({"$FOLLOW(articles_tags, tags_id)": {"articles_id": {"author": {"name": "Bob"}}}}),
        &[3],
    )
    .await;
}

#[tokio::test]
async fn variables_stand_for_the_caller_and_the_moment() {
    // The clock of the tests stands at 2026-11-21T12:00:00Z.
    let paper = newspaper().await;
    let check = async |filter: Value, expect: &[i64]| {
        let expect: Vec<Value> = expect.iter().map(|id| json!(id)).collect();
        assert_eq!(paper.ids("articles", filter.clone()).await, expect, "{filter}");
    };
    check(json!({"published_on": {"_lt": "$NOW"}}), &[1, 2, 3]).await;
    check(json!({"published_on": {"_gt": "$NOW(-1 hour)"}}), &[3]).await;
    check(json!({"published_on": {"_gt": "$NOW(-1 year)"}}), &[2, 3]).await;
    check(json!({"day": {"_gt": "$NOW(-12 months)"}}), &[2]).await;
    check(json!({"created_by": {"_eq": "$CURRENT_USER"}}), &[]).await;
    check(json!({"created_by": {"_in": ["$CURRENT_USER"]}}), &[]).await;
    // The caller has no role: nothing equals it.
    check(json!({"token": {"_eq": "$CURRENT_ROLE"}}), &[]).await;
    check(json!({"token": {"_in": ["$CURRENT_ROLES"]}}), &[]).await;
    check(json!({"token": {"_in": "$CURRENT_POLICIES"}}), &[]).await;
    paper.create("articles", json!({"title": "Mine"})).await.unwrap();
    check(json!({"created_by": {"_eq": "$CURRENT_USER"}}), &[6]).await;
}

#[tokio::test]
async fn the_search_looks_into_text_numbers_and_keys() {
    let paper = newspaper().await;
    let check = async |search: Value, expect: &[i64]| {
        let rows = paper
            .rows("articles", json!({"fields": "id", "search": search.clone()}))
            .await;
        let expect: Vec<Value> = expect.iter().map(|id| json!({"id": id})).collect();
        assert_eq!(rows, expect, "{search}");
    };
    check(json!("ALPHA"), &[1]).await;
    check(json!("sure_"), &[2]).await;
    check(json!("20"), &[2, 3]).await;
    check(json!("3fa85f64-5717-4562-b3fc-2c963f66afa6"), &[1]).await;
    check(json!("  "), &[1, 2, 3, 4, 5]).await;
    check(json!("nowhere"), &[]).await;
    check(json!("ärger"), &[4]).await;
    check(json!("fingerprint"), &[]).await;
}

#[tokio::test]
async fn every_mistake_is_named_with_its_path() {
    let paper = newspaper().await;
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({"titel": {"_eq": 1}}), &["FORBIDDEN filter.titel"]),
        (json!({"author": {"nam": 1}}), &["FORBIDDEN filter.author.nam"]),
        (json!({"_eq": 1}), &["INVALID_QUERY filter._eq"]),
        (json!({"_adn": []}), &["INVALID_QUERY filter._adn"]),
        (json!({"_and": {}}), &["INVALID_QUERY filter._and"]),
        (
            json!({"_or": [5, {"views": {"_eq": "x"}}]}),
            &[
                "INVALID_QUERY filter._or[0]",
                "INVALID_QUERY filter._or[1].views._eq",
            ],
        ),
        (
            json!({"views": {"_zzz": 1}}),
            &["INVALID_QUERY filter.views._zzz"],
        ),
        (
            json!({"views": {"_contains": "1"}}),
            &["INVALID_QUERY filter.views._contains"],
        ),
        (
            json!({"views": {"_eq": 1.5}}),
            &["INVALID_QUERY filter.views._eq"],
        ),
        (
            json!({"views": {"_eq": [1]}}),
            &["INVALID_QUERY filter.views._eq"],
        ),
        (json!({"views": [1]}), &["INVALID_QUERY filter.views"]),
        (
            json!({"views": {"_gt": null}}),
            &["INVALID_QUERY filter.views._gt"],
        ),
        (
            json!({"views": {"_in": {"a": 1}}}),
            &["INVALID_QUERY filter.views._in"],
        ),
        (
            json!({"views": {"_in": [1, "x", null]}}),
            &[
                "INVALID_QUERY filter.views._in[1]",
                "INVALID_QUERY filter.views._in[2]",
            ],
        ),
        (
            json!({"views": {"_between": [1]}}),
            &["INVALID_QUERY filter.views._between"],
        ),
        (
            json!({"views": {"_null": "perhaps"}}),
            &["INVALID_QUERY filter.views._null"],
        ),
        (
            json!({"title": {"_regex": "^A"}}),
            &["INVALID_QUERY filter.title._regex"],
        ),
        (
            json!({"title": {"_contains": {}}}),
            &["INVALID_QUERY filter.title._contains"],
        ),
        (json!({"data": {"_eq": {}}}), &["INVALID_QUERY filter.data._eq"]),
        (
            json!({"title": {"_json": {}}}),
            &["INVALID_QUERY filter.title._json"],
        ),
        (
            json!({"data": {"_json": {"a": {"_eq": {}}}}}),
            &["INVALID_QUERY filter.data._json.a._eq"],
        ),
        (
            json!({"published_on": {"_lt": "soon"}}),
            &["INVALID_QUERY filter.published_on._lt"],
        ),
        (
            json!({"published_on": {"_lt": "$NOW(soon)"}}),
            &["INVALID_QUERY filter.published_on._lt"],
        ),
        (
            json!({"title": {"_eq": "$CURRENT_USR"}}),
            &["INVALID_QUERY filter.title._eq"],
        ),
        (
            json!({"token": {"_eq": "$CURRENT_ROLES"}}),
            &["INVALID_QUERY filter.token._eq"],
        ),
        (
            json!({"token": {"_eq": "nope"}}),
            &["INVALID_QUERY filter.token._eq"],
        ),
        (json!({"secret": {"_eq": "x"}}), &["INVALID_QUERY filter.secret"]),
        (json!({"yeer(day)": 1}), &["INVALID_QUERY filter.yeer(day)"]),
        (json!({"year(title)": 1}), &["INVALID_QUERY filter.year(title)"]),
        (json!({"year(dai)": 1}), &["FORBIDDEN filter.year(dai)"]),
        (
            json!({"author": {"_some": {}}}),
            &["INVALID_QUERY filter.author._some"],
        ),
        (
            json!({"blocks": {"item": {"body": 1}}}),
            &["INVALID_QUERY filter.blocks.item"],
        ),
        (
            json!({"blocks": {"item:text": {"body": 1}}}),
            &["INVALID_QUERY filter.blocks.item:text"],
        ),
        (json!({"title:texts": 1}), &["INVALID_QUERY filter.title:texts"]),
        (
            json!({"$FOLLOW(articles, title)": {}}),
            &["INVALID_QUERY filter.$FOLLOW(articles, title)"],
        ),
    ];
    for (filter, expect) in cases {
        let got = refused(paper.page("articles", json!({"filter": filter.clone()})).await);
        assert_eq!(got, expect, "{filter}");
    }
}

#[tokio::test]
async fn an_error_teaches_the_way_out() {
    let paper = newspaper().await;
    let check = async |filter: Value, message: &str, hint: &str| {
        let problems = paper
            .page("articles", json!({"filter": filter}))
            .await
            .unwrap_err()
            .problems();
        assert_eq!(problems.0[0].message, message);
        assert_eq!(problems.0[0].hint.as_deref(), Some(hint));
    };
    check(
        json!({"titel": 1}),
        "You don't have permission to access field \"titel\" in collection \"articles\" or it does not exist. Queried in root.",
        "Did you mean `title`?",
    )
    .await;
    check(
        json!({"author": {"nam": 1}}),
        "You don't have permission to access field \"nam\" in collection \"authors\" or it does not exist. Queried in \"author\".",
        "Did you mean `name`?",
    )
    .await;
    check(
        json!({"views": {"_gtt": 1}}),
        "\"integer\" field type does not contain the \"_gtt\" filter operator.",
        "Did you mean `_gt`?",
    )
    .await;
}

#[tokio::test]
async fn a_filter_of_any_size_is_answered() {
    let paper = newspaper().await;
    let mut deep = json!({"id": 1});
    for _ in 0..200 {
        deep = json!({"_and": [deep]});
    }
    let got = refused(paper.page("articles", json!({"filter": deep})).await);
    assert_eq!(got.len(), 1, "{got:?}");
    let wide: Vec<_> = (0..5_000).map(|i| json!({"views": i})).collect();
    let got = refused(paper.page("articles", json!({"filter": {"_or": wide}})).await);
    assert_eq!(got.len(), 1, "{got:?}");
    let keys: Vec<_> = (0..20_000).collect();
    assert_eq!(paper.ids("articles", json!({"id": {"_in": keys}})).await.len(), 5);
    let keys: Vec<_> = (0..20_001).collect();
    assert_eq!(
        refused(
            paper
                .page("articles", json!({"filter": {"id": {"_in": keys}}}))
                .await
        ),
        ["INVALID_QUERY filter.id._in"]
    );
}
