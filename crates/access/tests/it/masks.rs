//! What becomes of plans: one table for each rule.

use loggia_access::{Grants, decide, decide_created};
use loggia_model::Filter;
use loggia_model::filter::{Direction, Function, Operand, Quantifier, Step, Test};
use loggia_model::plan::{
    Aggregate, AggregatePlan, DeletePlan, Figure, Group, InsertPlan, Plan, ReadPlan, Selected, Sort, Source,
    UpdatePlan,
};
use serde_json::{Value, json};

use crate::print;
use crate::world::{World, reads};

const DENIED: &str = "denied";

#[track_caller]
fn check(grants: &Grants, plan: impl Into<Decided>, expect: &str) {
    let decided = decide(grants, plan.into().0);
    let got = decided.map_or_else(|_| DENIED.to_owned(), |permit| print::plan(permit.plan()));
    assert_eq!(got, expect);
}

struct Decided(Plan);

impl From<ReadPlan> for Decided {
    fn from(plan: ReadPlan) -> Self {
        Self(Plan::Read(plan))
    }
}

impl From<Plan> for Decided {
    fn from(plan: Plan) -> Self {
        Self(plan)
    }
}

/// Titles of published articles, bodies of those in English, and both of Ada's own.
fn journalist() -> Vec<Value> {
    vec![
        reads(
            "articles",
            &["title", "status"],
            json!({"status": {"_eq": "public"}}),
        ),
        reads(
            "articles",
            &["title", "status", "body"],
            json!({"locale": {"_eq": "en"}}),
        ),
    ]
}

const ROWS: &str = "(status=public | locale=en)";

#[test]
fn rows_and_fields_of_a_read() {
    let world = World::new();
    let grants = world.grants(&[&journalist()]);
    let all = world.grants(&[&[reads("articles", &["*"], Value::Null)]]);
    let read = |fields: &[&str]| world.read("articles", fields);
    check(
        &grants,
        read(&["id", "title"]),
        &format!("articles[id, title] where {ROWS}"),
    );
    check(
        &grants,
        read(&["title", "body"]),
        &format!("articles[title, body if locale=en] where {ROWS}"),
    );
    check(&grants, read(&["title", "locale"]), DENIED);
    check(&grants, world.read("comments", &["id"]), DENIED);
    check(&all, read(&["title", "locale"]), "articles[title, locale]");
    let asked = ReadPlan {
        filter: world.is("articles.title", "x"),
        sort: vec![world.sort("articles.body"), world.sort("articles.id")],
        ..read(&["id"])
    };
    check(
        &grants,
        asked,
        &format!("articles[id] where (title=x & {ROWS}) by {{body if locale=en}}, id"),
    );
    let sorted = ReadPlan {
        sort: vec![world.sort("articles.locale")],
        ..read(&["id"])
    };
    check(&grants, sorted, DENIED);
}

#[test]
fn fields_that_are_shown_alike_share_a_condition() {
    let world = World::new();
    let grants = world.grants(&[&[
        reads("articles", &["title"], json!({"status": {"_eq": "public"}})),
        reads(
            "articles",
            &["body", "status", "views"],
            json!({"locale": {"_eq": "en"}}),
        ),
        reads("articles", &["views"], json!({"status": {"_eq": "public"}})),
        reads("articles", &["locale"], json!({"locale": {"_eq": "en"}})),
    ]]);
    let plan = world.read("articles", &["title", "body", "status", "views", "locale"]);
    let permit = decide(&grants, Plan::Read(plan)).unwrap();
    let Plan::Read(plan) = permit.into_plan() else {
        panic!("a read stays one")
    };
    let when: Vec<_> = plan.select.iter().map(|selected| selected.when.clone()).collect();
    let shown: Vec<_> = when
        .iter()
        .map(|when| when.as_ref().map(|when| print::filter(when)))
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        shown,
        [
            some("status=public"),
            some("locale=en"),
            some("locale=en"),
            None,
            some("locale=en")
        ]
    );
    let same =
        |i: usize, j: usize| std::sync::Arc::ptr_eq(when[i].as_ref().unwrap(), when[j].as_ref().unwrap());
    assert!(same(1, 2) && same(1, 4));
}

