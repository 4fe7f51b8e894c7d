//! Writes by chance: what may be written is written exactly so, and whatever else is tried changes nothing.

use loggia_access::Permit;
use loggia_engine::Engine;
use loggia_engine::items::{Selection, Target, WriteOptions};
use loggia_model::filter::Test;
use loggia_model::plan::{DeletePlan, InsertPlan, Plan};
use loggia_model::{Filter, Scalar};
use serde_json::Value;

use super::comparing::number_by_value;
use super::dice::Dice;
use super::expected::{No, expected};
use super::requests::{self, Attempt};
use super::shrinking::WriteCase;
use super::world::{Ty, Who, World};
use super::{building, making};
use crate::fixture::column;

/// Tries so many writes in the world of a seed; how many were tried, done, and done with items nested in them.
pub(super) async fn attempts(seed: u64, count: usize) -> [usize; 3] {
    let mut dice = Dice::new(seed ^ 0x5A5A);
    let mut world = world(&mut dice, seed);
    let engine = building::build(&world).await;
    let mut counts = [0; 3];
    for _ in 0..count {
        let who = dice.one(&world.callers).clone();
        let Some(attempt) = requests::attempt(&mut dice, &world) else {
            continue;
        };
        counts[0] += 1;
        match compare(&engine, &world, &who, &attempt).await {
            Ok(None) => count_again(&engine, &mut world).await,
            Ok(Some(after)) => {
                world = after;
                counts[1] += 1;
                let nested = |value: &Value| value.is_object() || value.is_array();
                counts[2] += usize::from(
                    attempt
                        .data
                        .as_object()
                        .is_some_and(|data| data.values().any(nested)),
                );
            }
            Err(_) => {
                let case = WriteCase { world, who, attempt };
                panic!("{}", case.shrunk().await);
            }
        }
    }
    counts
}

/// The world of a seed, with rights to write.
fn world(dice: &mut Dice, seed: u64) -> World {
    let mut world = making::world(seed);
    for relation in &mut world.relations {
        let column = relation.sort_field.as_ref().and_then(|name| {
            let many = world.collections.iter().find(|many| many.name == relation.many)?;
            many.fields.iter().find(|field| field.name == *name)
        });
        if column.is_some_and(|column| column.ty != Ty::Integer || column.name == "id") {
            relation.sort_field = None;
        }
    }
    for _ in 0..dice.between(8, 20) {
        let permission = requests::permission(dice, &world);
        world.permissions.push(permission);
    }
    world.count();
    world
}

/// What was refused may have used up numbers of the database: a row that comes and goes tells what is next.
async fn count_again(engine: &Engine, world: &mut World) {
    let schema = engine.schema();
    for collection in &world.collections {
        let collection = schema.collection(&collection.name).unwrap().clone();
        let Some(primary) = collection.primary.clone() else {
            continue;
        };
        if !primary
            .column
            .as_ref()
            .is_some_and(|column| column.auto_increment)
        {
            continue;
        }
        let permit = |plan| Permit::system("rows of a test", plan);
        let mut tx = engine.parts().store.begin().await.unwrap();
        let made = Plan::Insert(InsertPlan {
            collection: collection.clone(),
            rows: vec![vec![]],
        });
        let key = tx.run(permit(made)).await.unwrap().into_keys().remove(0);
        let gone = Plan::Delete(DeletePlan {
            filter: Filter::field(&primary, Test::Equal(key.clone())),
            collection: collection.clone(),
        });
        tx.run(permit(gone)).await.unwrap();
        tx.commit().await.unwrap();
        if let Scalar::Int(key) = key {
            world.counted.insert(collection.name.clone(), key);
        }
    }
}

/// Tries an attempt; the world afterwards, if it was done.
///
/// # Errors
/// What should have come of it.
pub(super) async fn compare(
    engine: &Engine,
    world: &World,
    who: &Who,
    attempt: &Attempt,
) -> Result<Option<World>, String> {
    let expected = expected(world, who, attempt);
    let told = tried(engine, who, attempt).await;
    match (told, expected) {
        (Err(_), Err(_)) => {
            same(engine, world).await?;
            Ok(None)
        }
        (Ok(()), Ok(after)) => {
            same(engine, &after).await?;
            Ok(Some(after))
        }
        (Ok(()), Err(No(why))) => Err(format!("it is done, and should not be: {why}")),
        (Err(told), Ok(_)) => Err(format!("it is refused, and should not be: {told:?}")),
    }
}

async fn tried(engine: &Engine, who: &Who, attempt: &Attempt) -> Result<(), Vec<String>> {
    let (caller, options) = (building::caller(who), WriteOptions::default());
    let keys = attempt.keys.clone();
    let data = attempt.data.as_object().cloned().unwrap_or_default();
    let collection = attempt.collection.as_str();
    let done = match attempt.action {
        "create" => {
            engine
                .create_items(&caller, collection, vec![data], &options)
                .await
        }
        "update" => {
            let target = Target::Keys { keys, data };
            engine.update_items(&caller, collection, target, &options).await
        }
        _ => {
            let keys = Selection::Keys(keys);
            engine.delete_items(&caller, collection, keys, &options).await
        }
    };
    done.map(|_| ()).map_err(|error| {
        let problems = error.problems().0.into_iter();
        problems
            .map(|problem| format!("{} {}: {}", problem.code.name, problem.path, problem.message))
            .collect()
    })
}

/// Everything that is stored is what the world says.
async fn same(engine: &Engine, world: &World) -> Result<(), String> {
    for collection in &world.collections {
        let mut rows = world.rows.get(&collection.name).cloned().unwrap_or_default();
        rows.sort_by_key(|row| match &row["id"] {
            Value::String(text) => (0, text.clone()),
            number => (number.as_i64().unwrap_or_default(), String::new()),
        });
        for field in collection.fields.iter().filter(|field| field.ty != Ty::Alias) {
            let stored = column(engine, &collection.name, &field.name).await;
            let stored: Vec<_> = stored.into_iter().map(number_by_value).collect();
            let expected = rows.iter().map(|row| number_by_value(row[&field.name].clone()));
            let expected: Vec<_> = expected.collect();
            if stored != expected {
                let what = format!("{}.{}", collection.name, field.name);
                return Err(format!("{what} is {stored:?}, and should be {expected:?}"));
            }
        }
    }
    Ok(())
}
