//! What callers with permissions write: fields, items, values that are filled in, and what receipts and refusals say.

use loggia_access::{TokenFacts, TokenMode};
use loggia_engine::items::{Selection, Target, WriteOptions};
use loggia_model::Query;
use serde_json::{Value, json};

use super::desk::{BOB, Desk, desk, words};
use crate::fixture::{claims_of, column, established, insert, refused};
use crate::items::newspaper::{all_fields, record};

/// Drafts are written and corrected; what is published may only get more views.
async fn editor() -> Desk {
    desk(json!([
        {"collection": "articles", "action": "read", "fields": ["title", "status", "views"],
         "permissions": {"status": {"_in": ["draft", "published"]}}},
        {"collection": "articles", "action": "create", "fields": ["title", "body", "slug", "author"],
         "presets": {"status": "draft", "created_by": "$CURRENT_USER", "views": 7},
         "validation": {"title": {"_nin": ["Forbidden"]}}},
        {"collection": "articles", "action": "update", "fields": ["title"],
         "permissions": {"status": {"_eq": "draft"}}, "validation": {"title": {"_neq": "Forbidden"}}},
        {"collection": "articles", "action": "update", "fields": ["views"]},
        {"collection": "articles", "action": "delete", "permissions": {"status": {"_eq": "draft"}}},
    ]))
    .await
}

#[tokio::test]
async fn new_items_have_what_permissions_fill_in() {
    let desk = editor().await;
    let made = desk
        .create("articles", json!({"title": "New", "body": "Text"}))
        .await
        .unwrap();
    let row = Value::Object(made.rows[0].clone());
    assert_eq!(
        row,
        json!({"id": 6, "title": "New", "status": "draft", "views": 7})
    );
    let stored = desk
        .paper
        .item("articles", 6, json!(["body", "status", "created_by", "views"]))
        .await;
    assert_eq!(
        stored,
        json!({"body": "Text", "status": "draft", "created_by": BOB, "views": 7})
    );
    // The receipt says what was filled in, of what the caller may read.
    let mut filled: Vec<_> = made
        .receipt
        .defaulted
        .iter()
        .map(|(path, _)| path.as_str())
        .collect();
    filled.sort_unstable();
    assert_eq!(filled, ["id", "status", "views"]);
}

#[tokio::test]
async fn a_field_that_is_not_granted_is_an_unknown_one() {
    let desk = editor().await;
    for hidden in ["status", "secret", "comments", "tags", "qqqqqq"] {
        let told = words(desk.create("articles", json!({"title": "x", hidden: "x"})).await);
        let absent = words(
            desk.create("articles", json!({"title": "x", "qqqqqq": "x"}))
                .await,
        );
        let bare = |word: &str| {
            word.split(" Fields:")
                .next()
                .unwrap_or(word)
                .split(" Did you")
                .next()
                .unwrap_or(word)
                .to_owned()
        };
        assert_eq!(told.len(), 1);
        assert_eq!(bare(&told[0]), bare(&absent[0]).replace("qqqqqq", hidden));
        assert!(
            !told[0].contains("comments,") && !told[0].contains("rating"),
            "{told:?}"
        );
    }
    // The action decides: what may be given to a new item may be closed afterwards.
    let told = refused(
        desk.update("articles", json!([2]), json!({"body": "x", "slug": "x"}))
            .await,
    );
    assert_eq!(told, ["INVALID_PAYLOAD body", "INVALID_PAYLOAD slug"]);
}

#[tokio::test]
async fn items_that_may_not_be_written_look_missing() {
    let desk = editor().await;
    desk.update("articles", json!([2, 4]), json!({"title": "x"}))
        .await
        .unwrap();
    // 1 is published, 5 is not even visible, 99 is not there.
    for keys in [json!([1]), json!([5]), json!([99]), json!([2, 1])] {
        let key = keys.as_array().unwrap().last().unwrap().clone();
        let told = words(desk.update("articles", keys.clone(), json!({"title": "y"})).await);
        let absent = words(desk.update("articles", json!([99]), json!({"title": "y"})).await);
        assert_eq!(told, [absent[0].replace("99", &key.to_string())], "{keys}");
        let told = words(desk.delete("articles", keys.clone()).await);
        let absent = words(desk.delete("articles", json!([99])).await);
        assert_eq!(told, [absent[0].replace("99", &key.to_string())], "{keys}");
    }
    // Views may change everywhere; together with the title, only where both may.
    desk.update("articles", json!([1, 5]), json!({"views": 1}))
        .await
        .unwrap();
    assert_eq!(
        refused(
            desk.update("articles", json!([1]), json!({"views": 1, "title": "y"}))
                .await
        ),
        ["FORBIDDEN "]
    );
    assert_eq!(
        column(desk.engine(), "articles", "title").await,
        ["Alpha", "x", "Gamma", "x", "Empty"]
    );
    desk.delete("articles", json!([2])).await.unwrap();
}