#[test]
fn parts_of_values_and_counts() {
    let world = World::new();
    let mut rules = journalist();
    rules.push(reads(
        "articles",
        &["comments"],
        json!({"title": {"_eq": "open"}}),
    ));
    rules.push(reads(
        "comments",
        &["text", "article"],
        json!({"status": {"_eq": "ok"}}),
    ));
    let grants = world.grants(&[&rules]);
    let body = world.field("articles.body");
    let select = |source: Source| ReadPlan {
        select: vec![Selected::new("a", source)],
        ..world.read("articles", &[])
    };
    let rows = "(status=public | locale=en | title=open)";
    let year = Source::Function {
        function: Function::Year,
        field: body.clone(),
    };
    check(
        &grants,
        select(year),
        &format!("articles[Year(body) if locale=en] where {rows}"),
    );
    let json = Source::Json {
        field: body.clone(),
        path: vec!["a".to_owned()],
    };
    check(
        &grants,
        select(json),
        &format!("articles[body->a if locale=en] where {rows}"),
    );
    let count = || Operand::Count {
        step: world.step("articles.comments", None),
        filter: Box::new(world.is("comments.text", "x")),
    };
    // Of a list that is masked there is nothing to count.
    let counted = "count comments<article((text=x & status=ok & some article>articles(title=open)))";
    check(
        &grants,
        select(Source::Count(count())),
        &format!("articles[{counted}] where {rows}"),
    );
    let sorted = ReadPlan {
        sort: vec![Sort {
            operand: count(),
            descending: true,
        }],
        ..world.read("articles", &[])
    };
    check(&grants, sorted, &format!("articles[] where {rows} by {counted}"));
    let members = ["id", "title", "body"].map(|name| {
        let field = world.field(&format!("articles.{name}")).clone();
        Selected::new(name, Source::Field(field))
    });
    check(
        &grants,
        select(Source::Tag(members.to_vec())),
        &format!("articles[tag of id + title if {ROWS} + body if locale=en] where {rows}"),
    );
}

#[test]
fn tests_of_masked_values() {
    let world = World::new();
    let grants = world.grants(&[&journalist()]);
    let test = |field: &str, test: Test| Filter::field(world.field(field), test);
    let filtered = |filter: Filter| ReadPlan {
        filter,
        ..world.read("articles", &[])
    };
    let table = [
        (
            test("articles.body", Test::Equal("x".into())),
            format!("(body=x & locale=en & {ROWS})"),
        ),
        (
            test("articles.body", Test::NotEqual("x".into())),
            format!("(body!=x & locale=en & {ROWS})"),
        ),
        (
            test("articles.body", Test::NotNull),
            format!("(body set & locale=en & {ROWS})"),
        ),
        (
            test("articles.body", Test::Null),
            format!("((body null | !locale=en) & {ROWS})"),
        ),
        (
            test("articles.body", Test::Empty),
            format!("((body empty | !locale=en) & {ROWS})"),
        ),
        (
            Filter::Not(Box::new(test("articles.body", Test::Equal("x".into())))),
            format!("(!(body=x & locale=en) & {ROWS})"),
        ),
        (
            Filter::Or(vec![
                test("articles.body", Test::NotNull),
                test("articles.title", Test::Equal("y".into())),
            ]),
            format!("(((body set & locale=en) | title=y) & {ROWS})"),
        ),
        (
            Filter::Test {
                operand: Operand::Case {
                    when: std::sync::Arc::new(test("articles.body", Test::Null)),
                    operand: Box::new(Operand::Field(world.field("articles.title").clone())),
                },
                test: Test::Equal("t".into()),
            },
            format!("({{title if (body null | !locale=en)}}=t & {ROWS})"),
        ),
    ];
    for (filter, expect) in table {
        check(&grants, filtered(filter), &format!("articles[] where {expect}"));
    }
    check(&grants, filtered(test("articles.locale", Test::NotNull)), DENIED);
    check(
        &grants,
        filtered(Filter::Not(Box::new(test("articles.views", Test::Null)))),
        DENIED,
    );
}

