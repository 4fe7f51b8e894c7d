//! Writes by chance: what may be written is written exactly so, and whatever else is tried changes nothing.

use loggia_engine::Engine;
use loggia_engine::items::{Selection, Target, WriteOptions};
use serde_json::Value;

use super::comparing::number_by_value;
use super::conditions::Evaluation;
use super::copy::Copy;
use super::dice::Dice;
use super::world::{Field, Permission, Row, Ty, Who, World, values};
use super::{asking, building, making};
use crate::fixture::column;

/// What is tried.
#[derive(Clone, Debug)]
struct Attempt {
    action: &'static str,
    collection: String,
    key: Value,
    data: Row,
}

/// Tries so many writes in the world of a seed; how many of them were done.
pub(super) async fn attempts(seed: u64, count: usize) -> usize {
    let mut dice = Dice::new(seed ^ 0x5A5A);
    let mut world = making::world(seed);
    let permissions: Vec<_> = (0..dice.between(6, 14))
        .map(|_| permission(&mut dice, &world))
        .collect();
    world.permissions.extend(permissions);
    let engine = building::build(&world).await;
    let mut done = 0;
    for _ in 0..count {
        let who = dice.one(&world.callers).clone();
        let Some(attempt) = attempt(&mut dice, &world) else {
            continue;
        };
        let allowed = allowed(&world, &who, &attempt);
        let told = tried(&engine, &who, &attempt).await;
        if allowed {
            apply(&mut world, &attempt);
            done += 1;
        }
        let context = format!(
            "seed {seed}, {who:?} {attempt:?}: {told:?}\n{:#?}",
            world.permissions
        );
        assert_eq!(told.is_ok(), allowed, "{context}");
        same(&engine, &world, &context).await;
    }
    done
}

fn permission(dice: &mut Dice, world: &World) -> Permission {
    let collection = dice.one(&world.collections);
    let action = *dice.one(&["create", "update", "update", "delete"]);
    let some = collection
        .fields
        .iter()
        .filter(|_| dice.chance(60))
        .map(|field| field.name.clone())
        .collect();
    let fields = if dice.chance(40) {
        vec!["*".to_owned()]
    } else {
        some
    };
    let items = match action {
        "create" => Value::Null,
        _ if dice.chance(40) => Value::Null,
        _ => asking::rule(dice, &Copy::full(world), &collection.name),
    };
    Permission {
        policy: dice.below(world.policies),
        collection: collection.name.clone(),
        action,
        fields,
        items,
        validation: Value::Null,
        presets: Value::Null,
    }
}

/// Fields that point nowhere.
fn plain<'w>(world: &'w World, collection: &str) -> Vec<&'w Field> {
    let of = world.collections.iter().find(|other| other.name == collection);
    let points = |name: &str| {
        world.relations.iter().any(|relation| {
            relation.many == collection
                && (relation.field == name || relation.any.as_ref().is_some_and(|(column, _)| column == name))
        })
    };
    let fields = of.into_iter().flat_map(|of| &of.fields);
    fields
        .filter(|field| field.name != "id" && field.ty != Ty::Alias && !points(&field.name))
        .collect()
}

fn attempt(dice: &mut Dice, world: &World) -> Option<Attempt> {
    let collection = dice.one(&world.collections);
    let action = *dice.one(&["create", "update", "update", "update", "delete"]);
    let rows = world
        .rows
        .get(&collection.name)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let key = match (action, collection.fields[0].ty) {
        ("create", Ty::String) => format!("n{}", dice.next() % 1_000_000).into(),
        ("create", _) => (100 + dice.next() % 1_000_000).into(),
        _ if dice.chance(8) => 99.into(),
        _ => dice.any(rows)?["id"].clone(),
    };
    let mut data = Row::new();
    let plain = plain(world, &collection.name);
    for _ in 0..dice.between(1, 2) {
        let field = dice.any(&plain)?;
        data.insert(field.name.clone(), dice.one(&values(field.ty)).clone());
    }
    Some(Attempt {
        action,
        collection: collection.name.clone(),
        key,
        data,
    })
}