#[tokio::test]
async fn a_query_changes_what_it_finds_and_may_be_changed() {
    let desk = editor().await;
    let query = || Query::from_json(&json!({"filter": {"views": {"_gte": 0}}})).unwrap();
    let target = Target::Query {
        query: query(),
        data: record(json!({"title": "x"})),
    };
    let written = desk
        .engine()
        .update_items(&desk.caller, "articles", target, &all_fields())
        .await
        .unwrap();
    assert_eq!(written.keys, [json!(2), json!(4)]);
    let selection = Selection::Query(query());
    let written = desk
        .engine()
        .delete_items(&desk.caller, "articles", selection, &WriteOptions::default())
        .await
        .unwrap();
    assert_eq!(written.keys, [json!(2), json!(4)]);
    assert_eq!(column(desk.engine(), "articles", "id").await, [1, 3, 5]);
}

#[tokio::test]
async fn values_must_pass_the_validation_of_a_permission_that_grants_them() {
    let desk = editor().await;
    let told = refused(
        desk.create("articles", json!([{"title": "Forbidden"}, {"title": "ok"}]))
            .await,
    );
    assert_eq!(told, ["FAILED_VALIDATION [0].title"]);
    let told = refused(
        desk.update("articles", json!([2]), json!({"title": "Forbidden"}))
            .await,
    );
    assert_eq!(told, ["FAILED_VALIDATION title"]);
    assert_eq!(column(desk.engine(), "articles", "id").await.len(), 5);
}

#[tokio::test]
async fn new_items_must_be_such_as_may_be_made() {
    let desk = desk(json!([
        {"collection": "articles", "action": "create", "permissions": {"views": {"_lt": 100}}},
        {"collection": "articles", "action": "read", "fields": ["title"]},
    ]))
    .await;
    desk.create("articles", json!({"title": "few", "views": 99}))
        .await
        .unwrap();
    let told = desk
        .create(
            "articles",
            json!([{"title": "few", "views": 1}, {"title": "many", "views": 100}]),
        )
        .await;
    assert_eq!(refused(told), ["FORBIDDEN "]);
    assert_eq!(
        column(desk.engine(), "articles", "id").await.len(),
        6,
        "nothing of it was kept"
    );
}

#[tokio::test]
async fn whoever_may_write_and_not_read_gets_no_items_back() {
    let desk = desk(json!([{"collection": "articles", "action": ["create", "update", "delete"]}])).await;
    let made = desk.create("articles", json!({"title": "Blind"})).await.unwrap();
    assert_eq!((made.rows.len(), made.keys.clone()), (0, vec![json!(6)]));
    assert_eq!(made.receipt.defaulted, [("id".to_owned(), json!(6))]);
    let changed = desk
        .update("articles", json!([1, 6]), json!({"title": "Blind"}))
        .await
        .unwrap();
    assert!(changed.rows.is_empty());
    assert_eq!(refused(desk.page("articles", json!({})).await), ["FORBIDDEN "]);
    desk.delete("articles", json!([6])).await.unwrap();
}

#[tokio::test]
async fn what_collides_with_something_that_is_not_seen_is_denied() {
    let desk = desk(json!([
        {"collection": "articles", "action": "create", "fields": ["title", "slug"]},
        {"collection": "articles", "action": "read", "fields": ["title", "slug"], "permissions": {"status": {"_eq": "published"}}},
    ]))
    .await;
    // "alpha" is published, "beta" is a draft.
    assert_eq!(
        refused(
            desk.create("articles", json!({"title": "x", "slug": "alpha"}))
                .await
        ),
        ["RECORD_NOT_UNIQUE slug"]
    );
    assert_eq!(
        refused(
            desk.create("articles", json!({"title": "x", "slug": "beta"}))
                .await
        ),
        ["FORBIDDEN "]
    );
    assert_eq!(
        refused(desk.create("articles", json!({"title": "x", "id": 1})).await),
        ["RECORD_NOT_UNIQUE id"]
    );
    assert_eq!(
        refused(desk.create("articles", json!({"title": "x", "id": 2})).await),
        ["FORBIDDEN "]
    );
}

