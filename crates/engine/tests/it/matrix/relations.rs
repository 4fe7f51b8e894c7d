//! The table of what leads from one collection to another: reads and filters through relations, and writes under a parent.

use serde_json::json;

use super::{ANN, House};
use crate::fixture::{administrator, engine, holder, policy};

/// Who asks, in the order of the columns.
pub(super) const CALLERS: [&str; 7] = [
    "administrator",
    "editor",
    "reader",
    "pages only",
    "narrowed token",
    "editor of fr",
    "linker",
];

/// Sections list pages; pages have labels (many-to-many) and blocks (many-to-any).
pub(super) async fn house() -> House {
    let (engine, admin) = (engine().await, administrator());
    let text = |name: &str| json!({"field": name, "type": "string"});
    let number = |name: &str| json!({"field": name, "type": "integer"});
    let collection = |name: &str, fields: Vec<serde_json::Value>| json!({"collection": name, "schema": {}, "meta": {}, "fields": fields});
    let collections = vec![
        collection("sections", vec![text("name"), text("secret")]),
        collection("labels", vec![text("name")]),
        collection("quotes", vec![text("text")]),
        collection("images", vec![text("url")]),
        collection(
            "pages",
            vec![text("title"), number("section"), text("locale"), text("status")],
        ),
        collection("pages_labels", vec![number("pages_id"), number("labels_id")]),
        collection(
            "pages_blocks",
            vec![number("pages_id"), text("item"), text("collection")],
        ),
    ];
    engine.create_collections(&admin, collections).await.unwrap();
    let deletes = "delete";
    for relation in [
        json!({"collection": "pages", "field": "section", "related_collection": "sections", "meta": {"one_field": "pages"}}),
        json!({"collection": "pages_labels", "field": "pages_id", "related_collection": "pages",
            "meta": {"one_field": "labels", "junction_field": "labels_id", "one_deselect_action": deletes}}),
        json!({"collection": "pages_labels", "field": "labels_id", "related_collection": "labels", "meta": {"junction_field": "pages_id"}}),
        json!({"collection": "pages_blocks", "field": "pages_id", "related_collection": "pages",
            "meta": {"one_field": "blocks", "junction_field": "item", "one_deselect_action": deletes}}),
        json!({"collection": "pages_blocks", "field": "item", "related_collection": null, "schema": null,
            "meta": {"one_collection_field": "collection", "one_allowed_collections": ["quotes", "images"], "junction_field": "pages_id"}}),
    ] {
        let mut relation = relation;
        if relation.get("schema").is_none() {
            relation["schema"] = json!({"on_delete": "SET NULL"});
        }
        engine.create_complete_relation(&admin, relation).await.unwrap();
    }
    let page = |id: i64, section: i64, locale: &str, status: &str| json!({"id": id, "title": format!("page {id}"), "section": section, "locale": locale, "status": status});
    let rows = vec![
        (
            "sections",
            vec![
                json!({"id": 1, "name": "News", "secret": "s1"}),
                json!({"id": 2, "name": "Hidden", "secret": "s2"}),
            ],
        ),
        (
            "labels",
            vec![json!({"id": 1, "name": "red"}), json!({"id": 2, "name": "blue"})],
        ),
        ("quotes", vec![json!({"id": 1, "text": "q1"})]),
        ("images", vec![json!({"id": 1, "url": "i1"})]),
        (
            "pages",
            vec![
                page(1, 1, "en", "published"),
                page(2, 1, "fr", "draft"),
                page(3, 2, "de", "published"),
            ],
        ),
        (
            "pages_labels",
            vec![
                json!({"id": 1, "pages_id": 1, "labels_id": 1}),
                json!({"id": 2, "pages_id": 1, "labels_id": 2}),
                json!({"id": 3, "pages_id": 3, "labels_id": 1}),
            ],
        ),
        (
            "pages_blocks",
            vec![
                json!({"id": 1, "pages_id": 1, "collection": "quotes", "item": "1"}),
                json!({"id": 2, "pages_id": 1, "collection": "images", "item": "1"}),
            ],
        ),
    ];
    let editor = json!([
        {"collection": "sections", "action": "read", "fields": ["name", "pages"], "permissions": {"id": {"_eq": 1}}},
        {"collection": "sections", "action": "update", "fields": ["name", "pages"]},
        {"collection": "sections", "action": "create", "fields": ["name", "pages"]},
        {"collection": "pages", "action": ["read", "create"]},
        {"collection": "pages", "action": "update", "fields": ["title", "section", "labels", "blocks"], "validation": {"section": {"_neq": 2}}},
        {"collection": "pages", "action": "delete", "permissions": {"status": {"_eq": "draft"}}},
        {"collection": "pages", "action": "share", "permissions": {"section": {"name": {"_eq": "News"}}}},
        {"collection": "pages", "action": "publish", "statuses": ["draft"]},
        {"collection": "labels", "action": "read", "permissions": {"id": {"_neq": 2}}},
        {"collection": "labels", "action": "create"},
        {"collection": "pages_labels", "action": ["create", "read", "delete"]},
        {"collection": "pages_blocks", "action": ["create", "read", "delete"]},
        {"collection": "quotes", "action": ["create", "read", "update"]},
    ]);
    let reader = json!([
        {"collection": "pages", "action": "read", "fields": ["title", "section", "labels", "status"]},
        {"collection": "sections", "action": "read", "fields": ["name"]},
        {"collection": "pages_labels", "action": "read", "fields": ["labels_id"]},
        {"collection": "labels", "action": "read"},
    ]);
    let pages = json!([
        {"collection": "pages", "action": ["read", "update", "create"], "fields": ["title", "section", "labels", "blocks"]},
    ]);
    let everything =
        json!([{"collection": "*", "action": ["create", "read", "update", "delete", "share", "publish"]}]);
    let published = json!({"status": {"_eq": "published"}});
    let narrowing = json!([
        {"collection": "pages", "action": ["read", "update", "share"], "permissions": published},
        {"collection": "sections", "action": "read"},
        {"collection": "pages_labels", "action": "read"},
    ]);
    let french = json!([
        {"collection": "pages", "action": "read"},
        {"collection": "pages", "action": ["create", "update", "delete", "publish"], "locales": ["fr"], "statuses": ["draft", "review"]},
        {"collection": "sections", "action": ["read", "update"]},
    ]);
    let linker = json!([
        {"collection": "pages", "action": ["read", "update"], "fields": ["title", "section", "labels"]},
        {"collection": "sections", "action": "read"},
        {"collection": "labels", "action": "read"},
        {"collection": "pages_labels", "action": "read"},
        {"collection": "pages_labels", "action": "create", "validation": {"labels_id": {"_neq": 2}}},
    ]);
    let mut callers = vec![admin];
    for permissions in [editor, reader, pages] {
        callers.push(holder(ANN, &[&[&policy(&engine, permissions).await]]));
    }
    let (everything, narrowing) = (
        policy(&engine, everything).await,
        policy(&engine, narrowing).await,
    );
    callers.push(holder(ANN, &[&[&everything], &[&narrowing]]));
    for permissions in [french, linker] {
        callers.push(holder(ANN, &[&[&policy(&engine, permissions).await]]));
    }
    House {
        engine,
        callers,
        rows,
    }
}

