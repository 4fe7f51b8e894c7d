//! Which values may be written, and on which items.

use std::collections::BTreeSet;

use loggia_access::{Action, Grants};
use loggia_model::validation::Extent;
use serde_json::{Value, json};

use crate::print;
use crate::world::{World, administrator};

struct Case<'a> {
    grants: &'a Grants,
    world: &'a World,
    action: Action,
}

impl Case<'_> {
    /// All of `sent` is given but what `presets` name.
    #[track_caller]
    fn check(&self, sent: Value, presets: &[&str], expect: Result<&str, &[&str]>) {
        let sent = sent.as_object().unwrap();
        let given: BTreeSet<_> = sent
            .keys()
            .filter(|name| !presets.contains(&name.as_str()))
            .cloned()
            .collect();
        let extent = match self.action {
            Action::Create => Extent::Whole,
            _ => Extent::Part,
        };
        let articles = self.world.collection("articles");
        let got = self.grants.check(self.action, articles, sent, &given, extent);
        let got = got.map(|filter| print::filter(&filter)).map_err(|problems| {
            let problems = problems.0.into_iter();
            problems
                .map(|problem| {
                    let ty = problem.extensions.get("type").and_then(Value::as_str);
                    format!("{} {}", problem.path, ty.unwrap_or(problem.code.name))
                })
                .collect::<Vec<_>>()
        });
        let expect = expect
            .map(str::to_owned)
            .map_err(|problems| problems.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(got, expect);
    }
}

fn rule(action: &str, more: Value) -> Value {
    let mut rule = json!({"collection": "articles", "action": action});
    let members = rule.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    rule
}

#[test]
fn every_field_needs_a_rule_that_grants_it_there() {
    let world = World::new();
    let grants = world.grants(&[&[
        rule(
            "update",
            json!({"fields": ["title", "status"], "items": {"status": {"_eq": "draft"}}}),
        ),
        rule(
            "update",
            json!({"fields": ["title", "body"], "items": {"locale": {"_eq": "en"}}}),
        ),
        rule("update", json!({"fields": ["views"]})),
    ]]);
    let case = Case {
        grants: &grants,
        world: &world,
        action: Action::Update,
    };
    case.check(json!({"title": "t"}), &[], Ok("(status=draft | locale=en)"));
    case.check(json!({"status": "s"}), &[], Ok("status=draft"));
    case.check(
        json!({"status": "s", "body": "b"}),
        &[],
        Ok("(status=draft & locale=en)"),
    );
    case.check(json!({"views": 1}), &[], Ok("all"));
    case.check(json!({"views": 1, "body": "b"}), &[], Ok("locale=en"));
    case.check(json!({"id": 1, "body": "b"}), &[], Ok("locale=en"));
    case.check(json!({}), &[], Ok("all"));
    case.check(json!({"locale": "de"}), &[], Err(&["locale FORBIDDEN"]));
    case.check(
        json!({"locale": "de", "author": 1, "body": "b"}),
        &[],
        Err(&["author FORBIDDEN", "locale FORBIDDEN"]),
    );
    case.check(json!({"locale": "de", "body": "b"}), &["locale"], Ok("locale=en"));
    let create = Case {
        action: Action::Create,
        ..case
    };
    create.check(json!({"title": "t"}), &[], Err(&[" FORBIDDEN"]));
    let admin = administrator();
    let case = Case {
        grants: &admin,
        ..create
    };
    case.check(json!({"anything": 1}), &[], Ok("all"));
}

#[test]
fn rules_take_part_when_values_pass_their_validation() {
    let world = World::new();
    let grants = world.grants(&[&[
        rule(
            "create",
            json!({"fields": ["title", "status"], "validation": {"status": {"_in": ["draft", "review"]}}}),
        ),
        rule(
            "create",
            json!({"fields": ["title"], "validation": {"title": {"_nnull": true}}, "items": {"author": {"name": {"_eq": "n"}}}}),
        ),
    ]]);
    let case = Case {
        grants: &grants,
        world: &world,
        action: Action::Create,
    };
    case.check(json!({"title": "t", "status": "draft"}), &[], Ok("all"));
    case.check(
        json!({"title": "t", "status": "public"}),
        &[],
        Err(&["status in"]),
    );
    // A preset is validated as well.
    case.check(
        json!({"title": "t", "status": "public"}),
        &["status"],
        Ok("some author>authors(name=n)"),
    );
    case.check(
        json!({"title": null, "status": "public"}),
        &[],
        Err(&["status in", "title nnull"]),
    );
    case.check(json!({}), &[], Ok("all"));
}

#[test]
fn validation_is_of_what_will_be_stored() {
    let world = World::new();
    let grants = world.grants(&[&[json!({
        "collection": "directus_users",
        "action": "create",
        "validation": {"status": {"_in": ["draft", "invited"]}, "location": {"_neq": "x"}},
    })]]);
    let users = world.collection("directus_users");
    let check_with = |grants: &Grants, sent: Value, expect: bool| {
        let sent = sent.as_object().unwrap();
        let given = sent.keys().cloned().collect();
        let checked = grants.check(Action::Create, users, sent, &given, Extent::Whole);
        assert_eq!(checked.is_ok(), expect, "{sent:?}");
    };
    let check = |sent: Value, expect: bool| check_with(&grants, sent, expect);
    check(json!({"status": "draft"}), true);
    check(json!({"status": "active"}), false);
    // A column without a value gets its default, and null is a value.
    check(json!({"title": "t"}), false);
    check(json!({"status": null}), false);
    check(json!({"status": "draft", "location": null}), true);
    let demanded = json!({"collection": "directus_users", "action": "create", "validation": {"status": {"_nnull": true}}});
    check_with(&world.grants(&[&[demanded]]), json!({"title": "t"}), true);
    let submitted = json!({"collection": "directus_users", "action": "create", "validation": {"status": {"_submitted": true}}});
    let grants = world.grants(&[&[submitted]]);
    check_with(&grants, json!({"title": "t"}), false);
    check_with(&grants, json!({"status": "active"}), true);
}