#[tokio::test]
async fn what_still_points_to_an_item_is_named_as_far_as_it_is_seen() {
    let permissions = |comments: Value| {
        json!([
            {"collection": "articles", "action": ["delete", "read"]},
            {"collection": "comments", "action": "read", "fields": comments, "permissions": {"text": "seen"}},
        ])
    };
    for (fields, article, expect) in [
        (json!(["article", "text"]), 1, vec!["INVALID_FOREIGN_KEY "]),
        (json!(["article", "text"]), 2, vec!["FORBIDDEN "]),
        (json!(["text"]), 1, vec!["FORBIDDEN "]),
    ] {
        let desk = desk(permissions(fields.clone())).await;
        let comments = [
            json!({"id": 1, "text": "seen", "article": 1}),
            json!({"id": 2, "text": "hidden", "article": 1}),
            json!({"id": 3, "text": "hidden", "article": 2}),
        ];
        insert(desk.engine(), "comments", &comments).await;
        let told = desk.delete("articles", json!([article])).await;
        let told = told.expect_err("should be refused").problems();
        let codes: Vec<_> = told
            .0
            .iter()
            .map(|problem| format!("{} ", problem.code.name))
            .collect();
        assert_eq!(codes, expect, "{fields} {article}");
        assert!(
            !format!("{told:?}").contains("2 item"),
            "what is not seen is not counted"
        );
    }
}

#[tokio::test]
async fn keys_of_items_that_are_not_seen_are_keys_that_do_not_exist() {
    let desk = desk(json!([
        {"collection": "articles", "action": ["create", "update", "read"], "fields": ["title", "author"]},
        {"collection": "authors", "action": "read", "permissions": {"name": "Ada"}},
    ]))
    .await;
    desk.create("articles", json!({"title": "x", "author": 1}))
        .await
        .unwrap();
    let hidden = words(desk.create("articles", json!({"title": "x", "author": 2})).await);
    let absent = words(desk.create("articles", json!({"title": "x", "author": 99})).await);
    assert_eq!(hidden[0].replace('2', "99"), absent[0]);
    // That the request changes it does not make it a new one.
    let tree = super::desk::desk(json!([{"collection": "nodes", "action": ["create", "update"]}])).await;
    let key = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    insert(tree.engine(), "nodes", &[json!({"id": key, "name": "hidden"})]).await;
    let told = tree
        .create(
            "nodes",
            json!({"name": "x", "parent": {"id": key, "parent": key}}),
        )
        .await;
    assert_eq!(refused(told), ["INVALID_FOREIGN_KEY parent.parent"]);
    // Where the other collection is not known at all, neither is its name.
    let blind = super::desk::desk(
        json!([{"collection": "articles", "action": ["create", "read"], "fields": ["title", "author"]}]),
    )
    .await;
    for key in [1, 99] {
        let told = words(
            blind
                .create("articles", json!({"title": "x", "author": key}))
                .await,
        );
        assert!(
            told[0].starts_with("INVALID_FOREIGN_KEY") && !told[0].contains("authors"),
            "{told:?}"
        );
    }
    let told = words(
        blind
            .create("articles", json!({"title": "x", "author": {"name": "New"}}))
            .await,
    );
    assert!(
        told[0].starts_with("INVALID") && !told[0].contains("authors"),
        "{told:?}"
    );
}

#[tokio::test]
async fn nested_items_are_written_by_the_rights_on_their_own_collection() {
    let desk = desk(json!([
        {"collection": "articles", "action": ["create", "update", "read"], "fields": ["title", "author"]},
        {"collection": "authors", "action": "read"},
        {"collection": "authors", "action": "create", "fields": ["name"], "validation": {"name": {"_neq": "Nobody"}}},
        {"collection": "authors", "action": "update", "fields": ["name"], "permissions": {"name": "Ada"}},
    ]))
    .await;
    desk.create("articles", json!({"title": "x", "author": {"name": "New"}}))
        .await
        .unwrap();
    desk.update(
        "articles",
        json!([3]),
        json!({"author": {"id": 1, "name": "Ada L."}}),
    )
    .await
    .unwrap();
    // To be pointed to, an item need only be seen.
    desk.update("articles", json!([4]), json!({"author": {"id": 2}}))
        .await
        .unwrap();
    let told = refused(
        desk.create(
            "articles",
            json!([
                {"title": "x", "author": {"name": "Nobody"}},
                {"title": "x", "author": {"name": "y", "born": "2000-01-01"}},
                {"title": "x", "author": {"id": 2, "born": "2000-01-01"}},
            ]),
        )
        .await,
    );
    assert_eq!(
        told,
        [
            "INVALID_PAYLOAD [1].author.born",
            "INVALID_PAYLOAD [2].author.born",
            "FAILED_VALIDATION [0].author.name",
            // Bob may not be changed at all.
            "FORBIDDEN "
        ]
    );
    let told = refused(
        desk.update(
            "articles",
            json!([3]),
            json!({"author": {"id": 2, "name": "Robert"}}),
        )
        .await,
    );
    assert_eq!(told, ["FORBIDDEN "]);
    assert_eq!(
        column(desk.engine(), "authors", "name").await,
        ["Ada L.", "Bob", "Cleo", "New"]
    );
}

