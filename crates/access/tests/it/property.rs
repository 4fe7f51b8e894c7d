//! The rule behind every table: what a caller gets is what an administrator gets from the masked copy.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use loggia_access::{Action, Grants, Layer, Permission, Rulebook, decide};
use loggia_model::plan::{Plan, Selected, Source};
use loggia_model::validation::Extent;
use loggia_model::{Problem, Problems};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::chosen::{COLLECTIONS, Chosen};
use crate::database::Database;
use crate::names::Names;
use crate::print;
use crate::world::{World, caller};

fn run(cases: u32, test: impl Fn(&[u8]) -> Result<(), TestCaseError>) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&vec(any::<u8>(), 0..600), |bytes| test(&bytes));
    outcome.unwrap();
}

fn grants(world: &World, layers: &[Vec<Permission>]) -> Grants {
    let named = |i: usize| format!("policy {i}");
    let permissions = layers.iter().enumerate().flat_map(|(i, layer)| {
        layer.iter().map(move |permission| Permission {
            policy: named(i),
            ..permission.clone()
        })
    });
    let callers = (0..layers.len()).map(|i| Layer {
        policies: vec![named(i)],
        admin: false,
    });
    Grants::compile(
        &caller(callers.collect(), false),
        &world.schema,
        &Rulebook::new(permissions),
        &world.conditions(),
    )
}

#[test]
fn answers_are_those_of_the_masked_copy() {
    let world = World::new();
    let (answered, narrowed, refused) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let cases = 2500;
    run(cases, |bytes| {
        let mut chosen = Chosen::new(&world, bytes);
        let plan = chosen.plan();
        let layers = chosen.layers();
        let database = chosen.database();
        let grants = grants(&world, &layers);
        let broken: Vec<_> = grants.broken().collect();
        prop_assert!(broken.is_empty(), "{broken:#?} {layers:#?}");
        let decided = decide(&grants, plan.clone());
        let shown = || format!("{}\n{layers:#?}\n{database:#?}", print::plan(&plan));
        prop_assert_eq!(decided.is_ok(), Names(&layers).granted(&plan), "{}", shown());
        match decided {
            Err(problems) => {
                prop_assert_eq!(problems, Problems::from(Problem::forbidden()));
                refused.fetch_add(1, Ordering::Relaxed);
            }
            Ok(permit) => {
                let got = database.answer(permit.plan());
                let expect = database.masked(&world, &layers).answer(&plan);
                prop_assert_eq!(&got, &expect, "{}\n{}", print::plan(permit.plan()), shown());
                answered.fetch_add(1, Ordering::Relaxed);
                narrowed.fetch_add(usize::from(got != database.answer(&plan)), Ordering::Relaxed);
            }
        }
        Ok(())
    });
    // The choices are no use if nearly all is refused, or nothing is masked.
    for count in [answered, narrowed, refused].map(AtomicUsize::into_inner) {
        assert!(count > usize::try_from(cases).unwrap() / 20, "{count} of {cases}");
    }
}

/// Everything that is shown of every collection: `collection id field value`, and lists by their keys.
fn everything(world: &World, grants: &Grants, database: &Database) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for name in COLLECTIONS {
        let collection = world.collection(name);
        for field in collection.fields.values().filter(|field| !field.is_alias()) {
            let mut plan = world.read(name, &["id"]);
            plan.select
                .push(Selected::new("value", Source::Field(field.clone())));
            let Ok(permit) = decide(grants, Plan::Read(plan)) else {
                continue;
            };
            let Value::Array(rows) = database.answer(permit.plan()) else {
                continue;
            };
            let shown = rows.iter().filter(|row| !row["value"].is_null());
            seen.extend(shown.map(|row| format!("{name} {} {} {}", row["id"], field.name, row["value"])));
        }
        for (action, _) in Action::ALL.map(|(name, action)| (action, name)) {
            for field in collection.fields.values() {
                if grants.may_touch(action, collection, field) {
                    seen.insert(format!("{name} {action:?} {}", field.name));
                }
            }
        }
        for field in collection.fields.keys() {
            let given = BTreeSet::from([field.clone()]);
            let sent = [(field.clone(), Value::from("x"))].into_iter().collect();
            if let Ok(filter) = grants.check(Action::Update, collection, &sent, &given, Extent::Part) {
                let rows = database.0[name].iter();
                let on = rows.filter(|row| database.holds(collection, row, &filter));
                seen.extend(on.map(|row| format!("{name} {:?} may change {field}", row.get("id"))));
            }
        }
    }
    seen
}

#[test]
fn a_permission_takes_nothing_away_and_a_layer_adds_nothing() {
    let world = World::new();
    run(150, |bytes| {
        let mut chosen = Chosen::new(&world, bytes);
        let mut layers = chosen.layers();
        for layer in &mut layers {
            layer.push(chosen.permission("articles", "update"));
        }
        let more = [
            chosen.permission("articles", "read"),
            chosen.permission("articles", "update"),
            chosen.permission("authors", "read"),
        ];
        let layer = chosen.layer();
        let database = chosen.database();
        let before = everything(&world, &grants(&world, &layers), &database);
        let mut wider = layers.clone();
        wider[0].extend(more);
        let after = everything(&world, &grants(&world, &wider), &database);
        let lost: Vec<_> = before.difference(&after).collect();
        prop_assert!(lost.is_empty(), "{lost:?} of {layers:#?}");
        layers.push(layer);
        let narrowed = everything(&world, &grants(&world, &layers), &database);
        let gained: Vec<_> = narrowed.difference(&before).collect();
        prop_assert!(gained.is_empty(), "{gained:?} of {layers:#?}");
        Ok(())
    });
}