#[test]
fn a_validation_that_says_nothing_that_could_be_tested_grants_nothing() {
    let world = World::new();
    let check = |tests: Value, sound: bool| {
        let rule = rule("update", json!({"validation": {"views": tests}}));
        let grants = world.grants(&[&[rule]]);
        let articles = world.collection("articles");
        assert_eq!(grants.may(Action::Update, articles), sound, "{tests}");
        assert_eq!(grants.broken().count(), usize::from(!sound), "{tests}");
    };
    for tests in [
        json!({"_neq": "many"}),
        json!({"_nin": [1, true]}),
        json!({"_nin": "1,x"}),
        json!({"_nbetween": [1, "x"]}),
        json!({"_between": [1]}),
        json!({"_lt": null}),
        json!({"_ncontains": {}}),
        json!({"_null": "perhaps"}),
        json!({"_regex": "(?=a)"}),
        json!("many"),
        json!([1]),
    ] {
        check(tests, false);
    }
    for tests in [
        json!({"_neq": "01", "_lt": 1.5}),
        json!({"_nin": [1, null, "$NOW"]}),
        json!({"_nin": "1,2"}),
        json!({"_between": ["$NOW", 5]}),
        json!({"_eq": null}),
        json!({"_null": "false", "_submitted": true}),
        json!(null),
        json!(1),
    ] {
        check(tests, true);
    }
}

#[test]
fn limits_on_locales_and_statuses() {
    let world = World::new();
    let grants = world.grants(&[&[
        rule(
            "create",
            json!({"statuses": ["draft", "review"], "locales": ["en"]}),
        ),
        rule("update", json!({"statuses": ["draft", "review"]})),
        rule(
            "read",
            json!({"statuses": ["public"], "items": {"title": {"_eq": "t"}}}),
        ),
        rule("delete", json!({"locales": ["en", "de"]})),
    ]]);
    let create = Case {
        grants: &grants,
        world: &world,
        action: Action::Create,
    };
    let articles = world.collection("articles");
    let presets = grants.presets(Action::Create, articles);
    assert_eq!(Value::Object(presets), json!({"locale": "en"}));
    create.check(json!({"status": "draft", "locale": "en"}), &[], Ok("all"));
    create.check(
        json!({"status": "public", "locale": "de"}),
        &[],
        Err(&["locale in", "status in"]),
    );
    create.check(json!({"locale": "en"}), &["locale"], Err(&["status required"]));
    create.check(json!({"locale": "en", "status": null}), &[], Err(&["status in"]));
    let update = Case {
        action: Action::Update,
        ..create
    };
    update.check(json!({"title": "t"}), &[], Ok("status in draft/review"));
    update.check(json!({"status": "review"}), &[], Ok("status in draft/review"));
    update.check(json!({"status": "public"}), &[], Err(&["status in"]));
    let read = Case {
        action: Action::Read,
        ..update
    };
    read.check(json!({}), &[], Ok("(title=t & status in public)"));
    let delete = Case {
        action: Action::Delete,
        ..read
    };
    delete.check(json!({}), &[], Ok("locale in en/de"));

    // A limit that names nothing leaves nothing, whatever the action; it takes nothing from others.
    let empty = |action: &str| {
        [
            rule(action, json!({"locales": []})),
            rule(action, json!({"statuses": [], "locales": ["en"]})),
        ]
    };
    for (name, action) in Action::ALL {
        let grants = world.grants(&[&empty(name)]);
        assert!(!grants.may(action, articles), "{name}");
        assert_eq!(grants.broken().count(), 2, "{name}");
        let [first, second] = empty(name);
        let grants = world.grants(&[&[first, second, rule(name, json!({}))]]);
        assert!(grants.everywhere(action, articles), "{name}");
    }

    // Comments have no locale to limit.
    let comments = world.grants(&[&[json!({"collection": "comments", "action": "read", "locales": ["en"]})]]);
    assert!(!comments.sees(world.collection("comments")));
    assert_eq!(comments.broken().count(), 1);
}

#[test]
fn all_layers_must_agree() {
    let world = World::new();
    let wide = [rule("update", json!({"items": {"status": {"_eq": "draft"}}}))];
    let narrow = [
        rule(
            "update",
            json!({"fields": ["title"], "items": {"locale": {"_eq": "en"}}}),
        ),
        rule(
            "update",
            json!({"fields": ["body"], "validation": {"body": {"_neq": "no"}}}),
        ),
    ];
    let grants = world.grants(&[&wide, &narrow]);
    let case = Case {
        grants: &grants,
        world: &world,
        action: Action::Update,
    };
    case.check(json!({"title": "t"}), &[], Ok("(status=draft & locale=en)"));
    case.check(json!({"body": "b"}), &[], Ok("status=draft"));
    case.check(json!({"body": "no"}), &[], Err(&["body neq"]));
    case.check(json!({"views": 1}), &[], Err(&["views FORBIDDEN"]));
    let twice = world.grants(&[&narrow, &narrow]);
    let case = Case {
        grants: &twice,
        ..case
    };
    case.check(json!({"body": "no"}), &[], Err(&["body neq"]));
}
