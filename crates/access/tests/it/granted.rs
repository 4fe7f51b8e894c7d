//! What a caller may know of and touch.

use std::collections::BTreeSet;

use loggia_access::{Action, Fields, Grants, decide, may_read};
use loggia_model::plan::Plan;
use serde_json::{Value, json};

use crate::print;
use crate::world::{World, administrator, reads};

fn some(names: &[&str]) -> Fields {
    Fields::Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn actions_and_fields() {
    let world = World::new();
    let grants = world.grants(&[&[
        reads("articles", &["title", "gone"], Value::Null),
        reads("articles", &["body"], json!({"status": {"_eq": "x"}})),
        json!({"collection": "articles", "action": "update"}),
        json!({"collection": "comments", "action": "delete", "fields": []}),
        json!({"collection": "notes", "action": "share", "fields": ["text"]}),
    ]]);
    let check = |collection: &str, action: Action, may: bool, fields: Fields| {
        let collection = world.collection(collection);
        assert_eq!(
            grants.may(action, collection),
            may,
            "{} {action:?}",
            collection.name
        );
        assert_eq!(
            grants.fields(action, collection),
            fields,
            "{} {action:?}",
            collection.name
        );
        for field in collection.fields.values() {
            let touched = grants.may_touch(action, collection, field);
            assert_eq!(touched, fields.has(&field.name), "{action:?} {}", field.name);
        }
    };
    check("articles", Action::Read, true, some(&["id", "title", "body"]));
    check("articles", Action::Update, true, Fields::All);
    check("articles", Action::Create, false, some(&[]));
    check("comments", Action::Delete, true, some(&["id"]));
    check("comments", Action::Read, false, some(&[]));
    check("notes", Action::Share, true, some(&["id", "text"]));
    check("authors", Action::Read, false, some(&[]));
    let sees = |name: &str| grants.sees(world.collection(name));
    assert!(sees("articles") && sees("comments") && sees("notes"));
    assert!(!sees("authors") && !sees("folder") && !sees("directus_users"));
    let readable: Vec<_> = may_read(&grants, &world.schema)
        .map(|collection| &collection.name)
        .collect();
    assert_eq!(readable, ["articles"]);
}

#[test]
fn on_every_item_or_on_some() {
    let world = World::new();
    let some = [reads("articles", &["*"], json!({"status": {"_eq": "x"}}))];
    let all = [reads("articles", &["title"], Value::Null)];
    let both = [&some[..], &all[..]].concat();
    let check = |layers: &[&[Value]], expect: bool| {
        let grants = world.grants(layers);
        let articles = world.collection("articles");
        assert_eq!(grants.everywhere(Action::Read, articles), expect, "{layers:?}");
        assert!(!grants.everywhere(Action::Update, articles));
    };
    check(&[&some], false);
    check(&[&all], true);
    check(&[&both], true);
    check(&[&all, &some], false);
    check(&[&all, &all], true);
    check(&[&[]], false);
    assert!(administrator().everywhere(Action::Update, world.collection("articles")));
}

#[test]
fn every_collection_but_the_systems_own() {
    let world = World::new();
    let grants = world.grants(&[&[
        json!({"collection": "*", "action": "read", "items": {"status": {"_eq": "public"}}}),
        json!({"collection": "*", "action": "create", "validation": {"text": {"_nnull": true}}}),
    ]]);
    let names = |action: Action| -> Vec<_> {
        let collections = world.schema.collections.values();
        let granted = collections.filter(|collection| grants.may(action, collection));
        granted.map(|collection| collection.name.as_str()).collect()
    };
    // Where there is nothing to ask, nothing is granted.
    assert_eq!(names(Action::Read), ["articles", "comments"]);
    assert_eq!(names(Action::Create), ["comments", "notes"]);
    assert_eq!(grants.broken().count(), 0, "it suits some");
}

#[test]
fn what_is_kept_from_everybody_but_administrators() {
    let world = World::new();
    let every: Vec<_> = world
        .schema
        .collections
        .keys()
        .flat_map(|collection| {
            Action::ALL.map(|(action, _)| json!({"collection": collection, "action": action}))
        })
        .collect();
    let grants = world.grants(&[&every]);
    let (admin, kept) = (administrator(), |action: Action| -> BTreeSet<&str> {
        let collections = world.schema.collections.values();
        let kept =
            collections.filter(|collection| !grants.may(action, collection) && collection.table.is_some());
        kept.map(|collection| collection.name.as_str()).collect()
    });
    let unreadable = [
        "directus_activity",
        "directus_revisions",
        "directus_sessions",
        "loggia_changes",
        "loggia_prunings",
        "loggia_tokens",
    ];
    assert_eq!(kept(Action::Read), BTreeSet::from(unreadable));
    let unwritable = BTreeSet::from([
        "directus_access",
        "directus_activity",
        "directus_collections",
        "directus_fields",
        "directus_permissions",
        "directus_policies",
        "directus_relations",
        "directus_revisions",
        "directus_sessions",
        "loggia_changes",
        "loggia_prunings",
        "loggia_tokens",
    ]);
    for action in [Action::Create, Action::Update, Action::Delete] {
        assert_eq!(kept(action), unwritable, "{action:?}");
    }
    for collection in world.schema.collections.values() {
        assert!(
            Action::ALL
                .iter()
                .all(|(_, action)| admin.may(*action, collection))
        );
    }
    for name in unreadable {
        assert!(!grants.sees(world.collection(name)), "{name}");
        let plan = Plan::Read(
            world.read(
                name,
                &["id"]
                    .map(|_| "id")
                    .map(|id| if name == "directus_sessions" { "token" } else { id }),
            ),
        );
        assert!(decide(&grants, plan).is_err(), "{name}");
    }
}

#[test]
fn who_uses_the_studio_sees_who_they_are() {
    let world = World::new();
    let users = world.collection("directus_users");
    let roles = world.collection("directus_roles");
    let shown = |grants: &Grants, collection: &str, fields: &[&str]| {
        let plan = Plan::Read(world.read(collection, fields));
        decide(grants, plan).map_or_else(|_| "denied".to_owned(), |permit| print::plan(permit.plan()))
    };
    for layers in [&[&[] as &[Value]] as &[&[Value]], &[&[], &[]]] {
        let grants = world.grants_of(layers, true);
        let own = vec!["id=ada"; layers.len()];
        let rows = match own.len() {
            1 => own[0].to_owned(),
            _ => format!("({})", own.join(" & ")),
        };
        assert_eq!(
            shown(&grants, "directus_users", &["id", "email", "theme_dark"]),
            format!("directus_users[id, email, theme_dark] where {rows}")
        );
        assert_eq!(shown(&grants, "directus_users", &["token"]), "denied");
        assert_eq!(shown(&grants, "directus_roles", &["users"]), "denied");
        let touch =
            |action: Action, field: &str| grants.may_touch(action, users, users.field(field).unwrap());
        assert!(touch(Action::Update, "password") && !touch(Action::Update, "role"));
        assert!(!touch(Action::Update, "email") && !touch(Action::Update, "status"));
        assert!(touch(Action::Read, "role") && !touch(Action::Read, "password"));
        assert!(!grants.may(Action::Delete, users) && !grants.may(Action::Create, users));
        assert!(grants.may(Action::Read, roles) && !grants.may(Action::Update, roles));
    }
    let grants = world.grants_of(&[&[]], true);
    assert_eq!(
        shown(&grants, "directus_roles", &["name", "parent"]),
        "directus_roles[name, parent] where id in editors"
    );
    let grants = world.grants_of(&[&[]], false);
    assert!(!grants.sees(users) && !grants.sees(roles));
}

#[test]
fn presets_of_the_first_rule_win() {
    let world = World::new();
    let articles = world.collection("articles");
    let create = |presets: Value| json!({"collection": "articles", "action": "create", "presets": presets});
    let first = create(json!({"author": "$CURRENT_USER", "status": "draft", "gone": 1}));
    let second = create(json!({"status": "public", "body": {"at": "$NOW"}}));
    let grants = world.grants(&[&[first.clone(), second.clone()]]);
    let presets = |grants: &Grants, action: Action| Value::Object(grants.presets(action, articles));
    assert_eq!(
        presets(&grants, Action::Create),
        json!({"author": "ada", "status": "draft", "body": {"at": "2026-11-21"}})
    );
    assert_eq!(presets(&grants, Action::Update), json!({}));
    let layers = world.grants(&[&[second], &[first]]);
    assert_eq!(
        presets(&layers, Action::Create),
        json!({"status": "public", "body": {"at": "2026-11-21"}, "author": "ada"})
    );
    assert_eq!(presets(&administrator(), Action::Create), json!({}));
}

#[test]
fn outlines_are_equal_for_equal_grants() {
    let world = World::new();
    let outline = |permissions: &[Value]| world.grants(&[permissions]).outline();
    let base = || {
        vec![
            reads("articles", &["title", "body"], Value::Null),
            json!({"collection": "notes", "action": "create", "presets": {"text": "x"}}),
        ]
    };
    let expect = outline(&base());
    let same = [
        // In another order, for other items, granted in parts, with other values filled in.
        base().into_iter().rev().collect(),
        vec![
            reads("articles", &["body", "title"], json!({"status": {"_eq": "x"}})),
            base()[1].clone(),
        ],
        vec![
            reads("articles", &["body"], json!({"due": 1})),
            reads("articles", &["title"], Value::Null),
            reads("articles", &["body"], Value::Null),
            json!({"collection": "notes", "action": "create", "presets": {"text": "y"}}),
        ],
    ];
    for (i, permissions) in same.iter().enumerate() {
        assert_eq!(outline(permissions), expect, "{i}");
    }
    let other = [
        vec![],
        vec![base()[0].clone()],
        vec![reads("articles", &["title"], Value::Null), base()[1].clone()],
        vec![reads("articles", &["*"], Value::Null), base()[1].clone()],
        vec![
            base()[0].clone(),
            json!({"collection": "notes", "action": "create"}),
        ],
        vec![
            base()[0].clone(),
            json!({"collection": "notes", "action": "update", "presets": {"text": "x"}}),
        ],
    ];
    let mut outlines: BTreeSet<_> = other.iter().map(|permissions| outline(permissions)).collect();
    outlines.extend([
        expect,
        administrator().outline(),
        world.grants(&[&base(), &[]]).outline(),
    ]);
    assert_eq!(outlines.len(), other.len() + 3);
}
