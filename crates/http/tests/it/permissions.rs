//! What permissions let through the REST door, and what they do not: an editor of a small blog.

use loggia_testkit::{Client, TestApp};
use serde_json::{Value, json};

use crate::blog::blog;

const DRAFT: &str = "11111111-1111-4111-8111-111111111111";
const OPEN: &str = "22222222-2222-4222-8222-222222222222";
const NOTHING: &str = "33333333-3333-4333-8333-333333333333";

/// Two posts of two authors; the editor reads published ones without `slug`, and changes their titles.
async fn newsroom() -> (TestApp, Client) {
    let app = blog().await;
    let posts = json!([
        {"id": DRAFT, "title": "Secret", "slug": "secret", "status": "draft", "author": {"name": "Ann"}},
        {"id": OPEN, "title": "Open", "slug": "open", "status": "published", "author": {"name": "Bob"}},
    ]);
    assert_eq!(app.post("/items/posts", posts).await.status, 200);
    assert_eq!(
        app.post("/items/quotes", json!({"text": "hidden words"}))
            .await
            .status,
        200
    );
    let published = json!({"status": {"_eq": "published"}});
    let permissions = json!([
        {"collection": "posts", "action": "read", "fields": ["title", "status", "author"], "permissions": published},
        {"collection": "posts", "action": "update", "fields": ["title"], "permissions": published},
        {"collection": "posts", "action": "create", "fields": ["title"], "presets": {"status": "draft"}},
        {"collection": "authors", "action": "read", "fields": ["name"]},
    ]);
    let editor = app.caller_with("editor@example.com", permissions).await;
    (app, editor)
}

#[tokio::test]
async fn an_editor_reads_what_permissions_let_through() {
    let (_app, editor) = newsroom().await;
    let open = json!({"id": OPEN, "title": "Open", "status": "published", "author": 2});
    let check = async |path: &str, expect: Value| {
        assert_eq!(editor.get(path).await.data(), &expect, "{path}");
    };
    check("/items/posts", json!([open])).await;
    check(&format!("/items/posts/{OPEN}"), open).await;
    check(
        "/items/posts?fields=author.name",
        json!([{"author": {"name": "Bob"}}]),
    )
    .await;
    check("/items/posts?aggregate[count]=*", json!([{"count": 1}])).await;
    check("/items/posts?search=Secret", json!([])).await;
    check("/items/posts?filter[title][_eq]=Secret", json!([])).await;
    check(
        "/items/authors?fields=name&sort=name",
        json!([{"name": "Ann"}, {"name": "Bob"}]),
    )
    .await;
}

