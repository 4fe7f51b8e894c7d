//! What validation sees: the values that will be stored, however they are written and whenever they become known.

use loggia_engine::items::WriteOptions;
use serde_json::{Value, json};

use super::desk::{BOB, Desk, desk};
use crate::fixture::{administrator, claims_of, column, established, insert, policy, refused};
use crate::items::newspaper::{newspaper, record};

/// The same person with one policy after another.
async fn with(desk: &mut Desk, permissions: Value) {
    let key = policy(desk.engine(), permissions).await;
    desk.caller = established(claims_of(BOB, &[&[&key]]));
}

/// Fields of articles, a rule that a value breaks, and that value in all the ways to write it.
fn spellings() -> Vec<(&'static str, Value, Vec<Value>)> {
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    vec![
        (
            "featured",
            json!({"_neq": true}),
            vec![json!(true), json!("true"), json!(1), json!("1")],
        ),
        ("featured", json!({"_eq": "false"}), vec![json!(true), json!("1")]),
        ("featured", json!({"_nin": ["true"]}), vec![json!(1), json!(true)]),
        (
            "views",
            json!({"_neq": 1}),
            vec![json!(1), json!("01"), number("1e0"), number("1.0"), json!("1")],
        ),
        (
            "views",
            json!({"_nin": ["1", 2]}),
            vec![json!("01"), number("1e0"), number("20e-1")],
        ),
        (
            "views",
            json!({"_nbetween": [5, 15]}),
            vec![json!("010"), number("1e1")],
        ),
        (
            "views",
            json!({"_lt": 10}),
            vec![number("1e1"), json!("0010"), json!(11)],
        ),
        (
            "big",
            json!({"_neq": "9007199254740993"}),
            vec![number("9007199254740993"), number("9007199254740993.0")],
        ),
        (
            "price",
            json!({"_neq": 1.5}),
            vec![number("1.50"), json!("1.500"), number("15e-1"), json!("01.5")],
        ),
        (
            "price",
            json!({"_lte": 10}),
            vec![number("1.1e1"), json!("10.001")],
        ),
        (
            "rating",
            json!({"_neq": 0.5}),
            vec![json!("0.50"), number("5e-1")],
        ),
        (
            "day",
            json!({"_neq": "2026-01-31"}),
            vec![json!("2026-01-31T10:00:00Z"), json!("2026-01-31T01:00:00+01:00")],
        ),
        (
            "at",
            json!({"_neq": "13:45:00"}),
            vec![json!("13:45"), json!("13:45:00.000")],
        ),
        (
            "event_at",
            json!({"_neq": "2026-01-31T00:00:00"}),
            vec![json!("2026-01-31"), json!("2026-01-31T01:00:00+01:00")],
        ),
        (
            "published_on",
            json!({"_neq": "2026-01-01T00:00:00Z"}),
            vec![json!("2026-01-01T02:00:00+02:00"), json!("2026-01-01")],
        ),
        (
            "published_on",
            json!({"_nin": "2026-01-01,2027-01-01"}),
            vec![json!("2026-01-01T02:00:00+02:00")],
        ),
        (
            "token",
            json!({"_neq": BOB.to_uppercase()}),
            vec![json!(BOB), json!(BOB.to_uppercase())],
        ),
        ("token", json!({"_nin": [BOB]}), vec![json!(BOB.to_uppercase())]),
        (
            "labels",
            json!({"_neq": "a,b"}),
            vec![json!("a,b"), json!(["a", "b"]), json!("\"a\",b")],
        ),
        (
            "labels",
            json!({"_ncontains": "a,b"}),
            vec![json!(["a", "b"]), json!("a,b")],
        ),
        (
            "labels",
            json!({"_nstarts_with": "a"}),
            vec![json!(["a", "b"]), json!("a")],
        ),
        (
            "data",
            json!({"_ncontains": "secret"}),
            vec![json!({"secret": 1}), json!("{\"secret\": 1}")],
        ),
        (
            "data",
            json!({"_neq": {"a": 1}}),
            vec![json!("{\"a\": 1}"), json!({"a": number("1.0")})],
        ),
        ("slug", json!({"_neq": "5"}), vec![json!(5), json!("5")]),
    ]
}