/// Articles with author or reviewer, authors with their articles or their mentor, each on some rows only.
fn related_rules() -> Vec<Value> {
    vec![
        reads(
            "articles",
            &["title", "author"],
            json!({"status": {"_eq": "public"}}),
        ),
        reads(
            "articles",
            &["title", "reviewer"],
            json!({"locale": {"_eq": "en"}}),
        ),
        reads(
            "authors",
            &["name", "articles"],
            json!({"email": {"_nnull": true}}),
        ),
        reads("authors", &["name", "mentor"], json!({"code": {"_eq": "c"}})),
    ]
}

const AUTHORS: &str = "(email set | code=c)";

#[test]
fn relations_in_what_is_selected() {
    let world = World::new();
    let grants = world.grants(&[&related_rules()]);
    let to_one = ReadPlan {
        select: vec![world.related("articles.author", vec![world.read("authors", &["name"])])],
        ..world.read("articles", &[])
    };
    check(
        &grants,
        to_one,
        &format!("articles[author: authors[name] where {AUTHORS} if status=public] where {ROWS}"),
    );
    let to_many = ReadPlan {
        select: vec![world.related("authors.articles", vec![world.read("articles", &["title"])])],
        ..world.read("authors", &[])
    };
    check(
        &grants,
        to_many,
        &format!(
            "authors[articles: articles[title] where ({ROWS} & status=public) if email set] where {AUTHORS}"
        ),
    );
    let unlisted = ReadPlan {
        select: vec![world.related("authors.pupils", vec![world.read("authors", &["name"])])],
        ..world.read("authors", &[])
    };
    check(&grants, unlisted, DENIED);
    let alias_alone = world.grants(&[&[
        reads("authors", &["articles"], Value::Null),
        reads("articles", &["title"], Value::Null),
    ]]);
    let to_many = ReadPlan {
        select: vec![world.related("authors.articles", vec![world.read("articles", &["title"])])],
        ..world.read("authors", &[])
    };
    check(&alias_alone, to_many, DENIED);
    let unreadable = world.grants(&[&[reads("articles", &["*"], Value::Null)]]);
    let to_one = ReadPlan {
        select: vec![world.related("articles.author", vec![world.read("authors", &["id"])])],
        ..world.read("articles", &[])
    };
    check(&unreadable, to_one, DENIED);
    check(
        &unreadable,
        world.read("articles", &["author"]),
        "articles[author]",
    );
}

#[test]
fn relations_into_several_collections() {
    let world = World::new();
    let plan = || ReadPlan {
        select: vec![world.related(
            "blocks.item",
            vec![world.read("authors", &["name"]), world.read("notes", &["text"])],
        )],
        ..world.read("blocks", &[])
    };
    let notes = reads("notes", &["*"], json!({"text": {"_eq": "n"}}));
    let authors = reads("authors", &["*"], Value::Null);
    let whole = world.grants(&[&[
        reads("blocks", &["collection", "item"], Value::Null),
        notes.clone(),
        authors.clone(),
    ]]);
    check(
        &whole,
        plan(),
        "blocks[item: authors[name] / notes[text] where text=n]",
    );
    let parts = world.grants(&[&[
        reads("blocks", &["item"], json!({"note": {"_eq": "a"}})),
        reads("blocks", &["collection"], json!({"note": {"_eq": "b"}})),
        notes.clone(),
        authors.clone(),
    ]]);
    check(
        &parts,
        plan(),
        "blocks[item: authors[name] / notes[text] where text=n if (note=a & note=b)] where (note=a | note=b)",
    );
    let no_name = world.grants(&[&[reads("blocks", &["item"], Value::Null), notes, authors]]);
    check(&no_name, plan(), DENIED);
    check(&no_name, world.read("blocks", &["item"]), "blocks[item]");
}

