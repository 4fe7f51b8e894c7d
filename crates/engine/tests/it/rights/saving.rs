//! Permissions and settings that cannot be applied are refused when they are saved, with everything that is wrong.

use serde_json::{Value, json};

use crate::fixture::{administrator, permit, policy, refused};
use crate::items::newspaper::newspaper;
use loggia_engine::items::WriteOptions;

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
