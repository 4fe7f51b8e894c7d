//! The table.

/// Who asks, in the order of the columns.
pub(super) const CALLERS: [&str; 7] = [
    "administrator",
    "editor of own pages",
    "analyst",
    "public",
    "narrowed token",
    "editor of fr",
    "proposing token",
];

/// Action, collection, target, and what comes of it for each caller.
///
/// The editor of their own pages may change the locale of any draft; the editor of fr the status of what is published or archived.
/// Page 1 is Ann's (en, published), 2 and 3 are Bob's (fr, draft; de, published). Everybody but the public is Ann.
#[rustfmt::skip]
pub(super) const TABLE: &[(&str, &str, &str, &str)] = &[
    // action     collection  target                                              administrator | editor  | analyst | public | narrowed | fr | proposing
    ("list",      "pages",    "{}",                                                "[1 2 3] | [1 2 3] | [1 2 3] | [1 3] | [1 3] | [1 2 3] | [1 2 3]"),
    ("list",      "pages",    r#"{"status": "draft"}"#,                            "[2] | [2] | [2] | [] | [] | [2] | [2]"),
    ("list",      "pages",    r#"{"title": {"_contains": "2"}}"#,                  "[2] | [2] | no | [] | [] | [2] | [2]"),
    ("list",      "pages",    r#"{"secret": {"_contains": "secret"}}"#,            "[1 2 3] | [1] | no | no | no | [1 2 3] | [1 2 3]"),
    ("list",      "pages",    r#"{"_not": {"secret": {"_eq": "secret 1"}}}"#,      "[2 3] | [2 3] | no | no | no | [2 3] | [2 3]"),
    ("list",      "pages",    r#"{"locale": {"_in": ["fr", "de"]}}"#,              "[2 3] | [2 3] | [2 3] | [3] | no | [2 3] | [2 3]"),
    ("list",      "pages",    r#"{"owner": "$CURRENT_USER"}"#,                     "[] | [1] | no | no | no | [1] | [1]"),
    ("list",      "ledgers",  "{}",                                                "[1] | no | no | no | no | no | [1]"),
    ("list",      "nowhere",  "{}",                                                "no | no | no | no | no | no | no"),
    ("aggregate", "pages",    r#""status""#,                                       r#""published" of 3 | "published" of 3 | "published" of 3 | "published" of 2 | "published" of 2 | "published" of 3 | "published" of 3"#),
    ("aggregate", "pages",    r#""secret""#,                                       r#""secret 3" of 3 | "secret 1" of 3 | no | no | no | "secret 3" of 3 | "secret 3" of 3"#),
    ("aggregate", "ledgers",  r#""amount""#,                                       r#""5" of 1 | no | no | no | no | no | "5" of 1"#),
    ("show",      "pages",    r#"{"key": 1, "field": "title"}"#,                   "=page 1 | =page 1 | no | =page 1 | =page 1 | =page 1 | =page 1"),
    ("show",      "pages",    r#"{"key": 1, "field": "secret"}"#,                  "=secret 1 | =secret 1 | no | no | no | =secret 1 | =secret 1"),
    ("show",      "pages",    r#"{"key": 2, "field": "secret"}"#,                  "=secret 2 | =null | no | no | no | =secret 2 | =secret 2"),
    ("show",      "pages",    r#"{"key": 2, "field": "status"}"#,                  "=draft | =draft | =draft | no | no | =draft | =draft"),
    ("show",      "pages",    r#"{"key": 9, "field": "status"}"#,                  "no | no | no | no | no | no | no"),
    ("create",    "pages",    r#"{"data": {"title": "new"}}"#,                     "yes | yes | no | no | no | yes | no"),
    ("create",    "pages",    r#"{"data": {"title": "new", "locale": "fr"}}"#,     "yes | yes | no | no | no | yes | no"),
    ("create",    "pages",    r#"{"data": {"title": "new", "locale": "en"}}"#,     "yes | yes | no | no | no | invalid | no"),
    ("create",    "pages",    r#"{"data": {"secret": "new"}}"#,                    "yes | no field | no | no | no | yes | no"),
    ("create",    "ledgers",  r#"{"data": {"amount": "1"}}"#,                      "yes | no | no | no | no | no | no"),
    ("update",    "pages",    r#"{"key": 1, "data": {"title": "new"}}"#,           "yes | yes | no | no | yes | no | no"),
    ("update",    "pages",    r#"{"key": 1, "data": {"status": "archived"}}"#,     "yes | yes | no | no | yes | yes | no"),
    ("update",    "pages",    r#"{"key": 1, "data": {"secret": "new"}}"#,          "yes | no field | no | no | no field | no | no"),
    ("update",    "pages",    r#"{"key": 2, "data": {"title": "new"}}"#,           "yes | no | no | no | no | yes | no"),
    ("update",    "pages",    r#"{"key": 2, "data": {"locale": "en"}}"#,           "yes | yes | no | no | no field | invalid | no"),
    ("update",    "pages",    r#"{"key": 3, "data": {"title": "new"}}"#,           "yes | no | no | no | yes | no | no"),
    ("update",    "pages",    r#"{"key": 3, "data": {"locale": "fr"}}"#,           "yes | no | no | no | no field | no | no"),
    ("update",    "pages",    r#"{"key": 1, "data": {"nowhere": "new"}}"#,         "no field | no field | no | no | no field | no field | no"),
    ("update",    "pages",    r#"{"key": 9, "data": {"title": "new"}}"#,           "no | no | no | no | no | no | no"),
    ("update",    "ledgers",  r#"{"key": 1, "data": {"amount": "1"}}"#,            "yes | no | no | no | no | no | no"),
    ("delete",    "pages",    r#"{"key": 1}"#,                                     "yes | yes | no | no | no | no | no"),
    ("delete",    "pages",    r#"{"key": 2}"#,                                     "yes | no | no | no | no | yes | no"),
    ("delete",    "pages",    r#"{"key": 9}"#,                                     "no | no | no | no | no | no | no"),
    ("delete",    "ledgers",  r#"{"key": 1}"#,                                     "yes | no | no | no | no | no | no"),
    // What an item lets, limits among it. The editor's second right to change is for drafts.
    ("may",       "pages",    "1",                                                 "update *+delete+share+publish | update id,status,title+delete+share | - | - | update id,status,title+share | update id,status | update *+delete+share"),
    ("may",       "pages",    "2",                                                 "update *+delete+share+publish | update id,locale+publish | - | - | - | update *+delete | update *+delete+share"),
    ("may",       "pages",    "3",                                                 "update *+delete+share+publish | - | - | - | update id,status,title+share | update id,status+share+publish | update *+delete+share"),
    ("may",       "pages",    "9",                                                 "- | - | - | - | - | - | -"),
    ("may",       "ledgers",  "1",                                                 "update *+delete+share+publish | no | no | no | no | no | update *+delete+share"),
    ("may",       "nowhere",  "1",                                                 "no | no | no | no | no | no | no"),
    ("update",    "pages",    r#"{"key": 2, "data": {"locale": "de"}}"#,           "yes | yes | no | no | no field | invalid | no"),
    ("update",    "pages",    r#"{"key": 3, "data": {"status": "archived"}}"#,     "yes | no | no | no | yes | yes | no"),
    ("update",    "pages",    r#"{"key": 3, "data": {"status": "draft"}}"#,        "yes | no | no | no | yes | no | no"),
    ("update",    "pages",    r#"{"key": 2, "data": {"status": "archived"}}"#,     "yes | no | no | no | no | yes | no"),
    ("create",    "pages",    r#"{"data": {"title": "new", "locale": null}}"#,     "yes | yes | no | no | no | invalid | no"),
];