#[test]
fn relations_in_conditions() {
    let world = World::new();
    let grants = world.grants(&[&related_rules()]);
    let related = |path: &str, quantifier, filter| Filter::Related {
        step: world.step(path, None),
        quantifier,
        filter: Box::new(filter),
    };
    let on = |collection: &str, filter: Filter| ReadPlan {
        filter,
        ..world.read(collection, &[])
    };
    let named = || world.is("authors.name", "n");
    check(
        &grants,
        on("articles", related("articles.author", Quantifier::Some, named())),
        &format!("articles[] where (some author>authors((name=n & {AUTHORS})) & status=public & {ROWS})"),
    );
    check(
        &grants,
        on(
            "articles",
            related("articles.author", Quantifier::None, Filter::All),
        ),
        &format!("articles[] where ((no author>authors({AUTHORS}) | !status=public) & {ROWS})"),
    );
    let titled = || world.is("articles.title", "t");
    check(
        &grants,
        on("authors", related("authors.articles", Quantifier::Some, titled())),
        &format!(
            "authors[] where (some articles<author((title=t & {ROWS} & status=public)) & email set & {AUTHORS})"
        ),
    );
    check(
        &grants,
        on("authors", related("authors.articles", Quantifier::None, titled())),
        &format!(
            "authors[] where ((no articles<author((title=t & {ROWS} & status=public)) | !email set) & {AUTHORS})"
        ),
    );
    // A relation without a list: only the column that points counts.
    let reviewed = Step {
        direction: Direction::Backward,
        target: world.collection("articles").clone(),
        ..world.step("articles.reviewer", None)
    };
    let reviewed = Filter::Related {
        step: reviewed,
        quantifier: Quantifier::Some,
        filter: Box::new(Filter::All),
    };
    check(
        &grants,
        on("authors", reviewed),
        &format!("authors[] where (some articles<reviewer(({ROWS} & locale=en)) & {AUTHORS})"),
    );
    let pupils = related("authors.pupils", Quantifier::Some, Filter::All);
    check(&grants, on("authors", pupils), DENIED);
    let unnamed = related(
        "articles.author",
        Quantifier::Some,
        world.is("authors.email", "e"),
    );
    check(&grants, on("articles", unnamed), DENIED);
}

#[test]
fn keys_that_are_no_primary_keys() {
    let world = World::new();
    let follow = || ReadPlan {
        filter: Filter::Related {
            step: world.step("articles.desk", None),
            quantifier: Quantifier::Some,
            filter: Box::new(Filter::All),
        },
        ..world.read("articles", &[])
    };
    let articles = reads("articles", &["desk"], Value::Null);
    let coded = reads("authors", &["code"], json!({"name": {"_eq": "n"}}));
    let named = reads("authors", &["name"], json!({"email": {"_eq": "e"}}));
    let grants = world.grants(&[&[articles.clone(), coded, named.clone()]]);
    check(
        &grants,
        follow(),
        "articles[] where some desk>authors(((name=n | email=e) & name=n))",
    );
    check(&world.grants(&[&[articles, named]]), follow(), DENIED);
}

#[test]
fn sorting_through_relations() {
    let world = World::new();
    let grants = world.grants(&[&related_rules()]);
    let through = |operand: Operand| ReadPlan {
        sort: vec![Sort {
            operand: Operand::Through {
                step: world.step("articles.author", None),
                filter: Box::new(Filter::All),
                operand: Box::new(operand),
            },
            descending: false,
        }],
        ..world.read("articles", &[])
    };
    let field = |path: &str| Operand::Field(world.field(path).clone());
    check(
        &grants,
        through(field("authors.name")),
        &format!("articles[] where {ROWS} by {{author>authors({AUTHORS}).name if status=public}}"),
    );
    check(
        &grants,
        through(field("authors.mentor")),
        &format!(
            "articles[] where {ROWS} by {{author>authors({AUTHORS}).{{mentor if code=c}} if status=public}}"
        ),
    );
    check(&grants, through(field("authors.email")), DENIED);
}