#[tokio::test]
async fn an_empty_list_of_fields_grants_the_key_alone() {
    for fields in [json!([]), json!(null)] {
        let desk = desk(json!([
            {"collection": "articles", "action": "read", "fields": fields},
            {"collection": "articles", "action": "update", "fields": fields},
            {"collection": "articles", "action": "create", "fields": fields, "presets": {"title": "Preset", "status": "draft"}},
            {"collection": "articles", "action": "delete", "fields": fields, "permissions": {"id": {"_gt": 5}}},
        ]))
        .await;
        let all = desk.rows("articles", json!({"sort": ["-id"], "limit": 1})).await;
        assert_eq!(all, json!([{"id": 5}]));
        for name in ["title", "qqqqqq"] {
            let told = refused(desk.page("articles", json!({"filter": {name: "Alpha"}})).await);
            assert_eq!(told, [format!("FORBIDDEN filter.{name}")]);
            let told = refused(desk.create("articles", json!({name: "x"})).await);
            assert_eq!(told, [format!("INVALID_PAYLOAD {name}")]);
            let told = refused(desk.update("articles", json!([1]), json!({name: "x"})).await);
            assert_eq!(told, [format!("INVALID_PAYLOAD {name}")]);
        }
        let made = desk.create("articles", json!({})).await.unwrap();
        assert_eq!(made.rows, [record(json!({"id": 6}))]);
        let titles = column(desk.engine(), "articles", "title").await;
        assert_eq!(titles[0], "Alpha");
        assert_eq!(titles[5], "Preset");
        desk.delete("articles", json!([6])).await.unwrap();
    }
}

#[tokio::test]
async fn a_list_of_locales_or_statuses_that_is_empty_grants_nothing() {
    let desk = desk(
        json!([{"collection": "articles", "action": "read", "fields": ["status"], "statuses": ["draft"]}]),
    )
    .await;
    assert_eq!(desk.ids("articles", json!({})).await, json!([2, 4]));
    // As older versions stored it: what is there grants nothing, whatever it said then.
    let policy = desk.caller.claims().policies[0].clone();
    for action in ["read", "create", "update", "delete", "share", "publish"] {
        let row = json!({"policy": policy, "collection": "articles", "action": action, "fields": "*", "statuses": []});
        insert(desk.engine(), "directus_permissions", &[row]).await;
    }
    desk.engine().refresh().await.unwrap();
    assert_eq!(desk.ids("articles", json!({})).await, json!([2, 4]));
    assert_eq!(
        refused(desk.page("articles", json!({"fields": ["title"]})).await),
        ["FORBIDDEN fields[0]"]
    );
    assert_eq!(
        refused(desk.create("articles", json!({"title": "x"})).await),
        ["FORBIDDEN "]
    );
    assert_eq!(
        refused(desk.update("articles", json!([2]), json!({"title": "x"})).await),
        ["FORBIDDEN "]
    );
    assert_eq!(refused(desk.delete("articles", json!([2])).await), ["FORBIDDEN "]);
}

#[tokio::test]
async fn a_token_that_only_proposes_writes_nothing() {
    let mut desk =
        desk(json!([{"collection": "articles", "action": ["read", "create", "update", "delete"]}])).await;
    let policy = desk.caller.claims().policies[0].clone();
    let mut claims = claims_of(BOB, &[&[&policy]]);
    claims.token = Some(TokenFacts {
        id: "t".to_owned(),
        name: "Assistant".to_owned(),
        mode: TokenMode::Propose,
        changed_rows_per_hour: None,
    });
    desk.caller = established(claims);
    assert_eq!(desk.ids("articles", json!({"id": 1})).await, json!([1]));
    for told in [
        words(desk.create("articles", json!({"title": "x"})).await),
        words(desk.update("articles", json!([1]), json!({"title": "x"})).await),
        words(desk.delete("articles", json!([1])).await),
    ] {
        assert!(
            told[0].starts_with("FORBIDDEN This token only proposes"),
            "{told:?}"
        );
    }
}