#[tokio::test]
async fn denied_is_absent_byte_for_byte() {
    let (_app, editor) = newsroom().await;
    let same = async |method: &str, there: String, absent: String, body: Value| {
        let ask = async |path: &str| {
            let request = editor.request(method, path);
            let request = if body.is_null() {
                request
            } else {
                request.json(&body)
            };
            let answer = editor.send(request).await;
            (answer.status, answer.text)
        };
        let (there_answer, absent_answer) = (ask(&there).await, ask(&absent).await);
        assert!(there_answer.0 >= 400, "{method} {there}: {}", there_answer.1);
        assert_eq!(there_answer.0, absent_answer.0, "{method} {there}");
        // What was asked for is named as it was asked; nothing else may differ.
        let swap = |text: &str| {
            text.replace("slug", "slog")
                .replace("quotes", "quotez")
                .replace("home", "homz")
                .replace(DRAFT, NOTHING)
        };
        assert_eq!(swap(&there_answer.1), swap(&absent_answer.1), "{method} {there}");
    };
    // A collection of one item is none of which that can be told.
    for body in [
        json!({"headline": "x"}),
        json!([{"headline": "x"}]),
        json!({"keys": [1], "data": {}}),
        json!({"query": {}}),
        json!({"keys": [1]}),
        json!([1]),
        json!("x"),
    ] {
        for method in ["POST", "PATCH", "DELETE", "SEARCH"] {
            same(method, "/items/home".into(), "/items/homz".into(), body.clone()).await;
            same(
                method,
                "/items/home/1".into(),
                "/items/homz/1".into(),
                body.clone(),
            )
            .await;
        }
    }
    // Items.
    let item = |key: &str| format!("/items/posts/{key}");
    same("GET", item(DRAFT), item(NOTHING), Value::Null).await;
    same("PATCH", item(DRAFT), item(NOTHING), json!({"title": "x"})).await;
    same("DELETE", item(DRAFT), item(NOTHING), Value::Null).await;
    // Collections.
    for path in [
        "/items/NAME",
        "/collections/NAME",
        "/fields/NAME",
        "/relations/NAME",
        "/items/NAME/1",
    ] {
        same(
            "GET",
            path.replace("NAME", "quotes"),
            path.replace("NAME", "quotez"),
            Value::Null,
        )
        .await;
    }
    same(
        "POST",
        "/items/quotes".into(),
        "/items/quotez".into(),
        json!({"text": "x"}),
    )
    .await;
    // Fields, in every notation.
    for query in [
        "fields=FIELD",
        "sort=FIELD",
        "sort=-FIELD",
        "sort[]=FIELD",
        "sort=title,-FIELD",
        "filter[FIELD][_eq]=x",
        "filter[_and][0][FIELD][_nnull]=true",
        "filter={\"FIELD\":{\"_eq\":\"x\"}}",
        "aggregate[max]=FIELD",
        "aggregate[countDistinct]=FIELD",
        "groupBy=FIELD&aggregate[count]=*",
        "alias[x]=FIELD&fields=x",
        "fields=FIELD.id",
    ] {
        let path = |name: &str| format!("/items/posts?{}", query.replace("FIELD", name));
        same("GET", path("slug"), path("slog"), Value::Null).await;
    }
    let path = |name: &str| format!("/fields/posts/{name}");
    same("GET", path("slug"), path("slog"), Value::Null).await;
}

#[tokio::test]
async fn definitions_name_only_what_the_caller_may_know() {
    let (_app, editor) = newsroom().await;
    let names = |answer: &loggia_testkit::Answer, member: &str| {
        let mut names: Vec<_> = answer
            .data()
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| !one["collection"].as_str().unwrap().starts_with("directus_"))
            .map(|one| one[member].as_str().unwrap().to_owned())
            .collect();
        names.sort_unstable();
        names
    };
    let collections = editor.get("/collections").await;
    assert_eq!(names(&collections, "collection"), ["authors", "posts"]);
    let fields = editor.get("/fields/posts").await;
    assert_eq!(names(&fields, "field"), ["author", "id", "status", "title"]);
    let relations = editor.get("/relations").await;
    assert_eq!(names(&relations, "field"), ["author"]);
    let theirs = editor.get("/relations/posts/author").await;
    assert_eq!(
        theirs.data()["meta"]["one_field"],
        Value::Null,
        "`authors.posts` is not theirs"
    );
    let document = editor.get("/server/specs/oas").await;
    for hidden in ["quotes", "slug", "/schema/snapshot", "createField"] {
        assert!(!document.text.contains(hidden), "{hidden}");
    }
    let verbs = |path: &str| {
        let verbs = document.body["paths"][path].as_object();
        verbs
            .map(|verbs| verbs.keys().cloned().collect::<Vec<_>>())
            .unwrap_or_default()
    };
    assert_eq!(verbs("/items/posts"), ["get", "post", "patch"]);
    assert_eq!(verbs("/items/authors"), ["get"]);
    assert_eq!(verbs("/collections"), ["get"]);
    let shape = |name: &str| {
        let properties = document.body["components"]["schemas"][name]["properties"]
            .as_object()
            .unwrap();
        let mut names: Vec<_> = properties.keys().cloned().collect();
        names.sort_unstable();
        names
    };
    assert_eq!(shape("Item_posts"), ["_rev", "author", "id", "status", "title"]);
    assert!(!shape("ItemUpdate_posts").contains(&"status".to_owned()));
    assert!(!shape("NewItem_posts").contains(&"status".to_owned()));
}

