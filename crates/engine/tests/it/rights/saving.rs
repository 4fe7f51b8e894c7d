//! Permissions and settings that cannot be applied are refused when they are saved, with everything that is wrong.

use serde_json::{Value, json};

use crate::fixture::{administrator, permit, policy, refused};
use crate::items::newspaper::newspaper;
use loggia_engine::items::{Target, WriteOptions};
use loggia_model::Query;

#[tokio::test]
async fn a_permission_that_could_not_be_applied_is_refused() {
    let paper = newspaper().await;
    let key = policy(&paper.engine, json!([])).await;
    let cases: Vec<(Value, &[&str])> = vec![
        (
            json!({"fields": ["title", "titel"]}),
            &["INVALID_PAYLOAD fields[1]"],
        ),
        (
            json!({"permissions": {"titel": {"_eq": 1}}}),
            &["FORBIDDEN permissions.titel"],
        ),
        (
            json!({"permissions": {"title": {"_eqq": 1}}}),
            &["INVALID_QUERY permissions.title._eqq"],
        ),
        (
            json!({"permissions": {"views": {"_eq": "many"}}}),
            &["INVALID_QUERY permissions.views._eq"],
        ),
        (
            json!({"permissions": {"secret": {"_nnull": true}}}),
            &["INVALID_QUERY permissions.secret"],
        ),
        (
            json!({"permissions": {"title": {"_eq": "$CURRENT_USER.nothing"}}}),
            &["INVALID_QUERY permissions.title._eq"],
        ),
        (
            json!({"permissions": {"title": {"_eq": "$CURRENT_USER.password"}}}),
            &["INVALID_QUERY permissions.title._eq"],
        ),
        (
            json!({"permissions": {"title": {"_eq": "$CURRENT_ROLES"}}}),
            &["INVALID_QUERY permissions.title._eq"],
        ),
        (
            json!({"permissions": {"author": {"nothing": {"_eq": 1}}}}),
            &["FORBIDDEN permissions.author.nothing"],
        ),
        (json!({"permissions": []}), &["INVALID_PAYLOAD permissions"]),
        (
            json!({"validation": {"titel": {"_eq": 1}}}),
            &["INVALID_PAYLOAD validation.titel"],
        ),
        (
            json!({"validation": {"views": {"_neq": "many"}, "featured": {"_nin": [true, "maybe"]}, "day": "soon"}}),
            &[
                "INVALID_PAYLOAD validation.views._neq",
                "INVALID_PAYLOAD validation.featured._nin",
                "INVALID_PAYLOAD validation.day",
            ],
        ),
        (
            json!({"validation": {"_and": [{"title": {"_regex": "(?=a)"}}, {"title": {"_ncontains": ["a"]}}]}}),
            &[
                "INVALID_PAYLOAD validation._and.title._regex",
                "INVALID_PAYLOAD validation._and.title._ncontains",
            ],
        ),
        (
            json!({"validation": {"views": {"_null": "maybe", "_lt": null, "_nbetween": [1, {}]}}}),
            &[
                "INVALID_PAYLOAD validation.views._null",
                "INVALID_PAYLOAD validation.views._lt",
                "INVALID_PAYLOAD validation.views._nbetween",
            ],
        ),
        (
            json!({"presets": {"titel": 1, "views": "many"}}),
            &["INVALID_PAYLOAD presets.titel", "INVALID_PAYLOAD presets.views"],
        ),
        (json!({"locales": ["de"]}), &["INVALID_PAYLOAD locales"]),
        (json!({"locales": []}), &["INVALID_PAYLOAD locales"]),
        (
            json!({"statuses": " , ", "locales": ""}),
            &["INVALID_PAYLOAD locales", "INVALID_PAYLOAD statuses"],
        ),
        (
            json!({"collection": "not_yet", "statuses": []}),
            &["INVALID_PAYLOAD statuses"],
        ),
        (
            json!({"permissions": {"views": {"_between": ["$CURRENT_ROLES", 5]}}}),
            &["INVALID_QUERY permissions.views._between[0]"],
        ),
        (json!({"action": "destroy"}), &["FAILED_VALIDATION action"]),
        (
            json!({"permissions": {"titel": 1}, "validation": {"titel": {"_eq": 1}}, "locales": ["de"]}),
            &[
                "FORBIDDEN permissions.titel",
                "INVALID_PAYLOAD validation.titel",
                "INVALID_PAYLOAD locales",
            ],
        ),
    ];
    for (part, expect) in cases {
        let mut row = json!({"collection": "articles", "action": "read"});
        row.as_object_mut()
            .unwrap()
            .extend(part.as_object().unwrap().clone());
        assert_eq!(
            refused(permit(&paper.engine, &key, json!([row])).await),
            expect,
            "{part}"
        );
    }
    let fine = json!([
        {"collection": "articles", "action": "read", "permissions": {"_or": [
            {"created_by": {"_eq": "$CURRENT_USER"}},
            {"title": {"_in": "$CURRENT_USER.tags"}},
            {"author": {"name": {"_eq": "$CURRENT_ROLE.name"}}},
            {"published_on": {"_lt": "$NOW(-1 day)"}},
            {"published_on": {"_between": ["$NOW(-1 day)", "$NOW"]}},
            {"title": {"_between": ["$CURRENT_USER.title", "$CURRENT_USER.location"]}},
            {"title": {"_nbetween": "$CURRENT_USER.title,z"}},
            {"created_by": {"_between": ["$CURRENT_USER", "$CURRENT_USER"]}},
        ]}, "statuses": ["published"], "locales": null},
        {"collection": "articles", "action": "create", "presets": {"created_by": "$CURRENT_USER", "views": 1},
         "validation": {"title": {"_regex": "^[A-Z]", "_nin": "a,$CURRENT_USER.title"}, "views": {"_neq": "5", "_null": "false", "_gt": 0.5},
            "day": {"_between": ["$NOW(-1 day)", "$NOW"]}, "author": {"name": {"_eq": "$CURRENT_USER.first_name"}}}},
        {"collection": "*", "action": "read"},
        {"collection": "not_yet", "action": "read", "permissions": {"x": {"_eq": 1}}},
    ]);
    permit(&paper.engine, &key, fine).await.unwrap();
}