#[tokio::test]
async fn permissions_see_values_as_they_will_be_stored() {
    let mut desk = desk(json!([])).await;
    for (field, rule, values) in spellings().into_iter() {
        let permissions = json!([
            {"collection": "articles", "action": ["create", "update"], "validation": {field: rule}},
            {"collection": "articles", "action": "read"},
        ]);
        with(&mut desk, permissions).await;
        for value in values {
            let failed = [format!("FAILED_VALIDATION {field}")];
            let created = desk.create("articles", json!({"title": "x", field: value})).await;
            assert_eq!(refused(created), failed, "{rule} {value}");
            let updated = desk.update("articles", json!([1]), json!({field: value})).await;
            assert_eq!(refused(updated), failed, "{rule} {value}");
        }
        // Another value passes.
        let other = desk.update("articles", json!([1]), json!({field: null})).await;
        let negative = !["_lt", "_lte", "_eq"].iter().any(|name| rule.get(name).is_some());
        assert_eq!(other.is_ok(), negative, "{rule} null");
    }
}

#[tokio::test]
async fn fields_see_values_as_they_will_be_stored() {
    let paper = newspaper().await;
    let admin = administrator();
    for (i, (field, rule, values)) in spellings().into_iter().enumerate() {
        let schema = paper.engine.schema();
        let ty = schema
            .collection("articles")
            .unwrap()
            .field(field)
            .unwrap()
            .ty
            .name();
        let name = format!("own{i}");
        let body =
            json!({"field": name, "type": ty, "meta": {"validation": {"_and": [{name.as_str(): rule}]}}});
        paper.engine.create_field(&admin, "articles", body).await.unwrap();
        for value in values {
            let row = record(json!({"title": "x", name.as_str(): value}));
            let created = paper
                .engine
                .create_items(&admin, "articles", vec![row], &WriteOptions::default())
                .await;
            assert_eq!(
                refused(created),
                [format!("FAILED_VALIDATION {name}")],
                "{rule} {value}"
            );
        }
    }
}

#[tokio::test]
async fn presets_defaults_and_what_the_system_fills_in_are_seen_too() {
    let mut desk = desk(json!([])).await;
    let create = |more: Value| {
        let mut permission = json!({"collection": "articles", "action": "create"});
        permission
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!([permission, {"collection": "articles", "action": "read"}])
    };
    let table = [
        // A preset, written otherwise than it is stored.
        (
            json!({"presets": {"views": "01"}, "validation": {"views": {"_neq": 1}}}),
            json!({}),
            Some("views"),
        ),
        (
            json!({"presets": {"featured": "1"}, "validation": {"featured": {"_eq": true}}}),
            json!({}),
            None,
        ),
        (
            json!({"presets": {"views": "01"}, "validation": {"views": {"_neq": 1}}}),
            json!({"views": 2}),
            None,
        ),
        // A constant of the column; null is a value of its own.
        (
            json!({"validation": {"status": {"_neq": "draft"}}}),
            json!({}),
            Some("status"),
        ),
        (
            json!({"validation": {"status": {"_nnull": true, "_eq": "draft"}}}),
            json!({}),
            None,
        ),
        (
            json!({"validation": {"status": {"_submitted": true}}}),
            json!({}),
            Some("status"),
        ),
        (
            json!({"validation": {"status": {"_eq": "draft"}}}),
            json!({"status": null}),
            Some("status"),
        ),
        // What the system puts there, whatever was sent.
        (
            json!({"validation": {"created_by": {"_neq": "$CURRENT_USER"}}}),
            json!({}),
            Some("created_by"),
        ),
        (
            json!({"validation": {"created_by": {"_eq": "$CURRENT_USER"}}}),
            json!({"created_by": null}),
            None,
        ),
        (
            json!({"validation": {"created": {"_gt": "$NOW"}}}),
            json!({"created": "2030-01-01T00:00:00Z"}),
            Some("created"),
        ),
        // The key that the database counts.
        (json!({"validation": {"id": {"_lt": 1000}}}), json!({}), None),
        (json!({"validation": {"id": {"_lt": 5}}}), json!({}), Some("id")),
        (json!({"validation": {"id": {"_nnull": true}}}), json!({}), None),
    ];
    let mut made = 0;
    for (permission, data, expect) in table {
        with(&mut desk, create(permission.clone())).await;
        let mut row = json!({"title": "x"});
        row.as_object_mut()
            .unwrap()
            .extend(data.as_object().unwrap().clone());
        let done = desk.create("articles", row).await;
        match expect {
            Some(field) => assert_eq!(
                refused(done),
                [format!("FAILED_VALIDATION {field}")],
                "{permission} {data}"
            ),
            None => {
                done.unwrap_or_else(|error| panic!("{permission} {data}: {:?}", error.problems()));
                made += 1;
                let newest = column(desk.engine(), "articles", "id").await.pop().unwrap();
                desk.paper.delete("articles", json!([newest])).await.unwrap();
            }
        }
    }
    assert_eq!(
        column(desk.engine(), "articles", "id").await.len(),
        5,
        "{made} were made and taken away"
    );
}

