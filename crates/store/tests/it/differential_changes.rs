//! Writes and changes of tables at random on several databases: the same keys and problems, and afterwards the same
//! columns and rows.

use std::cell::RefCell;

use loggia_model::filter::Test;
use loggia_model::plan::SchemaStep;
use loggia_model::schema::{Column, Default};
use loggia_model::{Scalar, StorageKind as Kind, field_types};
use loggia_servers::Kind as Database;
use loggia_store::Error;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::differential::{pool, runner, runtime};
use crate::world::{World, change, column, counted_key, opened, options, table};

/// Kinds that columns have and take.
const KINDS: [Kind; 14] = [
    Kind::Boolean,
    Kind::Integer,
    Kind::BigInteger,
    Kind::Float,
    Kind::Decimal,
    Kind::String,
    Kind::Text,
    Kind::Json,
    Kind::Date,
    Kind::Time,
    Kind::DateTime,
    Kind::Timestamp,
    Kind::Uuid,
    Kind::Binary,
];
const NAMES: [&str; 5] = ["a", "b", "c", "d", "order"];

/// How a column is to be; numbers choose among what there is.
#[derive(Clone, Debug)]
struct Wanted {
    kind: usize,
    nullable: bool,
    unique: bool,
    indexed: bool,
    default: Option<usize>,
}

#[derive(Clone, Debug)]
enum Act {
    Insert(Vec<Option<usize>>),
    Update(usize, usize, Option<usize>),
    Delete(usize),
    Add(usize, Wanted),
    /// To another kind, or the one that it has.
    Alter(usize, bool, Wanted),
    Drop(usize),
}

fn wanted() -> impl Strategy<Value = Wanted> {
    (
        0..KINDS.len(),
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.2),
        any::<bool>(),
        prop::option::of(0..20_usize),
    )
        .prop_map(|(kind, nullable, unique, indexed, default)| Wanted {
            kind,
            nullable,
            unique,
            indexed,
            default,
        })
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let name = || 0..NAMES.len();
    let value = || prop::option::weighted(0.8, 0..20_usize);
    let act = prop_oneof![
        4 => prop::collection::vec(value(), NAMES.len()).prop_map(Act::Insert),
        2 => (name(), 1..6_usize, value()).prop_map(|(name, id, value)| Act::Update(name, id, value)),
        1 => (1..4_usize).prop_map(Act::Delete),
        2 => (name(), wanted()).prop_map(|(name, wanted)| Act::Add(name, wanted)),
        4 => (name(), any::<bool>(), wanted()).prop_map(|(name, other, wanted)| Act::Alter(name, other, wanted)),
        1 => name().prop_map(Act::Drop),
    ];
    prop::collection::vec(act, 1..12)
}

/// Whether a database may take equal values of a kind for different ones: it tells them apart as they are written.
fn is_unique_alike(kind: Kind) -> bool {
    !matches!(kind, Kind::Decimal | Kind::Float | Kind::Binary)
}

fn value(kind: Kind, n: usize) -> Value {
    let mut pool = pool(kind);
    let n = n % pool.len();
    pool.swap_remove(n)
}

fn define(name: &str, kind: Kind, wanted: &Wanted) -> Column {
    let bare = Column {
        max_length: (kind == Kind::String).then_some(40),
        ..column(name, kind)
    };
    let parse = |n| {
        field_types::of_column(kind, &[])
            .parse(&value(kind, n), &bare)
            .ok()
    };
    let default = match kind {
        Kind::Binary => None,
        _ => wanted.default.and_then(parse),
    };
    Column {
        nullable: wanted.nullable,
        unique: wanted.unique && is_unique_alike(kind),
        indexed: wanted.indexed && !(wanted.unique && is_unique_alike(kind)),
        default: default.map_or(Default::None, Default::Value),
        ..bare
    }
}