/// Action, collection, target, and what comes of it for each caller.
///
/// Pages 1 (en, published) and 2 (fr, draft) are in section 1, page 3 (de, published) in section 2. Page 1 has both labels, a quote
/// and an image, page 3 the first label.
#[rustfmt::skip]
pub(super) const TABLE: &[(&str, &str, &str, &str)] = &[
    ("show",  "pages",        r#"{"key": 1, "fields": ["section.name"]}"#,                                                             r#"{"section":{"name":"News"}} | {"section":{"name":"News"}} | {"section":{"name":"News"}} | no relation | {"section":{"name":"News"}} | {"section":{"name":"News"}} | {"section":{"name":"News"}}"#),
    ("show",  "pages",        r#"{"key": 3, "fields": ["section.name", "section.secret"]}"#,                                           r#"{"section":{"name":"Hidden","secret":"s2"}} | no | no | no relation | {"section":{"name":"Hidden","secret":"s2"}} | {"section":{"name":"Hidden","secret":"s2"}} | {"section":{"name":"Hidden","secret":"s2"}}"#),
    ("show",  "pages",        r#"{"key": 3, "fields": ["section", "section.name"]}"#,                                                  r#"{"section":{"name":"Hidden"}} | {"section":null} | {"section":{"name":"Hidden"}} | no relation | {"section":{"name":"Hidden"}} | {"section":{"name":"Hidden"}} | {"section":{"name":"Hidden"}}"#),
    ("show",  "sections",     r#"{"key": 1, "fields": ["pages"]}"#,                                                                    r#"{"pages":[1,2]} | {"pages":[1,2]} | no | no | {"pages":[1]} | {"pages":[1,2]} | {"pages":[1,2]}"#),
    ("show",  "sections",     r#"{"key": 2, "fields": ["pages.title"]}"#,                                                              r#"{"pages":[{"title":"page 3"}]} | no | no | no | {"pages":[{"title":"page 3"}]} | {"pages":[{"title":"page 3"}]} | {"pages":[{"title":"page 3"}]}"#),
    ("show",  "pages",        r#"{"key": 1, "fields": ["labels"]}"#,                                                                   r#"{"labels":[1,2]} | {"labels":[1,2]} | no | no | {"labels":[1,2]} | no | {"labels":[1,2]}"#),
    ("show",  "pages",        r#"{"key": 1, "fields": ["labels.labels_id.name"]}"#,                                                    r#"{"labels":[{"labels_id":{"name":"red"}},{"labels_id":{"name":"blue"}}]} | {"labels":[{"labels_id":{"name":"red"}},{"labels_id":null}]} | no | no | no relation | no | {"labels":[{"labels_id":{"name":"red"}},{"labels_id":{"name":"blue"}}]}"#),
    ("show",  "pages",        r#"{"key": 1, "fields": ["blocks.item:quotes.text"]}"#,                                                  r#"{"blocks":[{"item":{"text":"q1"}},{"item":"1"}]} | {"blocks":[{"item":{"text":"q1"}},{"item":"1"}]} | no | no | no | no | no"#),
    ("list",  "pages",        r#"{"section": {"name": {"_eq": "Hidden"}}}"#,                                                           "[3] | [] | [3] | no relation | [3] | [3] | [3]"),
    ("list",  "pages",        r#"{"section": {"secret": {"_eq": "s1"}}}"#,                                                             "[1 2] | no | no | no relation | [1] | [1 2] | [1 2]"),
    ("list",  "pages",        r#"{"_not": {"section": {"name": {"_eq": "News"}}}}"#,                                                   "[3] | [3] | [3] | no relation | [3] | [3] | [3]"),
    ("list",  "sections",     r#"{"pages": {"status": {"_eq": "draft"}}}"#,                                                            "[1] | [1] | no | no | [] | [1] | no"),
    ("list",  "sections",     r#"{"pages": {"_none": {"title": {"_eq": "page 3"}}}}"#,                                                 "[1] | [1] | no | no | [1] | [1] | [1]"),
    ("list",  "pages",        r#"{"labels": {"labels_id": {"name": {"_eq": "blue"}}}}"#,                                               "[1] | [] | no | no | no relation | no | [1]"),
    ("list",  "pages",        r#"{"labels": {"_some": {"labels_id": {"_eq": 2}}}}"#,                                                   "[1] | [1] | no | no | [1] | no | [1]"),
    ("list",  "pages",        r#"{"blocks": {"item:images": {"url": {"_eq": "i1"}}}}"#,                                                "[1] | no relation | no | no | no | no | no"),
    ("list",  "labels",       r#"{"$FOLLOW(pages_labels,labels_id)": {"pages_id": {"_eq": 3}}}"#,                                      "[1] | [1] | no | no | no | no | [1]"),
    ("create","sections",     r#"{"data": {"name": "new", "pages": [{"title": "new"}]}}"#,                                             "yes | yes | no | no | no | no | no"),
    ("create","sections",     r#"{"data": {"name": "new", "pages": [1]}}"#,                                                            "yes | yes | no | no | no | no | no"),
    ("create","pages",        r#"{"data": {"title": "new", "section": 1}}"#,                                                           "yes | yes | no | no key | no | invalid | no"),
    ("create","pages",        r#"{"data": {"title": "new", "section": 2}}"#,                                                           "yes | no key | no | no key | no | invalid | no"),
    ("create","pages",        r#"{"data": {"title": "new", "section": {"name": "new"}}}"#,                                             "yes | yes | no | no relation | no | invalid | no"),
    ("create","pages",        r#"{"data": {"title": "new", "section": {"id": 1, "name": "renamed"}}}"#,                                "yes | yes | no | no relation | no | invalid | no"),
    ("create","pages",        r#"{"data": {"title": "new", "locale": "fr", "status": "review"}}"#,                                     "yes | yes | no | no field | no | yes | no"),
    ("create","pages",        r#"{"data": {"title": "new", "locale": "fr", "status": "published"}}"#,                                  "yes | yes | no | no field | no | invalid | no"),
    ("create","pages",        r#"{"data": {"title": "new", "labels": [{"labels_id": 1}]}}"#,                                           "yes | yes | no | no field | no | invalid | no"),
    ("update","pages",        r#"{"key": 2, "data": {"section": 2}}"#,                                                                 "yes | invalid | no | no key | no | yes | yes"),
    ("update","pages",        r#"{"key": 1, "data": {"section": null}}"#,                                                              "yes | yes | no | yes | yes | no | yes"),
    ("update","sections",     r#"{"key": 1, "data": {"pages": {"create": [{"title": "new", "status": "draft"}]}}}"#,                   "yes | yes | no | no | no | yes | no"),
    ("update","sections",     r#"{"key": 1, "data": {"pages": {"update": [{"id": 2, "title": "new"}]}}}"#,                             "yes | yes | no | no | no | yes | no"),
    ("update","sections",     r#"{"key": 1, "data": {"pages": {"update": [3]}}}"#,                                                     "yes | yes | no | no | no | no | no"),
    ("update","sections",     r#"{"key": 2, "data": {"pages": {"update": [2]}}}"#,                                                     "yes | no | no | no | no | yes | no"),
    ("update","sections",     r#"{"key": 1, "data": {"pages": {"delete": [2]}}}"#,                                                     "yes | yes | no | no | no | yes | no"),
    ("update","sections",     r#"{"key": 1, "data": {"pages": {"delete": [1]}}}"#,                                                     "yes | yes | no | no | no | no | no"),
    ("update","sections",     r#"{"key": 1, "data": {"pages": []}}"#,                                                                  "yes | yes | no | no | no | no | no"),
    ("update","pages",        r#"{"key": 1, "data": {"labels": {"create": [{"labels_id": 1}]}}}"#,                                     "yes | yes | no | no field | no | no field | yes"),
    ("update","pages",        r#"{"key": 1, "data": {"labels": {"create": [{"labels_id": 2}]}}}"#,                                     "yes | no key | no | no field | no | no field | invalid"),
    ("update","pages",        r#"{"key": 1, "data": {"labels": {"create": [{"labels_id": {"name": "new"}}]}}}"#,                       "yes | yes | no | no field | no | no field | no"),
    ("update","pages",        r#"{"key": 1, "data": {"labels": {"delete": [2]}}}"#,                                                    "yes | yes | no | no field | no | no field | no"),
    ("update","pages",        r#"{"key": 1, "data": {"labels": []}}"#,                                                                 "yes | yes | no | no field | no | no field | no"),
    ("update","pages",        r#"{"key": 1, "data": {"blocks": {"create": [{"collection": "quotes", "item": {"text": "new"}}]}}}"#,    "yes | yes | no | no field | no field | no field | no field"),
    ("update","pages",        r#"{"key": 1, "data": {"blocks": {"create": [{"collection": "quotes", "item": 1}]}}}"#,                  "yes | yes | no | no field | no field | no field | no field"),
    ("update","pages",        r#"{"key": 1, "data": {"blocks": {"create": [{"collection": "images", "item": 1}]}}}"#,                  "yes | no target | no | no field | no field | no field | no field"),
    ("update","pages",        r#"{"key": 1, "data": {"blocks": {"delete": [2]}}}"#,                                                    "yes | yes | no | no field | no field | no field | no field"),
    ("delete","pages",        r#"{"key": 2}"#,                                                                                         "yes | yes | no | no | no | yes | no"),
    ("delete","pages",        r#"{"key": 3}"#,                                                                                         "yes | no | no | no | no | no | no"),
    ("delete","sections",     r#"{"key": 1}"#,                                                                                         "yes | no | no | no | no | no | no"),
    ("may",   "pages",        "1",                                                                                                  "update *+delete+share+publish | update blocks,id,labels,section,title+share | - | update blocks,id,labels,section,title | update *+share | - | update id,labels,section,title"),
    ("may",   "pages",        "2",                                                                                                  "update *+delete+share+publish | update blocks,id,labels,section,title+delete+share+publish | - | update blocks,id,labels,section,title | - | update *+delete+publish | update id,labels,section,title"),
    ("may",   "pages",        "3",                                                                                                  "update *+delete+share+publish | update blocks,id,labels,section,title | - | update blocks,id,labels,section,title | update *+share | - | update id,labels,section,title"),
    ("may",   "sections",     "1",                                                                                                  "update *+delete+share+publish | update id,name,pages | - | no | - | update * | -"),
    ("may",   "labels",       "2",                                                                                                  "update *+delete+share+publish | - | - | no | no | no | -"),
    ("may",   "pages_labels", "1",                                                                                                  "update *+delete+share+publish | delete | - | no | - | no | -"),
];