/// What is wrong with changing the permission `before` in this way, and whether nothing was changed then.
async fn changed(before: Value, data: Value) -> Vec<String> {
    let paper = newspaper().await;
    let admin = administrator();
    let key = policy(&paper.engine, json!([])).await;
    permit(&paper.engine, &key, json!([before])).await.unwrap();
    let rules = async || {
        let all = Query::default();
        let page = paper.engine.read_items(&admin, "directus_permissions", all).await;
        page.unwrap().rows
    };
    let before = rules().await;
    let last = before.last().unwrap()["id"].clone();
    let mut told = Vec::new();
    // One at a time, each in its own way, and nested in its policy.
    let with_key = |key: &Value| {
        let mut data = data.as_object().unwrap().clone();
        data.insert("id".to_owned(), key.clone());
        data
    };
    let one = Target::Keys {
        keys: vec![last.clone()],
        data: data.as_object().unwrap().clone(),
    };
    let each = Target::Each(vec![with_key(&last)]);
    let nested = Target::Keys {
        keys: vec![json!(key)],
        data: json!({"permissions": {"update": [with_key(&last)], "create": [], "delete": []}})
            .as_object()
            .unwrap()
            .clone(),
    };
    for (collection, target) in [
        ("directus_permissions", one),
        ("directus_permissions", each),
        ("directus_policies", nested),
    ] {
        let changed = paper
            .engine
            .update_items(&admin, collection, target, &WriteOptions::default())
            .await;
        let changed = match changed {
            Ok(_) => Vec::new(),
            Err(_) => refused(changed),
        };
        if !changed.is_empty() {
            assert_eq!(rules().await, before, "{data}");
        }
        let places = ["permissions.update[0].", "[0]."];
        let plain = |told: String| places.iter().fold(told, |told, place| told.replace(place, ""));
        told.push(changed.into_iter().map(plain).collect::<Vec<_>>());
    }
    assert_eq!(told[0], told[1], "{data}");
    assert_eq!(told[0], told[2], "{data}");
    told.remove(0)
}