#[tokio::test]
async fn choices_know_every_way_to_write_a_value() {
    let mut desk = desk(json!([])).await;
    let choices = |values: Value| {
        let choices: Value = values
            .as_array()
            .unwrap()
            .iter()
            .map(|value| json!({"text": "c", "value": value}))
            .collect();
        json!({"options": {"choices": choices}})
    };
    let admin = administrator();
    for (name, ty, values) in [
        ("size", "integer", json!(["1", 2])),
        ("rate", "decimal", json!([1.5, "2.00"])),
        ("flag", "boolean", json!(["true"])),
        ("many", "csv", json!(["a", "b"])),
    ] {
        let body = json!({"field": name, "type": ty, "meta": choices(values)});
        desk.engine()
            .create_field(&admin, "articles", body)
            .await
            .unwrap();
    }
    with(
        &mut desk,
        json!([{"collection": "articles", "action": ["create", "read"]}]),
    )
    .await;
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for (name, value, fits) in [
        ("size", number("1e0"), true),
        ("size", json!("02"), true),
        ("size", json!("03"), false),
        ("rate", number("1.50"), true),
        ("rate", json!(2), true),
        ("rate", json!("3"), false),
        ("flag", json!(1), true),
        ("flag", json!("0"), false),
        ("many", json!("b,a"), true),
        ("many", json!(["a,b"]), false),
        ("many", json!(["\"a\""]), false),
        ("many", json!("a,c"), false),
    ] {
        let done = desk.create("articles", json!({"title": "x", name: value})).await;
        assert_eq!(done.is_ok(), fits, "{name} {value}: {done:?}");
    }
    // What a permission fills in has to be a choice as well.
    with(
        &mut desk,
        json!([{"collection": "articles", "action": "create", "presets": {"size": "03"}}]),
    )
    .await;
    let told = desk.create("articles", json!({"title": "x"})).await;
    assert_eq!(refused(told), ["FAILED_VALIDATION size"]);
}

/// Comments of article 2 alone, tags other than this one, texts other than this one.
fn pointing(tag: i64, text: i64) -> Value {
    json!([
        {"collection": "articles", "action": ["create", "read", "update"]},
        {"collection": "authors", "action": ["create", "read"]},
        {"collection": "comments", "action": ["create", "update"], "validation": {"article": {"_in": [2, 4]}}},
        {"collection": "comments", "action": ["read"]},
        {"collection": "tags", "action": ["create", "read"]},
        {"collection": "articles_tags", "action": ["create"], "validation": {"articles_id": {"_lt": 6}, "tags_id": {"_neq": tag}}},
        {"collection": "texts", "action": ["create", "read"]},
        {"collection": "articles_blocks", "action": ["create"], "validation": {"articles_id": {"_lt": 6}, "item": {"_neq": text.to_string()}}},
    ])
}