/// Does something in a world; answers with what a caller is told.
async fn act(world: &World, number: usize, act: &Act) -> String {
    let things = world.collection("things");
    let here = |name: &str| things.field(name).and_then(|field| field.column.clone());
    let of_row = |id: usize| world.test("things.id", Test::LessOrEqual(Scalar::Int(id as i64)));
    let done = match act {
        Act::Insert(values) => {
            let given = NAMES.iter().zip(values);
            let given = given.filter_map(|(name, n)| Some((*name, value(here(name)?.kind, (*n)?))));
            // What is refused uses up numbers on some databases.
            let row: Vec<_> = std::iter::once(("id", json!(number + 1))).chain(given).collect();
            world.write(world.insert("things", &[&row])).await
        }
        Act::Update(name, id, n) => {
            let name = NAMES[*name];
            let Some(column) = here(name) else {
                return String::new();
            };
            let value = n.map_or(Value::Null, |n| value(column.kind, n));
            world
                .write(world.update("things", of_row(*id), &[(name, value)]))
                .await
        }
        Act::Delete(id) => world.write(world.delete("things", of_row(*id))).await,
        Act::Add(name, wanted) => {
            let column = define(NAMES[*name], KINDS[wanted.kind], wanted);
            let table = "things".to_owned();
            let step = SchemaStep::AddColumn { table, column };
            change(&world.store, vec![step]).await.map(|()| Vec::new())
        }
        Act::Alter(name, other, wanted) => {
            let Some(found) = here(NAMES[*name]) else {
                return String::new();
            };
            let kind = if *other { KINDS[wanted.kind] } else { found.kind };
            let column = define(NAMES[*name], kind, wanted);
            let table = "things".to_owned();
            let step = SchemaStep::AlterColumn { table, column };
            change(&world.store, vec![step]).await.map(|()| Vec::new())
        }
        Act::Drop(name) => {
            let (table, column) = ("things".to_owned(), NAMES[*name].to_owned());
            let step = SchemaStep::DropColumn { table, column };
            change(&world.store, vec![step]).await.map(|()| Vec::new())
        }
    };
    match done {
        Ok(keys) => format!("{keys:?}"),
        Err(Error::Internal(failure)) => panic!("{failure}"),
        Err(error) => {
            let problem = error.problem();
            // Which of several is the first depends on how a database keeps its rows.
            let message = problem
                .message
                .split(" The first:")
                .next()
                .unwrap_or_default()
                .to_owned();
            format!("{} {} {message}", problem.code.name, problem.path)
        }
    }
}

/// Columns and rows as a caller sees them.
async fn seen(world: &World) -> String {
    let things = world.collection("things");
    let columns: Vec<_> = things
        .fields
        .values()
        .filter_map(|field| {
            let column = field.column.clone()?;
            Some((
                column.name,
                column.kind,
                column.nullable,
                column.unique,
                column.indexed,
                format!("{:?} {:?}", column.default, column.max_length),
            ))
        })
        .collect();
    let names: Vec<_> = columns.iter().map(|column| column.0.as_str()).collect();
    format!("{columns:?}\n{}", world.json(world.read("things", &names)).await)
}

#[test]
fn writes_and_changes_of_tables_are_alike() {
    let runtime = runtime();
    let opening = async {
        let mut worlds = Vec::new();
        for database in [Database::Sqlite, Database::Postgres, Database::Mariadb] {
            worlds.extend(opened(database, options).await);
        }
        worlds
    };
    let worlds = runtime.block_on(opening);
    if worlds.len() < 2 {
        return;
    }
    let things = || {
        let mut columns = vec![counted_key()];
        columns.extend([column("a", Kind::String), column("b", Kind::Integer)]);
        table("things", columns, vec![])
    };
    let worlds = RefCell::new(worlds);
    let outcome = runner(40).run(&acts(), |acts| {
        let taken = worlds.take();
        let mut kept = Vec::new();
        let outcome = runtime.block_on(async {
            for world in taken {
                let mut steps = vec![things()];
                if world.schema.collection("things").is_some() {
                    let table = "things".to_owned();
                    steps.insert(0, SchemaStep::DropTable { table });
                }
                change(&world.store, steps).await.unwrap();
                kept.push(world.again(vec![]).await);
            }
            for (number, done) in acts.iter().enumerate() {
                let mut answers: Vec<String> = Vec::new();
                let mut again = Vec::new();
                for world in kept.drain(..) {
                    let told = act(&world, number, done).await;
                    let world = world.again(vec![]).await;
                    answers.push(format!("{told}\n{}", seen(&world).await));
                    again.push(world);
                }
                kept = again;
                if answers.windows(2).any(|pair| pair[0] != pair[1]) {
                    return Err(TestCaseError::fail(json!(answers).to_string()));
                }
            }
            Ok(())
        });
        worlds.replace(kept);
        outcome
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    runtime.block_on(async move { drop(worlds) });
}