/// Whether every layer grants it: the item to some permission, and each field to one that lets the item.
fn allowed(world: &World, who: &Who, attempt: &Attempt) -> bool {
    let full = Copy::full(world);
    let on = Evaluation::new(&full, who);
    let Some(table) = full.table(&attempt.collection) else {
        return false;
    };
    let item = table.rows.iter().find(|row| row.values["id"] == attempt.key);
    if attempt.action != "create" && item.is_none() {
        return false;
    }
    who.layers.iter().flatten().all(|policies| {
        let lets: Vec<_> = world
            .permissions
            .iter()
            .filter(|permission| {
                permission.action == attempt.action
                    && policies.contains(&permission.policy)
                    && permission.collection == attempt.collection
                    && (permission.items.is_null() || on.matches(table, item, &permission.items))
            })
            .collect();
        let grants = |name: &String| {
            lets.iter().any(|permission| {
                permission
                    .fields
                    .iter()
                    .any(|field| field == "*" || field == name)
            })
        };
        !lets.is_empty() && (attempt.action == "delete" || attempt.data.keys().all(grants))
    })
}

async fn tried(engine: &Engine, who: &Who, attempt: &Attempt) -> Result<(), Vec<String>> {
    let (caller, options) = (building::caller(who), WriteOptions::default());
    let keys = vec![attempt.key.clone()];
    let mut data = attempt.data.clone();
    let collection = attempt.collection.as_str();
    let done = match attempt.action {
        "create" => {
            data.insert("id".to_owned(), attempt.key.clone());
            engine
                .create_items(&caller, collection, vec![data], &options)
                .await
        }
        "update" => {
            engine
                .update_items(&caller, collection, Target::Keys { keys, data }, &options)
                .await
        }
        _ => {
            engine
                .delete_items(&caller, collection, Selection::Keys(keys), &options)
                .await
        }
    };
    done.map(|_| ()).map_err(|error| {
        let problems = error.problems().0;
        problems
            .iter()
            .map(|problem| format!("{} {}", problem.code.name, problem.message))
            .collect()
    })
}

/// Does it to the rows of the world.
fn apply(world: &mut World, attempt: &Attempt) {
    let Some(collection) = world
        .collections
        .iter()
        .find(|other| other.name == attempt.collection)
    else {
        return;
    };
    let rows = world.rows.entry(attempt.collection.clone()).or_default();
    match attempt.action {
        "create" => {
            let columns = collection.fields.iter().filter(|field| field.ty != Ty::Alias);
            let mut row: Row = columns.map(|field| (field.name.clone(), Value::Null)).collect();
            row.extend(attempt.data.clone());
            row.insert("id".to_owned(), attempt.key.clone());
            rows.push(row);
        }
        "update" => {
            for row in rows.iter_mut().filter(|row| row["id"] == attempt.key) {
                row.extend(attempt.data.clone());
            }
        }
        _ => {
            rows.retain(|row| row["id"] != attempt.key);
            for relation in world
                .relations
                .iter()
                .filter(|relation| relation.one.as_ref() == Some(&attempt.collection))
            {
                for row in world.rows.get_mut(&relation.many).into_iter().flatten() {
                    if row[&relation.field] == attempt.key {
                        row.insert(relation.field.clone(), Value::Null);
                    }
                }
            }
        }
    }
}

/// Everything that is stored is what the world says.
async fn same(engine: &Engine, world: &World, context: &str) {
    for collection in &world.collections {
        let mut rows = world.rows.get(&collection.name).cloned().unwrap_or_default();
        rows.sort_by_key(|row| match &row["id"] {
            Value::String(text) => (0, text.clone()),
            number => (number.as_i64().unwrap_or_default(), String::new()),
        });
        for field in collection.fields.iter().filter(|field| field.ty != Ty::Alias) {
            let stored = column(engine, &collection.name, &field.name).await;
            let stored: Vec<_> = stored.into_iter().map(number_by_value).collect();
            let expected: Vec<_> = rows
                .iter()
                .map(|row| number_by_value(row[&field.name].clone()))
                .collect();
            assert_eq!(stored, expected, "{}.{} {context}", collection.name, field.name);
        }
    }
}
