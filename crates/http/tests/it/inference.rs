//! What must not be known cannot be found out at the doors either: two offices that differ only in that answer every
//! request of the same caller alike, to the letter; writes, receipts, changes and lists of tools included.
//!
//! Whether a request would tell is checked as well: an administrator sees the difference through it.

use loggia_testkit::{Client, TestApp};
use serde_json::{Value, json};

/// What the editor must not know.
#[derive(Clone, Copy, Default)]
struct Secret {
    /// What a field holds that nobody grants.
    word: &'static str,
    /// What a field holds on an item that its permission does not reach.
    masked: &'static str,
    /// Items that no permission lets.
    drafts: usize,
    /// Items of a collection that is not granted, which point to what the editor deletes.
    ledgers: usize,
    /// Whether there are a collection and fields more, which are not granted.
    model: bool,
    /// Changes that others made to what is not seen.
    changes: usize,
    /// Changes that others made to what is not seen of an item that is.
    edits: usize,
    /// Items that no permission lets, and that go with the one that the editor deletes.
    nested: usize,
}

const BASE: Secret = Secret {
    word: "w1",
    masked: "m1",
    drafts: 1,
    ledgers: 1,
    model: false,
    changes: 1,
    edits: 1,
    nested: 1,
};

/// One thing different at a time, and all of them.
fn differences() -> [(&'static str, Secret); 10] {
    [
        ("a field", Secret { word: "w2w2", ..BASE }),
        (
            "a field on some item",
            Secret {
                masked: "m2 and more",
                ..BASE
            },
        ),
        ("items", Secret { drafts: 4, ..BASE }),
        ("items that point here", Secret { ledgers: 3, ..BASE }),
        ("the model", Secret { model: true, ..BASE }),
        ("changes", Secret { changes: 5, ..BASE }),
        (
            "that there is anything",
            Secret {
                drafts: 0,
                ledgers: 0,
                changes: 0,
                edits: 0,
                nested: 0,
                ..BASE
            },
        ),
        ("edits", Secret { edits: 12, ..BASE }),
        ("items that go along", Secret { nested: 9, ..BASE }),
        (
            "everything",
            Secret {
                word: "w2w2",
                masked: "m2 and more",
                drafts: 4,
                ledgers: 3,
                model: true,
                changes: 5,
                edits: 12,
                nested: 9,
            },
        ),
    ]
}

const OWN: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const OTHERS: &str = "aaaaaaaa-0000-4000-8000-000000000002";
const GOING: &str = "aaaaaaaa-0000-4000-8000-000000000003";

/// Notes of several people, and ledgers that point to them.
async fn office(secret: Secret) -> (TestApp, Client) {
    let app = TestApp::start().await;
    let key = json!({"field": "id", "type": "uuid", "schema": {"is_primary_key": true}, "meta": {"special": ["uuid"]}});
    let field = |name: &str, ty: &str| json!({"field": name, "type": ty, "schema": {}, "meta": {}});
    let mut collections = vec![
        json!({"collection": "notes", "schema": {}, "meta": {}, "fields": [
            key, field("title", "string"), field("text", "text"), field("word", "string"),
            field("open", "boolean"), field("owner", "string"), field("under", "uuid"),
        ]}),
        json!({"collection": "ledgers", "schema": {}, "meta": {}, "fields": [field("note", "uuid"), field("amount", "integer")]}),
    ];
    if secret.model {
        collections.push(
            json!({"collection": "archive", "schema": {}, "meta": {}, "fields": [field("title", "string")]}),
        );
    }
    done(app.post("/collections", collections.into()).await);
    let relation = json!({"collection": "ledgers", "field": "note", "related_collection": "notes",
        "schema": {"on_delete": "SET NULL"}, "meta": {"one_field": "ledgers"}});
    done(app.post("/relations", relation).await);
    let under = json!({"collection": "notes", "field": "under", "related_collection": "notes",
        "schema": {"on_delete": "CASCADE"}, "meta": {}});
    done(app.post("/relations", under).await);
    if secret.model {
        for name in ["aaa", "titles"] {
            let body =
                json!({"field": name, "type": "string", "schema": {}, "meta": {"note": "hidden words"}});
            done(app.post("/fields/notes", body).await);
        }
    }
    let editor = app.caller_with("editor@example.com", rights()).await;
    let me = editor.key().await;
    let note = |id: &str, owner: &str, text: &str| json!({"id": id, "title": "A note", "text": text, "word": secret.word, "open": true, "owner": owner});
    let notes = json!([
        note(OWN, &me, "mine"),
        note(OTHERS, "someone", secret.masked),
        note(GOING, &me, "going")
    ]);
    done(app.post("/items/notes", notes).await);
    for _ in 0..secret.drafts {
        let draft = json!({"title": "Draft", "text": "A note", "open": false, "owner": "someone"});
        done(app.post("/items/notes", draft).await);
    }
    let ledgers: Vec<_> = (0..secret.ledgers)
        .map(|i| json!({"note": GOING, "amount": i}))
        .collect();
    done(app.post("/items/ledgers", ledgers.into()).await);
    for _ in 0..secret.nested {
        let draft =
            json!({"title": "Draft", "text": "A note", "open": false, "owner": "someone", "under": GOING});
        done(app.post("/items/notes", draft).await);
    }
    for i in 0..secret.edits {
        let body = json!({"word": format!("edit {i}")});
        done(app.patch(&format!("/items/notes/{OWN}"), body).await);
    }
    let body = json!({"word": secret.word});
    done(app.patch(&format!("/items/notes/{OWN}"), body).await);
    for i in 0..secret.changes {
        let body = json!([{"amount": i, "note": OTHERS}]);
        done(app.post("/items/ledgers", body).await);
    }
    (app, editor)
}

/// Some fields, of some items, one of them by case.
fn rights() -> Value {
    let own = json!({"owner": {"_eq": "$CURRENT_USER"}});
    json!([
        {"collection": "notes", "action": "read", "fields": ["title", "owner"], "permissions": {"open": {"_eq": true}}},
        {"collection": "notes", "action": "read", "fields": ["text"], "permissions": own},
        {"collection": "notes", "action": "update", "fields": ["title", "text"], "permissions": own},
        {"collection": "notes", "action": "delete", "permissions": own},
        {"collection": "notes", "action": "create", "fields": ["title", "text"],
            "presets": {"owner": "$CURRENT_USER", "open": true, "word": "filled in"}},
    ])
}

#[track_caller]
pub(crate) fn done(answer: loggia_testkit::Answer) {
    assert!(answer.status < 300, "{} {}", answer.status, answer.text);
}

/// Everything that an answer says. Keys that are drawn by lot are told apart by their order alone.
pub(crate) struct Transcript {
    url: String,
    known: Vec<String>,
    pub(crate) lines: Vec<String>,
}

impl Transcript {
    pub(crate) fn of(app: &TestApp) -> Self {
        Self {
            url: app.url().to_owned(),
            known: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn note(&mut self, asked: &str, answer: &loggia_testkit::Answer) {
        let headers = ["content-type", "etag", "loggia-change", "allow", "retry-after"];
        let headers = headers.map(|name| answer.header(name));
        let text = answer.text.replace(&self.url, "https://cms.test");
        let said = format!("{asked}: {} {headers:?} {text}", answer.status);
        let said = self.renamed(&said);
        self.lines.push(said);
    }

    /// `01a3185c-5000-…` as `key 3`: the third one that was seen. So it is with tags, which are made of keys as well.
    fn renamed(&mut self, said: &str) -> String {
        let dashes = |word: &str| word.bytes().filter(|byte| *byte == b'-').count();
        let is_key = |word: &str| {
            word.len() == 36 && dashes(word) == 4 || loggia_model::tag::is_tag(word) && word.len() > 1
        };
        let parts = said.split_inclusive(|c: char| !(c.is_ascii_hexdigit() || c == '-'));
        let mut renamed = String::new();
        for part in parts {
            let word = part.trim_end_matches(|c: char| !(c.is_ascii_hexdigit() || c == '-'));
            if is_key(word) && !word.starts_with("aaaaaaaa") {
                let place = self
                    .known
                    .iter()
                    .position(|known| known == word)
                    .unwrap_or_else(|| {
                        self.known.push(word.to_owned());
                        self.known.len() - 1
                    });
                renamed += &format!("key {place}{}", &part[word.len()..]);
            } else {
                renamed += part;
            }
        }
        renamed
    }

    pub(crate) async fn ask(
        &mut self,
        who: &Client,
        method: &str,
        path: &str,
        body: Value,
    ) -> loggia_testkit::Answer {
        let request = who.request(method, path);
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        let answer = who.send(request).await;
        self.note(&format!("{method} {path} {body}"), &answer);
        answer
    }

    pub(crate) async fn tool(&mut self, who: &Client, tool: &str, arguments: Value) {
        let answer = who
            .mcp("tools/call", json!({"name": tool, "arguments": arguments}))
            .await;
        self.note(&format!("{tool} {arguments}"), &answer);
    }
}

/// Requests that read.
const READS: &[&str] = &[
    "/items/notes?sort=title,id&meta=*",
    "/items/notes?fields=*.*,ledgers.*&sort=id",
    "/items/notes?aggregate[count]=*&aggregate[countDistinct]=text",
    "/items/notes?search=m2",
    "/items/notes?search=w2w2",
    "/items/notes?filter[text][_nnull]=true&meta=filter_count",
    "/items/notes?filter[ledgers][amount][_gt]=0",
    "/items/notes?filter[word][_eq]=w1",
    "/items/notes?sort=-text",
    "/items/notes?sort=word",
    "/items/notes?export=csv&sort=id",
    "/items/notes/aaaaaaaa-0000-4000-8000-000000000002",
    "/items/notes?fields=title,_rev&sort=id",
    "/items/notes/aaaaaaaa-0000-4000-8000-000000000001?fields=title,_rev",
    "/items/notes/aaaaaaaa-0000-4000-8000-000000000002?fields=_rev",
    "/items/ledgers",
    "/items/archive",
    "/collections",
    "/collections/archive",
    "/fields",
    "/fields/notes",
    "/fields/notes/titles",
    "/relations",
    "/permissions/me",
    "/server/specs/oas",
    "/schema/snapshot",
    "/changes",
    "/changes?limit=1",
    "/changes?collection=notes",
    "/changes?collection=ledgers",
    "/changes?collection=notes&item=aaaaaaaa-0000-4000-8000-000000000001",
    "/changes?cursor=1",
    "/activity",
    "/activity?aggregate[count]=*",
    "/revisions",
    "/revisions?filter[collection][_eq]=notes&aggregate[count]=*",
    "/revisions/1",
    "/activity/1",
    "/users",
    "/users/me",
    "/tokens",
];

/// Calls of tools that read.
fn calls() -> Vec<(&'static str, Value)> {
    let read = |query: Value| {
        (
            "items",
            json!({"action": "read", "collection": "notes", "query": query}),
        )
    };
    vec![
        ("system-prompt", json!({})),
        ("schema", json!({})),
        ("schema", json!({"keys": ["notes"]})),
        ("schema", json!({"keys": ["archive"]})),
        read(json!({"sort": ["id"]})),
        read(json!({"limit": 1, "sort": ["id"]})),
        read(json!({"aggregate": {"count": ["*", "text"]}})),
        read(json!({"search": "m2"})),
        read(json!({"filter": {"word": {"_eq": "w1"}}})),
        ("changes", json!({"action": "list"})),
        ("changes", json!({"action": "list", "limit": 1})),
        ("changes", json!({"action": "list", "collection": "notes"})),
        ("changes", json!({"action": "list", "collection": "ledgers"})),
    ]
}

/// Asks everything that only reads.
async fn reads(app: &TestApp, who: &Client) -> Vec<String> {
    let mut said = Transcript::of(app);
    for path in READS {
        said.ask(who, "GET", path, Value::Null).await;
    }
    said.ask(
        who,
        "SEARCH",
        "/items/notes",
        json!({"query": {"sort": ["-text", "id"]}}),
    )
    .await;
    let tools = who.mcp("tools/list", json!({})).await;
    said.note("tools/list", &tools);
    for (tool, arguments) in calls() {
        said.tool(who, tool, arguments).await;
    }
    said.lines
}

/// Asks everything that writes, and afterwards what came of it.
async fn writes(app: &TestApp, who: &Client, secret: Secret) -> Vec<String> {
    let mut said = Transcript::of(app);
    let own = format!("/items/notes/{OWN}?meta=receipt");
    let others = format!("/items/notes/{OTHERS}?meta=receipt");
    let going = format!("/items/notes/{GOING}?meta=receipt");
    let read = said
        .ask(
            who,
            "GET",
            &format!("/items/notes/{OWN}?fields=title,_rev"),
            Value::Null,
        )
        .await;
    let rev = read.data()["_rev"].clone();
    // Somebody changes what is not seen while the editor writes: as often as there is something to be hidden.
    for i in 0..secret.edits {
        done(
            app.patch(
                &format!("/items/notes/{OWN}"),
                json!({"word": format!("later {i}")}),
            )
            .await,
        );
    }
    let renamed = said
        .ask(who, "PATCH", &own, json!({"title": "Mine", "_rev": rev}))
        .await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    said.ask(who, "PATCH", &own, json!({"title": "Stale", "_rev": rev}))
        .await;
    done(
        app.patch(&format!("/items/notes/{OWN}"), json!({"title": "Mine, too"}))
            .await,
    );
    done(
        app.patch(&format!("/items/notes/{OWN}"), json!({"word": "last"}))
            .await,
    );
    said.ask(who, "PATCH", &own, json!({"title": "Stale", "_rev": rev}))
        .await;
    said.ask(who, "PATCH", &others, json!({"title": "Mine"})).await;
    said.ask(who, "PATCH", &own, json!({"word": "x"})).await;
    said.ask(who, "PATCH", &own, json!({"titles": "x"})).await;
    said.ask(
        who,
        "PATCH",
        "/items/notes?meta=receipt",
        json!({"query": {"filter": {"title": {"_nnull": true}}}, "data": {"text": "All"}}),
    )
    .await;
    said.ask(
        who,
        "POST",
        "/items/notes?meta=receipt",
        json!({"title": "New", "text": "New"}),
    )
    .await;
    said.ask(
        who,
        "POST",
        "/items/notes?meta=receipt",
        json!({"id": OTHERS, "title": "New"}),
    )
    .await;
    said.ask(who, "POST", "/items/archive", json!({"title": "x"}))
        .await;
    let gone = said.ask(who, "DELETE", &going, Value::Null).await;
    said.ask(who, "DELETE", &others, Value::Null).await;
    for change in [&renamed, &gone] {
        let key = change.header("loggia-change");
        said.ask(who, "GET", &format!("/changes/{key}"), Value::Null)
            .await;
        said.ask(
            who,
            "POST",
            &format!("/changes/{key}/revert"),
            json!({"dry_run": true}),
        )
        .await;
        said.tool(who, "changes", json!({"action": "diff", "keys": [key]}))
            .await;
        let first = said
            .ask(who, "GET", &format!("/changes/{key}?limit=1"), Value::Null)
            .await;
        assert_eq!(
            first.body["meta"]["next"],
            Value::Null,
            "there is nothing more to see"
        );
    }
    for (data, keys) in [
        (json!({"title": "Tool"}), json!([OWN])),
        (json!({"title": "Tool"}), json!([OTHERS])),
    ] {
        let arguments = json!({"action": "update", "collection": "notes", "keys": keys, "data": data});
        said.tool(who, "items", arguments).await;
    }
    said.tool(who, "items", json!({"action": "create", "collection": "notes", "data": [{"title": "One"}, {"title": "Two", "text": "2"}]})).await;
    for path in [
        "/changes",
        "/changes?limit=2",
        "/changes?collection=notes",
        "/changes?collection=notes&item=aaaaaaaa-0000-4000-8000-000000000003",
        "/items/notes?fields=title,text&sort=title,text&meta=*",
    ] {
        said.ask(who, "GET", path, Value::Null).await;
    }
    said.tool(who, "changes", json!({"action": "list", "limit": 2}))
        .await;
    said.lines
}

/// Compares line by line, so that a difference is easy to find.
pub(crate) fn assert_alike(what: &str, quiet: &[String], loud: &[String]) {
    let differ = quiet.iter().zip(loud).filter(|(quiet, loud)| quiet != loud);
    let differ: Vec<_> = differ.map(|(quiet, loud)| format!("{quiet}\n{loud}")).collect();
    assert!(
        differ.is_empty() && quiet.len() == loud.len(),
        "{what} shows:\n{}",
        differ.join("\n\n")
    );
}

#[tokio::test]
async fn reads_answer_alike_whatever_is_hidden() {
    let (app, editor) = office(BASE).await;
    let (quiet, all) = (reads(&app, &editor).await, reads(&app, &app).await);
    for (what, secret) in differences() {
        let (app, editor) = office(secret).await;
        assert_alike(what, &quiet, &reads(&app, &editor).await);
        assert_ne!(all, reads(&app, &app).await, "{what}: an administrator sees it");
    }
}

#[tokio::test]
async fn writes_receipts_and_changes_answer_alike_whatever_is_hidden() {
    let (app, editor) = office(BASE).await;
    let quiet = writes(&app, &editor, BASE).await;
    let written = quiet
        .iter()
        .filter(|line| line.contains("receipt\":{") || line.contains("receipt\\\":{"));
    assert!(written.count() >= 6, "what may be written is: {quiet:#?}");
    for (what, secret) in differences() {
        let (app, editor) = office(secret).await;
        assert_alike(what, &quiet, &writes(&app, &editor, secret).await);
    }
}