#[tokio::test]
async fn a_key_that_the_database_counts_is_seen_once_it_is_there() {
    let mut desk = desk(pointing(5, 4)).await;
    insert(
        desk.engine(),
        "comments",
        &[json!({"id": 1, "text": "one", "article": 2})],
    )
    .await;
    let before = everything(&desk).await;
    let table = [
        // Made under an article that is made with them: it gets the key 6.
        (
            "articles",
            json!({"title": "x", "comments": [{"text": "new"}]}),
            "FAILED_VALIDATION comments[0].article",
        ),
        (
            "articles",
            json!({"title": "x", "comments": {"create": [{"text": "new"}]}}),
            "FAILED_VALIDATION comments.create[0].article",
        ),
        // Changed, or linked by their keys.
        (
            "articles",
            json!({"title": "x", "comments": [{"id": 1, "text": "moved"}]}),
            "FAILED_VALIDATION comments[0].article",
        ),
        (
            "articles",
            json!({"title": "x", "comments": [1]}),
            "FORBIDDEN comments[0]",
        ),
        (
            "articles",
            json!({"title": "x", "comments": {"update": [1]}}),
            "FORBIDDEN comments.update[0]",
        ),
        (
            "articles",
            json!({"title": "x", "comments": {"update": [{"id": 1}]}}),
            "FAILED_VALIDATION comments.update[0].article",
        ),
        // Rows of a junction, from either side of which the key is not known.
        (
            "articles",
            json!({"title": "x", "tags": [{"tags_id": 1}]}),
            "FAILED_VALIDATION tags[0].articles_id",
        ),
        (
            "articles",
            json!({"title": "x", "tags": [{"tags_id": {"name": "new"}}]}),
            "FAILED_VALIDATION tags[0].articles_id",
        ),
        (
            "articles",
            json!({"title": "x", "blocks": [{"collection": "texts", "item": {"body": "new"}}]}),
            "FAILED_VALIDATION blocks[0].articles_id",
        ),
        // At any depth.
        (
            "authors",
            json!({"name": "x", "articles": [{"title": "y", "comments": [{"text": "new"}]}]}),
            "FAILED_VALIDATION articles[0].comments[0].article",
        ),
    ];
    for (collection, data, expect) in table {
        let told = desk.create(collection, data.clone()).await;
        assert_eq!(refused(told), [expect], "{data}");
        assert_eq!(everything(&desk).await, before, "{data}");
    }
    // What the new item on the other side of a junction is counted as: the next one is fine, the one after it is not.
    // What was refused may have used up numbers.
    insert(desk.engine(), "tags", &[json!({"name": "third"})]).await;
    insert(desk.engine(), "texts", &[json!({"body": "last"})]).await;
    let tag = column(desk.engine(), "tags", "id").await.pop().unwrap();
    let text = column(desk.engine(), "texts", "id").await.pop().unwrap();
    let (tags, texts) = (
        column(desk.engine(), "tags", "id").await.len(),
        column(desk.engine(), "texts", "id").await.len(),
    );
    with(
        &mut desk,
        pointing(tag.as_i64().unwrap() + 2, text.as_i64().unwrap() + 2),
    )
    .await;
    let tag = json!({"tags": {"create": [{"tags_id": {"name": "fourth"}}]}});
    desk.update("articles", json!([1]), tag).await.unwrap();
    let told = desk
        .update(
            "articles",
            json!([1]),
            json!({"tags": {"create": [{"tags_id": {"name": "fifth"}}]}}),
        )
        .await;
    assert_eq!(refused(told), ["FAILED_VALIDATION tags.create[0].tags_id"]);
    let block = json!({"blocks": {"create": [{"collection": "texts", "item": {"body": "new"}}]}});
    desk.update("articles", json!([1]), block.clone()).await.unwrap();
    let told = desk.update("articles", json!([1]), block).await;
    assert_eq!(refused(told), ["FAILED_VALIDATION blocks.create[0].item"]);
    assert_eq!(column(desk.engine(), "tags", "id").await.len(), tags + 1);
    assert_eq!(column(desk.engine(), "texts", "id").await.len(), texts + 1);
}