#[tokio::test]
async fn permissions_of_ones_own_are_listed_by_collection_and_action() {
    let (app, editor) = newsroom().await;
    let mine = editor.get("/permissions/me").await;
    let posts = &mine.data()["posts"];
    assert_eq!(posts["read"]["access"], "partial", "{}", mine.text);
    assert_eq!(
        posts["read"]["fields"],
        json!(["author", "id", "status", "title"])
    );
    assert_eq!(posts["create"]["access"], "full");
    assert_eq!(posts["create"]["presets"], json!({"status": "draft"}));
    assert_eq!(posts["delete"], json!({"access": "none"}));
    assert_eq!(mine.data()["authors"]["read"]["access"], "full");
    assert_eq!(mine.data()["quotes"], Value::Null);
    let all = app.get("/permissions/me").await;
    assert_eq!(all.data()["quotes"]["delete"]["access"], "full");
    assert_eq!(all.data()["quotes"]["read"]["fields"], json!(["*"]));
}

/// What comes of requests of somebody who tags posts and writes drafts, in the order of the table.
#[tokio::test]
async fn lists_and_limits_hold_at_this_door() {
    let (app, _) = newsroom().await;
    let tags = json!([{"id": "red", "label": "Red"}, {"id": "blue", "label": "Blue"}]);
    assert_eq!(app.post("/items/tags", tags).await.status, 200);
    let tagged = json!({"tags": [{"tags_id": "red"}]});
    assert_eq!(
        app.patch(&format!("/items/posts/{OPEN}"), tagged).await.status,
        200
    );
    let permissions = json!([
        {"collection": "posts", "action": "read", "fields": ["title", "status", "tags", "views"]},
        {"collection": "posts", "action": "create", "fields": ["title", "tags", "status"], "statuses": ["draft"]},
        {"collection": "posts", "action": "update", "fields": ["tags", "views"], "validation": {"views": {"_neq": 5}}},
        {"collection": "posts_tags", "action": "read"},
        {"collection": "posts_tags", "action": "create", "validation": {"tags_id": {"_neq": "blue"}}},
        {"collection": "tags", "action": "read"},
    ]);
    let tagger = app.caller_with("tagger@example.com", permissions).await;
    let open = format!("/items/posts/{OPEN}");
    let table = [
        (
            "PATCH",
            open.as_str(),
            json!({"tags": {"create": [{"tags_id": "red"}]}}),
            200,
        ),
        (
            "PATCH",
            &open,
            json!({"tags": {"create": [{"tags_id": "blue"}]}}),
            400,
        ),
        (
            "PATCH",
            &open,
            json!({"tags": {"create": [{"tags_id": {"id": "new"}}]}}),
            403,
        ),
        (
            "PATCH",
            &open,
            json!({"tags": {"update": [{"id": 1, "tags_id": "blue"}]}}),
            403,
        ),
        ("PATCH", &open, json!({"tags": {"delete": [1]}}), 403),
        ("PATCH", &open, json!({"tags": []}), 403),
        ("PATCH", &open, json!({"views": "05"}), 400),
        ("PATCH", &open, json!({"views": "5e0"}), 400),
        ("PATCH", &open, json!({"views": "06"}), 200),
        (
            "POST",
            "/items/posts",
            json!({"title": "x", "status": "published"}),
            400,
        ),
        (
            "POST",
            "/items/posts",
            json!({"title": "x", "tags": [{"tags_id": "blue"}]}),
            400,
        ),
        (
            "POST",
            "/items/posts",
            json!({"title": "x", "tags": [{"tags_id": "red"}]}),
            200,
        ),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, expect) in table {
        let answer = tagger.send(tagger.request(method, path).json(&body)).await;
        if answer.status != expect {
            wrong.push(format!(
                "{method} {path} {body}: {} {}",
                answer.status, answer.text
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let posts = app
        .get("/items/posts?fields=title,status,views,tags.tags_id&sort=title")
        .await;
    let red = json!([{"tags_id": "red"}]);
    let twice = json!([{"tags_id": "red"}, {"tags_id": "red"}]);
    let expect = json!([
        {"title": "Open", "status": "published", "views": 6, "tags": twice},
        {"title": "Secret", "status": "draft", "views": null, "tags": []},
        {"title": "x", "status": "draft", "views": null, "tags": red},
    ]);
    assert_eq!(posts.data(), &expect);
    for (row, body) in [("locales", json!([])), ("statuses", json!([]))] {
        let permission =
            json!({"policy": null, "collection": "posts", "action": "read", "fields": ["*"], row: body});
        let told = app.post("/permissions", permission).await;
        assert_eq!(told.status, 400, "{row}");
        assert!(told.text.contains("leave it out"), "{}", told.text);
    }
}

#[tokio::test]
async fn what_may_be_done_with_one_item_is_decided_by_that_item() {
    let (app, editor) = newsroom().await;
    let none = json!({"update": {"access": false}, "delete": {"access": false}, "share": {"access": false}, "publish": {"access": false}});
    let with = |key: &str| format!("/permissions/me/posts/{key}");
    let open = editor.get(&with(OPEN)).await;
    let update = json!({"access": true, "fields": ["id", "title"], "presets": {}});
    let mut expect = none.clone();
    expect["update"] = update;
    assert_eq!(open.data(), &expect, "{}", open.text);
    // One that is hidden, one that is not there, a key that no item can have.
    for key in [DRAFT, NOTHING, "x", "%20"] {
        let told = editor.get(&with(key)).await;
        assert_eq!((told.status, told.data()), (200, &none), "{key}");
    }
    // A collection that is hidden looks like one that is not there.
    let (hidden, absent) = (
        editor.get("/permissions/me/quotes/1").await,
        editor.get("/permissions/me/quotez/1").await,
    );
    assert_eq!(hidden.refusal(), (403, "FORBIDDEN"));
    assert_eq!(hidden.text.replace("quotes", "quotez"), absent.text);
    // One that may only be read.
    assert_eq!(editor.get("/permissions/me/authors/1").await.data(), &none);
    for path in [
        "/permissions/me/posts/x",
        "/permissions/me/home",
        "/permissions/me/quotes",
    ] {
        assert_eq!(app.anonymous().get(path).await.status, 401, "{path}");
    }
    // Without a key: of a singleton alone, and what is denied says so first.
    assert_eq!(
        editor.get("/permissions/me/posts").await.refusal(),
        (400, "INVALID_QUERY")
    );
    assert_eq!(
        editor.get("/permissions/me/quotes").await.refusal(),
        (403, "FORBIDDEN")
    );
    let all = app.get(&with(DRAFT)).await;
    let everything = json!({"access": true});
    let update = json!({"access": true, "fields": ["*"], "presets": {}});
    let expect = json!({"update": update, "delete": everything, "share": everything, "publish": everything});
    assert_eq!(all.data(), &expect);
    assert_eq!(app.get(&with(NOTHING)).await.data(), &none);
}

#[tokio::test]
async fn each_ability_and_each_field_has_conditions_of_its_own() {
    let (app, _) = newsroom().await;
    let drafts = json!({"status": {"_eq": "draft"}});
    let own = json!({"author": {"name": {"_eq": "Bob"}}});
    let permissions = json!([
        {"collection": "posts", "action": "update", "fields": ["title"]},
        {"collection": "posts", "action": "update", "fields": ["slug", "status"], "permissions": drafts, "presets": {"views": 1}},
        {"collection": "posts", "action": "update", "fields": ["slug", "price"], "permissions": own},
        {"collection": "posts", "action": "delete", "permissions": drafts},
        {"collection": "posts", "action": "share", "permissions": own},
        {"collection": "posts", "action": "publish", "statuses": ["draft"]},
        {"collection": "home", "action": ["read", "update"], "fields": ["headline"]},
    ]);
    let person = app.caller_with("person@example.com", permissions).await;
    let posts = json!([
        {"id": NOTHING, "title": "Both", "status": "draft", "author": 2},
    ]);
    assert_eq!(app.post("/items/posts", posts).await.status, 200);
    for (key, fields, delete, share, publish) in [
        (DRAFT, json!(["id", "slug", "status", "title"]), true, false, true),
        (OPEN, json!(["id", "price", "slug", "title"]), false, true, false),
        (
            NOTHING,
            json!(["id", "price", "slug", "status", "title"]),
            true,
            true,
            true,
        ),
    ] {
        let told = person.get(&format!("/permissions/me/posts/{key}")).await;
        let may = told.data();
        assert_eq!(
            may["update"],
            json!({"access": true, "fields": fields, "presets": {"views": 1}}),
            "{key}"
        );
        let others = ["delete", "share", "publish"].map(|action| may[action]["access"].clone());
        assert_eq!(others, [delete, share, publish].map(Value::from), "{key}");
        // What is said is what happens.
        for (field, value) in [
            ("slug", json!(key)),
            ("status", json!("draft")),
            ("price", json!(1)),
            ("title", json!("t")),
        ] {
            let done = person
                .patch(&format!("/items/posts/{key}"), json!({field: value}))
                .await;
            let said = fields.as_array().unwrap().contains(&json!(field));
            assert_eq!(done.status < 300, said, "{key} {field}: {}", done.text);
        }
    }
    // The item of a singleton: making it is a right of its own.
    let home = "/permissions/me/home";
    assert_eq!(person.get(home).await.data()["update"], json!({"access": false}));
    assert_eq!(app.get(home).await.data()["update"]["fields"], json!(["*"]));
    assert_eq!(
        app.patch("/items/home", json!({"headline": "Hi"})).await.status,
        200
    );
    let may = person.get(home).await;
    assert_eq!(
        may.data()["update"],
        json!({"access": true, "fields": ["*"], "presets": {}})
    );
    assert_eq!(person.get("/permissions/me/home/1").await.data(), may.data());
    assert_eq!(
        person.get("/permissions/me/home/2").await.data()["update"],
        json!({"access": false})
    );
    let maker = json!([{"collection": "home", "action": "create", "fields": ["headline"], "presets": {"headline": "New"}}]);
    let maker = app.caller_with("maker@example.com", maker).await;
    assert_eq!(
        maker.get(home).await.data()["update"],
        json!({"access": false}),
        "it is there by now"
    );
}

#[tokio::test]
async fn people_see_of_themselves_and_of_others_what_they_may() {
    let (app, editor) = newsroom().await;
    let key = editor.key().await;
    assert_eq!(editor.get("/users/me").await.data(), &json!({"id": key}));
    assert_eq!(editor.get("/users").await.refusal(), (403, "FORBIDDEN"));
    let own = json!({"id": {"_eq": "$CURRENT_USER"}});
    let permissions = json!([
        {"collection": "directus_users", "action": "read", "fields": ["first_name"]},
        {"collection": "directus_users", "action": "read", "fields": ["email", "title"], "permissions": own},
        {"collection": "directus_users", "action": "update", "fields": ["title"], "permissions": own},
    ]);
    let person = app.caller_with("person@example.com", permissions).await;
    let me = person.get("/users/me?fields=email").await;
    assert_eq!(me.data(), &json!({"email": "person@example.com"}));
    let changed = person
        .patch("/users/me?fields=title", json!({"title": "Editor"}))
        .await;
    assert_eq!(changed.data(), &json!({"title": "Editor"}), "{}", changed.text);
    let denied = person.patch("/users/me", json!({"status": "draft"})).await;
    let absent = person.patch("/users/me", json!({"stotus": "draft"})).await;
    assert_eq!(denied.refusal(), (400, "INVALID_PAYLOAD"));
    assert_eq!(denied.text, absent.text.replace("stotus", "status"));
    // Everybody is there, the addresses of the others are not; nor can they be felt for.
    let everybody = person.get("/users?fields=*&limit=-1").await;
    assert_eq!(everybody.data().as_array().unwrap().len(), 3);
    assert!(
        !everybody.text.contains("admin@example.com"),
        "{}",
        everybody.text
    );
    for query in [
        "filter[email][_eq]=admin@example.com",
        "filter[email][_starts_with]=admin",
        "search=admin@example.com",
    ] {
        assert_eq!(
            person.get(&format!("/users?{query}")).await.data(),
            &json!([]),
            "{query}"
        );
    }
    let largest = person.get("/users?aggregate[max]=email").await;
    assert!(!largest.text.contains("admin"), "{}", largest.text);
}

/// What an editor may write, asked in the order of the table; `data` of what the administrator then reads.
#[tokio::test]
async fn an_editor_writes_what_permissions_let_through() {
    let (app, editor) = newsroom().await;
    let open = format!("/items/posts/{OPEN}");
    let draft = format!("/items/posts/{DRAFT}");
    // A field that may not be written is an unknown one; an item is an absent one.
    let table = [
        ("PATCH", open.as_str(), json!({"title": "Better"}), 200),
        ("PATCH", &open, json!({"status": "draft"}), 400),
        ("PATCH", &open, json!({"slug": "x"}), 400),
        (
            "PATCH",
            &open,
            json!({"title": "x", "author": {"id": 2, "name": "x"}}),
            400,
        ),
        ("PATCH", &draft, json!({"title": "x"}), 403),
        (
            "PATCH",
            "/items/posts",
            json!({"keys": [OPEN, DRAFT], "data": {"title": "x"}}),
            403,
        ),
        (
            "PATCH",
            "/items/posts",
            json!({"query": {"filter": {"title": {"_nnull": true}}}, "data": {"title": "Best"}}),
            200,
        ),
        ("DELETE", &open, Value::Null, 403),
        (
            "POST",
            "/items/posts",
            json!({"title": "New", "status": "published"}),
            400,
        ),
        ("POST", "/items/authors", json!({"name": "Cid"}), 403),
        ("PATCH", "/items/authors/1", json!({"name": "x"}), 403),
        ("PATCH", "/items/home", json!({"headline": "x"}), 403),
        ("PATCH", "/settings", json!({"project_name": "x"}), 403),
        (
            "POST",
            "/permissions",
            json!({"collection": "quotes", "action": "read"}),
            403,
        ),
        (
            "POST",
            "/collections",
            json!({"collection": "x", "schema": {}}),
            403,
        ),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, expect) in table {
        let request = editor.request(method, path);
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        let answer = editor.send(request).await;
        if answer.status != expect || (expect >= 400) != answer.header("loggia-change").is_empty() {
            wrong.push(format!(
                "{method} {path} {body}: {} {}",
                answer.status, answer.text
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let posts = app.get("/items/posts?fields=title,status&sort=title").await;
    let expect = json!([{"title": "Best", "status": "published"}, {"title": "Secret", "status": "draft"}]);
    assert_eq!(posts.data(), &expect);
    // A preset is filled in; what is made is a draft, which the editor may not read.
    let made = editor.post("/items/posts", json!({"title": "New"})).await;
    assert_eq!(
        (made.status, made.text.contains("New")),
        (204, false),
        "{}",
        made.text
    );
    let drafts = app
        .get("/items/posts?fields=title&filter[status][_eq]=draft&sort=title")
        .await;
    assert_eq!(drafts.data(), &json!([{"title": "New"}, {"title": "Secret"}]));
}