#[tokio::test]
async fn a_permission_is_checked_as_it_will_be() {
    let articles = json!({"collection": "articles", "action": "update", "fields": ["title", "views"],
        "permissions": {"views": {"_gt": 5}}, "validation": {"title": {"_nnull": true}}, "presets": {"views": 1}});
    for (data, expect) in [
        (
            json!({"fields": ["title", "titel"]}),
            vec!["INVALID_PAYLOAD fields[1]"],
        ),
        (
            json!({"permissions": {"titel": {"_eq": 1}}}),
            vec!["FORBIDDEN permissions.titel"],
        ),
        (
            json!({"validation": {"titel": {"_eq": 1}}}),
            vec!["INVALID_PAYLOAD validation.titel"],
        ),
        (
            json!({"presets": {"views": "many"}}),
            vec!["INVALID_PAYLOAD presets.views"],
        ),
        (json!({"locales": ["de"]}), vec!["INVALID_PAYLOAD locales"]),
        // What stays must fit as well.
        (
            json!({"collection": "authors"}),
            vec![
                "INVALID_PAYLOAD fields[0]",
                "INVALID_PAYLOAD fields[1]",
                "INVALID_PAYLOAD presets.views",
            ],
        ),
        (
            json!({"collection": "authors", "fields": ["name"], "presets": null}),
            vec!["FORBIDDEN permissions.views", "INVALID_PAYLOAD validation.title"],
        ),
        (
            json!({"collection": "authors", "fields": ["name"], "presets": null, "permissions": null,
                "validation": {"name": {"_nnull": true}}}),
            vec![],
        ),
        (
            json!({"fields": ["title"], "permissions": {"title": {"_eq": "A"}}}),
            vec![],
        ),
        (json!({"action": "read"}), vec![]),
        (json!({"fields": null}), vec![]),
    ] {
        assert_eq!(changed(articles.clone(), data.clone()).await, expect, "{data}");
    }
    let everything = json!({"collection": "*", "action": "read"});
    assert_eq!(
        changed(
            everything.clone(),
            json!({"collection": "not_yet", "fields": ["x"]})
        )
        .await,
        Vec::<String>::new()
    );
    assert_eq!(
        changed(everything, json!({"collection": "articles", "fields": ["x"]})).await,
        ["INVALID_PAYLOAD fields[0]"]
    );
}

#[tokio::test]
async fn what_a_permission_does_not_say_can_change_whatever_else_is_gone() {
    let paper = newspaper().await;
    let admin = administrator();
    let key = policy(
        &paper.engine,
        json!([{"collection": "articles", "action": "read", "fields": ["title", "views"]}]),
    )
    .await;
    let other = policy(&paper.engine, json!([])).await;
    paper
        .engine
        .delete_field(&admin, "articles", "views")
        .await
        .unwrap();
    let filter = json!({"policy": {"_eq": key}});
    let query = Query {
        filter: Some(filter),
        ..Query::default()
    };
    let page = paper
        .engine
        .read_items(&admin, "directus_permissions", query)
        .await;
    let rule = page.unwrap().rows[0]["id"].clone();
    let moved = Target::Keys {
        keys: vec![rule],
        data: json!({"policy": other}).as_object().unwrap().clone(),
    };
    let moved = paper
        .engine
        .update_items(&admin, "directus_permissions", moved, &WriteOptions::default())
        .await;
    moved.unwrap();
}

#[tokio::test]
async fn settings_bound_something_and_name_what_exists() {
    let paper = newspaper().await;
    let cases = [
        (json!({"mcp_max_rows": 0}), vec!["FAILED_VALIDATION mcp_max_rows"]),
        (
            json!({"mcp_max_tokens": -1}),
            vec!["FAILED_VALIDATION mcp_max_tokens"],
        ),
        (
            json!({"mcp_prompts_collection": "articels"}),
            vec!["INVALID_PAYLOAD mcp_prompts_collection"],
        ),
    ];
    let admin = administrator();
    for (data, expect) in cases {
        let record = data.as_object().unwrap().clone();
        let told = paper
            .engine
            .upsert_singleton(&admin, "directus_settings", record, &WriteOptions::default())
            .await;
        assert_eq!(refused(told), expect, "{data}");
    }
    let fine = json!({"mcp_max_rows": 1, "mcp_prompts_collection": "articles"});
    let record = fine.as_object().unwrap().clone();
    paper
        .engine
        .upsert_singleton(&admin, "directus_settings", record, &WriteOptions::default())
        .await
        .unwrap();
}