#[tokio::test]
async fn what_must_be_given_may_be_what_the_item_above_gives() {
    let mut desk = desk(json!([])).await;
    for rule in [
        json!({"_nnull": true}),
        json!({"_submitted": true}),
        json!({"_gt": 5}),
    ] {
        let comments = json!({"collection": "comments", "action": "create", "validation": {"article": rule}});
        with(
            &mut desk,
            json!([{"collection": "articles", "action": ["create", "read"]}, comments]),
        )
        .await;
        let made = desk
            .create("articles", json!({"title": "x", "comments": [{"text": "new"}]}))
            .await;
        made.unwrap_or_else(|error| panic!("{rule}: {:?}", error.problems()));
    }
}

#[tokio::test]
async fn the_rule_of_a_field_that_points_is_asked_as_well() {
    let paper = newspaper().await;
    let rule =
        json!({"meta": {"validation": {"article": {"_lt": 6}}, "validation_message": "Old articles only."}});
    paper
        .engine
        .update_field(&administrator(), "comments", "article", rule)
        .await
        .unwrap();
    let under = |article: Value| json!({"title": "x", "id": article, "comments": [{"text": "new"}]});
    for article in [json!(null), json!(77)] {
        let told = paper.create("articles", under(article.clone())).await;
        let problems = told.expect_err("should be refused").problems().0;
        assert_eq!(problems[0].path, "comments[0].article", "{article}");
        assert_eq!(problems[0].hint.as_deref(), Some("Old articles only."));
    }
    assert_eq!(column(&paper.engine, "articles", "id").await.len(), 5);
    let fine = json!({"comments": {"create": [{"text": "new"}]}});
    paper.update("articles", json!([1]), fine).await.unwrap();
}

#[tokio::test]
async fn rules_on_what_a_field_leads_to_are_asked_of_that_item() {
    let desk = desk(json!([
        {"collection": "articles", "action": ["create", "update"], "validation": {"author": {"name": {"_eq": "Ada"}}}},
        {"collection": "articles", "action": "read"},
        {"collection": "authors", "action": ["create", "read", "update"]},
        {"collection": "comments", "action": ["create", "update"], "validation": {"article": {"status": {"_eq": "draft"}, "author": {"name": {"_neq": "Bob"}}}}},
        {"collection": "comments", "action": "read"},
    ]))
    .await;
    insert(
        desk.engine(),
        "comments",
        &[json!({"id": 1, "text": "one", "article": 2})],
    )
    .await;
    let table = [
        // By key, with a change of it, new.
        (json!({"author": 1}), None),
        (json!({"author": 2}), Some("author.name")),
        (json!({"author": null}), Some("author.name")),
        (json!({"author": {"id": 1}}), None),
        (json!({"author": {"id": 2}}), Some("author.name")),
        (json!({"author": {"id": 1, "born": "1815-12-10"}}), None),
        (
            json!({"author": {"id": 2, "born": "1990-05-05"}}),
            Some("author.name"),
        ),
        (json!({"author": {"id": 3, "name": "Ada"}}), None),
        (json!({"author": {"name": "Ada"}}), None),
        (json!({"author": {"name": "Eve"}}), Some("author.name")),
        (
            json!({"author": {"id": 1, "name": "Ada L."}}),
            Some("author.name"),
        ),
        (json!({}), None),
        // From the other side.
        (json!({"comments": [{"text": "new"}]}), None),
        (
            json!({"status": "published", "comments": [{"text": "new"}]}),
            Some("comments[0].article.status"),
        ),
        (
            json!({"status": "draft", "author": {"name": "Ada"}, "comments": [{"text": "new"}]}),
            None,
        ),
    ];
    for (data, expect) in table {
        let mut row = json!({"title": "x"});
        row.as_object_mut()
            .unwrap()
            .extend(data.as_object().unwrap().clone());
        let done = desk.create("articles", row).await;
        match expect {
            Some(path) => assert_eq!(refused(done), [format!("FAILED_VALIDATION {path}")], "{data}"),
            None => assert!(
                done.is_ok(),
                "{data} {:?}",
                done.map_err(|error| error.problems())
            ),
        }
        if data.get("comments").is_none() {
            let done = desk.update("articles", json!([4]), data.clone()).await;
            assert_eq!(done.is_ok(), expect.is_none(), "{data}");
        }
    }
    // Article 1 is published, 2 a draft of Ada's; made Bob's, nothing may be put under it any more.
    let link = json!({"comments": {"update": [1]}});
    assert_eq!(
        refused(desk.update("articles", json!([1]), link.clone()).await),
        ["FORBIDDEN comments.update[0]"]
    );
    desk.update("articles", json!([2]), link.clone()).await.unwrap();
    desk.paper
        .update("articles", json!([2]), json!({"author": 2}))
        .await
        .unwrap();
    assert_eq!(
        refused(desk.update("articles", json!([2]), link).await),
        ["FORBIDDEN comments.update[0]"]
    );
    let create = json!({"comments": {"create": [{"text": "new"}]}});
    assert_eq!(
        refused(desk.update("articles", json!([2]), create).await),
        ["FAILED_VALIDATION comments.create[0].article.author.name"]
    );
}