#[test]
fn figures_and_groups() {
    let world = World::new();
    let grants = world.grants(&[&journalist()]);
    let plan = |group: Option<&str>, figure: (Aggregate, Option<&str>), filter: Filter| {
        Plan::Aggregate(AggregatePlan {
            collection: world.collection("articles").clone(),
            filter,
            group_by: group
                .map(|path| Group {
                    alias: "g".to_owned(),
                    operand: Operand::Field(world.field(path).clone()),
                })
                .into_iter()
                .collect(),
            figures: vec![Figure {
                function: figure.0,
                field: figure.1.map(|path| world.field(path).clone()),
                when: None,
            }],
            sort: Vec::new(),
            limit: None,
            offset: 0,
        })
    };
    check(
        &grants,
        plan(None, (Aggregate::Count, None), Filter::All),
        &format!("count(*) of articles where {ROWS}"),
    );
    check(
        &grants,
        plan(
            Some("articles.body"),
            (Aggregate::Max, Some("articles.body")),
            world.is("articles.body", "x"),
        ),
        &format!(
            "{{body if locale=en}}, max(body) if locale=en of articles where (body=x & locale=en & {ROWS})"
        ),
    );
    check(
        &grants,
        plan(None, (Aggregate::Sum, Some("articles.views")), Filter::All),
        DENIED,
    );
    check(
        &grants,
        plan(Some("articles.locale"), (Aggregate::Count, None), Filter::All),
        DENIED,
    );
}

#[test]
fn writes_are_limited_to_the_rows_of_their_action() {
    let world = World::new();
    let rules = |action: &str| {
        let rule = |items: Value| json!({"collection": "articles", "action": action, "items": items});
        vec![
            rule(json!({"status": {"_eq": "draft"}})),
            rule(json!({"title": {"_eq": "mine"}})),
        ]
    };
    let articles = world.collection("articles");
    let insert = || {
        Plan::Insert(InsertPlan {
            collection: articles.clone(),
            rows: Vec::new(),
        })
    };
    let update = || {
        Plan::Update(UpdatePlan {
            collection: articles.clone(),
            filter: world.is("articles.id", "1"),
            assign: Vec::new(),
        })
    };
    let delete = || {
        Plan::Delete(DeletePlan {
            collection: articles.clone(),
            filter: Filter::All,
        })
    };
    let creates = world.grants(&[&rules("create")]);
    let updates = world.grants(&[&rules("update")]);
    let deletes = world.grants(&[&rules("delete")]);
    check(&creates, insert(), "insert articles");
    check(&updates, insert(), DENIED);
    check(
        &updates,
        update(),
        "update articles where (id=1 & (status=draft | title=mine))",
    );
    check(&creates, update(), DENIED);
    check(
        &deletes,
        delete(),
        "delete articles where (status=draft | title=mine)",
    );
    check(&updates, delete(), DENIED);
    check(&deletes, world.read("articles", &["id"]), DENIED);

    let created = decide_created(&creates, articles, world.is("articles.id", "1")).unwrap();
    assert_eq!(
        print::plan(created.unwrap().plan()),
        "articles[id] where (id=1 & (status=draft | title=mine))"
    );
    assert!(decide_created(&updates, articles, Filter::All).is_err());
    let anything = world.grants(&[&[json!({"collection": "articles", "action": "create"})]]);
    assert!(
        decide_created(&anything, articles, Filter::All)
            .unwrap()
            .is_none()
    );
    // Some fields may be given to some items only: somebody has to look.
    let narrower = json!({"collection": "articles", "action": "create", "items": {"title": {"_eq": "x"}}});
    let all = json!({"collection": "articles", "action": "create", "fields": ["title"]});
    let mixed = world.grants(&[&[all, narrower]]);
    assert!(decide_created(&mixed, articles, Filter::All).unwrap().is_some());
}

#[test]
fn two_layers_mask_twice() {
    let world = World::new();
    let narrow = [
        reads("articles", &["title"], json!({"views": {"_eq": 1}})),
        reads("articles", &["body"], json!({"views": {"_eq": 2}})),
    ];
    let grants = world.grants(&[&journalist(), &narrow]);
    let plan = ReadPlan {
        filter: world.is("articles.body", "x"),
        ..world.read("articles", &["id", "title", "body"])
    };
    check(
        &grants,
        plan,
        "articles[id, title if views=1, body if (locale=en & views=2)] where \
         (locale=en & views=2 & body=x & (status=public | locale=en) & (views=1 | views=2))",
    );
    check(&grants, world.read("articles", &["status"]), DENIED);
    let one = world.grants(&[&journalist(), &[]]);
    check(&one, world.read("articles", &["id"]), DENIED);
}
