//! Compiled permissions: what cannot be compiled, and what has to be compiled again.

use loggia_access::{Grants, Layer, RuleSet, Rulebook, Varies, decide};
use loggia_model::plan::Plan;
use serde_json::{Value, json};

use crate::print;
use crate::world::{Variables, World, caller, permission, reads};

fn compile(world: &World, permissions: &[Value], conditions: &Variables<'_>) -> RuleSet {
    let book = Rulebook::new(permissions.iter().map(|row| permission("p", row)));
    RuleSet::compile(&["p".to_owned()], false, &world.schema, &book, conditions)
}

#[test]
fn a_permission_that_cannot_be_compiled_grants_nothing() {
    let world = World::new();
    let check = |permission: Value, reason: &str| {
        let set = compile(&world, std::slice::from_ref(&permission), &world.conditions());
        let broken: Vec<_> = set.broken().collect();
        assert_eq!(broken.len(), 1, "{permission}");
        assert_eq!(broken[0].policy, "p");
        assert_eq!(broken[0].collection, permission["collection"].as_str().unwrap());
        let text = broken[0].problems.to_string();
        assert!(text.contains(reason), "{permission}: {text}");
        let layer = Layer {
            policies: vec!["p".to_owned()],
            admin: false,
        };
        let grants = Grants::assemble(&caller(vec![layer], false), [set]);
        let collections = world.schema.collections.values();
        assert_eq!(
            collections.filter(|collection| grants.sees(collection)).count(),
            0
        );
        assert_eq!(grants.broken().count(), 1);
    };
    let articles =
        |name: &str, value: Value| json!({"collection": "articles", "action": "update", name: value});
    let invalid = |rule: Value| articles("validation", rule);
    check(json!({"collection": "gone"}), "no collection");
    check(articles("items", json!({"gone": {"_eq": 1}})), "no gone");
    check(articles("items", json!({"title": {"_like": 1}})), "_like");
    check(articles("items", json!("x")), "no filter");
    check(
        articles("presets", json!({"title": "$CURRENT_USER.gone"})),
        "stands for nothing",
    );
    check(invalid(json!({"gone": {"_eq": 1}})), "no field \"gone\"");
    check(
        invalid(json!({"_not": {"title": {"_eq": 1}}})),
        "no field \"_not\"",
    );
    check(
        invalid(json!({"_or": [{"title": {"_like": 1}}]})),
        "no operator `_like`",
    );
    check(invalid(json!({"_and": {"title": {"_eq": 1}}})), "array of rules");
    check(invalid(json!({"_and": ["title"]})), "rule object");
    check(invalid(json!("x")), "rule object");
    check(invalid(json!({"views": {"_between": "1,2"}})), "two values");
    check(invalid(json!({"body": {"_intersects": {}}})), "Shapes");
    check(
        invalid(json!({"author": {"gone": {"_eq": 1}}})),
        "no field \"gone\"",
    );
    check(
        invalid(json!({"comments": {"text": {"_eq": 1}}})),
        "no operator `text`",
    );
    check(
        invalid(json!({"title": {"_neq": "$CURRENT_USER.gone"}})),
        "stands for nothing",
    );
    check(
        json!({"collection": "comments", "locales": ["en"]}),
        "no field `locale`",
    );
    check(
        json!({"collection": "comments", "action": "create", "locales": ["en"]}),
        "no field `locale`",
    );
    check(
        json!({"collection": "*", "items": {"gone": {"_eq": 1}}}),
        "no gone",
    );
    check(
        json!({"collection": "*", "validation": {"gone": {"_eq": 1}}}),
        "none of the collections",
    );
}

#[test]
fn one_that_is_broken_leaves_the_others_alone() {
    let world = World::new();
    let grants = world.grants(&[&[
        reads("articles", &["title"], json!({"gone": {"_eq": 1}})),
        reads("articles", &["body"], json!({"status": {"_eq": "x"}})),
    ]]);
    let shown = |fields: &[&str]| {
        let plan = Plan::Read(world.read("articles", fields));
        decide(&grants, plan)
            .map(|permit| print::plan(permit.plan()))
            .ok()
    };
    assert_eq!(shown(&["body"]).as_deref(), Some("articles[body] where status=x"));
    assert_eq!(shown(&["title"]), None);
}

#[test]
fn only_what_changes_is_compiled_again() {
    let world = World::new();
    let check = |permissions: &[Value], expect: Varies| {
        let set = compile(&world, permissions, &world.conditions());
        assert_eq!(set.varies(), expect, "{permissions:?}");
    };
    let fixed = reads("articles", &["*"], json!({"status": {"_eq": "x"}}));
    let own = reads("notes", &["*"], json!({"text": {"_eq": "$CURRENT_USER"}}));
    let moving = reads("comments", &["*"], json!({"text": {"_lt": "$NOW"}}));
    check(&[], Varies::Never);
    check(std::slice::from_ref(&fixed), Varies::Never);
    check(&[fixed.clone(), own.clone()], Varies::ByCaller);
    check(&[fixed.clone(), own.clone(), moving.clone()], Varies::ByMoment);
    let titled =
        json!({"collection": "notes", "action": "create", "presets": {"text": "$CURRENT_USER.title"}});
    check(&[titled], Varies::ByMoment);

    let set = compile(&world, &[fixed, own, moving], &world.conditions());
    let later = Variables {
        now: "2027-01-01",
        ..world.conditions()
    };
    let shown = |set: &RuleSet, collection: &str| {
        let layer = Layer {
            policies: vec!["p".to_owned()],
            admin: false,
        };
        let grants = Grants::assemble(&caller(vec![layer], false), [set.clone()]);
        let plan = Plan::Read(world.read(collection, &[]));
        print::plan(decide(&grants, plan).unwrap().plan())
    };
    assert_eq!(shown(&set, "comments"), "comments[] where text<2026-11-21");
    for from in [Varies::Never, Varies::ByCaller, Varies::ByMoment] {
        let renewed = set.renewed(from, &later);
        assert_eq!(shown(&renewed, "comments"), "comments[] where text<2027-01-01");
        assert_eq!(shown(&renewed, "notes"), "notes[] where text=ada");
        assert_eq!(shown(&renewed, "articles"), "articles[] where status=x");
    }
    assert_eq!(
        shown(&set, "comments"),
        "comments[] where text<2026-11-21",
        "the old set stays"
    );
}

#[test]
fn what_must_be_known_of_the_user() {
    let permissions = [
        reads(
            "articles",
            &["*"],
            json!({"status": {"_eq": "$CURRENT_USER.department.head"}}),
        ),
        json!({"collection": "notes", "action": "create", "presets": {"text": "$CURRENT_USER.title"}}),
        json!({"collection": "notes", "action": "update", "validation": {"text": {"_eq": "$CURRENT_ROLE.name"}}}),
    ];
    let rows = permissions.iter().map(|row| permission("p", row));
    let other = permission(
        "q",
        &reads("notes", &["*"], json!({"text": {"_eq": "$CURRENT_USER.email"}})),
    );
    let book = Rulebook::new(rows.chain([other]));
    let paths = |policies: &[&str]| {
        book.user_paths(policies.iter().copied())
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(paths(&["p"]), ["department.head", "role.name", "title"]);
    assert_eq!(paths(&["q", "nobody"]), ["email"]);
}