#[tokio::test]
async fn what_a_new_item_does_not_get_is_nothing_for_whoever_points_to_it() {
    let desk = desk(json!([
        {"collection": "articles", "action": "create", "validation": {"author": {"born": {"_lt": "1900-01-01"}}}},
        {"collection": "articles", "action": "read"},
        {"collection": "authors", "action": ["create", "read"]},
    ]))
    .await;
    // By key, and new: neither has a date.
    for author in [
        json!(3),
        json!({"name": "New"}),
        json!({"name": "New", "born": null}),
    ] {
        let told = desk
            .create("articles", json!({"title": "x", "author": author}))
            .await;
        assert_eq!(refused(told), ["FAILED_VALIDATION author.born"], "{author}");
    }
    let old = json!({"title": "x", "author": {"name": "Old", "born": "1815-12-10"}});
    desk.create("articles", old).await.unwrap();
}

#[tokio::test]
async fn rules_on_what_is_hidden_say_nothing_but_no() {
    let mut desk = desk(json!([])).await;
    let table = [
        json!({"presets": {"status": "published"}, "validation": {"status": {"_eq": "draft"}}}),
        json!({"validation": {"status": {"_eq": "published"}}}),
        json!({"validation": {"created_by": {"_null": true}}}),
        json!({"validation": {"author": {"born": {"_lt": "1900-01-01"}}}}),
        json!({"presets": {"code": "abc"}}),
    ];
    for rule in table {
        let mut create = json!({"collection": "articles", "action": "create", "fields": ["title", "author"]});
        create
            .as_object_mut()
            .unwrap()
            .extend(rule.as_object().unwrap().clone());
        let authors = json!({"collection": "authors", "action": "read", "fields": ["name"]});
        with(&mut desk, json!([create, authors])).await;
        let told = desk.create("articles", json!({"title": "x", "author": 2})).await;
        assert_eq!(refused(told), ["FORBIDDEN "], "{rule}");
    }
}

/// Keys of everything that the requests of a test could make or change.
async fn everything(desk: &Desk) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for (collection, field) in [
        ("articles", "id"),
        ("authors", "id"),
        ("comments", "text"),
        ("comments", "article"),
        ("tags", "name"),
        ("articles_tags", "articles_id"),
        ("texts", "id"),
        ("articles_blocks", "id"),
    ] {
        all.push(column(desk.engine(), collection, field).await);
    }
    all
}
