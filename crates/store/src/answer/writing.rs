//! Rows written, and failures explained: the database says that a rule was broken, a look at the rows says by what.

use loggia_model::field_types::{self, calendar};
use loggia_model::filter::Test;
use loggia_model::plan::{DeletePlan, InsertPlan, UpdatePlan};
use loggia_model::schema::{Action, Default};
use loggia_model::{Clock, Collection, Field, Filter, Scalar, StorageKind};
use serde_json::Value;
use std::sync::Arc;

use super::{Executor, Rows, reading};
use crate::lower::writes::{self, Filled};
use crate::lower::{Dialect, kind_of};
use crate::{Error, Fault};

/// The columns and values of one row.
type Assigned = [(Arc<Field>, Scalar)];

/// Inserts rows, one after the other, so that a failure can be laid to its row. Rows beside each other that give the
/// same columns share a statement.
pub(super) async fn insert<E: Executor>(
    executor: &mut E,
    plan: &InsertPlan,
    clock: &Clock,
) -> Result<Vec<Scalar>, Error> {
    let mut keys = Vec::with_capacity(plan.rows.len());
    let mut done = 0;
    for alike in plan.rows.chunk_by(|left, right| same_columns(left, right)) {
        let Some(first) = alike.first() else { continue };
        let filled = filled(&plan.collection, first, clock);
        let text = writes::insert(executor.dialect(), &plan.collection, first, &filled);
        let mut values = Vec::with_capacity(alike.len());
        for row in alike {
            values.push(writes::values_of(executor.dialect(), row, &filled));
        }
        match executor.query_each(&text, &values).await {
            Ok(rows) => {
                let made = keys_of_new(executor.dialect(), &plan.collection, alike, rows);
                within_type(&plan.collection, first, &made, done)?;
                keys.extend(made);
            }
            Err((i, error)) => {
                let row = &alike[i];
                let error = run_out(executor, error, &plan.collection, row).await;
                let error = explain(executor, error, &plan.collection, row, None).await;
                return Err(error.in_row(done + i));
            }
        }
        done += alike.len();
        // Before the next rows, which may leave theirs to be counted.
        count_on(executor, &plan.collection, alike).await?;
    }
    Ok(keys)
}

/// The column that the database counts, unless the row gives it.
fn counted<'c>(collection: &'c Collection, row: &Assigned) -> Option<&'c Arc<Field>> {
    let primary = collection.primary.as_ref()?;
    let given = row.iter().any(|(field, _)| field.name == primary.name);
    let counts = primary
        .column
        .as_ref()
        .is_some_and(|column| column.auto_increment);
    (counts && !given).then_some(primary)
}

/// A database may count on where the type of the key ends: SQLite has but one width of integers. Such a row could not
/// be found by its key.
fn within_type(collection: &Collection, row: &Assigned, made: &[Scalar], done: usize) -> Result<(), Error> {
    let Some(primary) = counted(collection, row).filter(|key| kind_of(key) == StorageKind::Integer) else {
        return Ok(());
    };
    let beyond = |key: &Scalar| matches!(key, Scalar::Int(key) if i32::try_from(*key).is_err());
    match made.iter().position(beyond) {
        Some(i) => Err(no_numbers_left(collection, primary).in_row(done + i)),
        None => Ok(()),
    }
}

/// Whether a row could not be written because there is no next number, whatever the database calls that: PostgreSQL
/// speaks of the sequence or of the column, SQLite of a full disk.
async fn run_out<E: Executor>(
    executor: &mut E,
    error: Error,
    collection: &Collection,
    row: &Assigned,
) -> Error {
    let Some(primary) = counted(collection, row) else {
        return error;
    };
    let at_its_end = match &error {
        Error::NoNumbersLeft { .. } => true,
        Error::Unfit {
            column: None,
            fault: Fault::OutOfRange,
            ..
        } => unfit(row, Fault::OutOfRange).is_none(),
        Error::Unavailable { .. } => {
            let (table, column, last) = (&collection.name, &primary.name, Scalar::Int(i64::MAX));
            let statement = writes::count_of(executor.dialect(), table, column, kind_of(primary), &last);
            let found = executor.query(statement).await;
            found.is_ok_and(|rows| rows.count() > 0)
        }
        _ => false,
    };
    if at_its_end {
        no_numbers_left(collection, primary)
    } else {
        error
    }
}

fn no_numbers_left(collection: &Collection, primary: &Field) -> Error {
    Error::NoNumbersLeft {
        table: collection.name.clone(),
        column: primary.name.clone(),
        row: None,
    }
}

/// The database numbers rows itself: keys that were given must not come up again.
async fn count_on<E: Executor>(
    executor: &mut E,
    collection: &Collection,
    rows: &[Vec<(Arc<Field>, Scalar)>],
) -> Result<(), Error> {
    let counted = |field: &Field| field.column.as_ref().is_some_and(|column| column.auto_increment);
    let given = rows.iter().flatten().filter_map(|(field, value)| match value {
        Scalar::Int(key) if counted(field) => Some((field, *key)),
        _ => None,
    });
    if let Some((field, key)) = given.max_by_key(|(_, key)| *key)
        && let Some(statement) = executor.dialect().count_on(&collection.name, &field.name, key)
    {
        executor.query(statement).await?;
    }
    Ok(())
}

fn same_columns(left: &Assigned, right: &Assigned) -> bool {
    let names = |row| Assigned::iter(row).map(|(field, _)| &field.name);
    left.len() == right.len() && names(left).eq(names(right))
}

/// The keys of rows that were inserted.
fn keys_of_new(
    dialect: &dyn Dialect,
    collection: &Collection,
    rows: &[Vec<(Arc<Field>, Scalar)>],
    answered: Rows,
) -> Vec<Scalar> {
    let answered = keys(answered);
    if dialect.returns_keys() {
        return answered;
    }
    let given = |row: &Assigned| {
        let primary = collection.primary.as_ref()?;
        let (_, key) = row.iter().find(|(field, _)| field.name == primary.name)?;
        (!key.is_null()).then(|| key.clone())
    };
    let counted = answered.into_iter();
    rows.iter()
        .zip(counted)
        .map(|(row, counted)| given(row).unwrap_or(counted))
        .collect()
}

/// Changes rows.
pub(super) async fn update<E: Executor>(executor: &mut E, plan: &UpdatePlan) -> Result<Vec<Scalar>, Error> {
    let written = if executor.dialect().returns_keys() || plan.assign.is_empty() {
        let statement = writes::update(executor.dialect(), plan);
        executor.change(statement).await.map(keys)
    } else {
        update_by_key(executor, plan).await
    };
    match written {
        Ok(keys) => Ok(sorted(keys)),
        Err(error) => Err(explain(
            executor,
            error,
            &plan.collection,
            &plan.assign,
            Some(&plan.filter),
        )
        .await),
    }
}

/// Removes rows.
pub(super) async fn delete<E: Executor>(executor: &mut E, plan: &DeletePlan) -> Result<Vec<Scalar>, Error> {
    let written = if executor.dialect().returns_keys() {
        let statement = writes::delete(executor.dialect(), plan);
        executor.change(statement).await.map(keys)
    } else {
        delete_by_key(executor, plan).await
    };
    match written {
        Ok(keys) => Ok(sorted(keys)),
        Err(error) => Err(explain(executor, error, &plan.collection, &[], Some(&plan.filter)).await),
    }
}

/// So many rows are written by one statement where their keys are looked up first.
const KEYS: usize = 1_000;

/// The keys of the rows that are to be written, and a condition for each portion of them.
async fn looked_up<E: Executor>(
    executor: &mut E,
    collection: &Arc<Collection>,
    filter: &Filter,
) -> Result<(Vec<Scalar>, Vec<Filter>), Error> {
    let statement = writes::locked(executor.dialect(), collection, filter);
    let found = keys(executor.query(statement).await?);
    let portions = match &collection.primary {
        Some(primary) => found
            .chunks(KEYS)
            .map(|portion| Filter::field(primary, Test::In(portion.to_vec())))
            .collect(),
        // Rows that have no key are known by the condition alone.
        None if found.is_empty() => Vec::new(),
        None => vec![filter.clone()],
    };
    Ok((found, portions))
}

async fn update_by_key<E: Executor>(executor: &mut E, plan: &UpdatePlan) -> Result<Vec<Scalar>, Error> {
    let (mut found, portions) = looked_up(executor, &plan.collection, &plan.filter).await?;
    for filter in portions {
        let portion = UpdatePlan {
            collection: plan.collection.clone(),
            filter,
            assign: plan.assign.clone(),
        };
        let statement = writes::update(executor.dialect(), &portion);
        executor.change(statement).await?;
    }
    let primary = plan.collection.primary.as_ref();
    let rekeyed = plan
        .assign
        .iter()
        .find(|(field, _)| primary.is_some_and(|primary| primary.name == field.name));
    if let Some((_, key)) = rekeyed {
        found.fill(key.clone());
    }
    Ok(found)
}

async fn delete_by_key<E: Executor>(executor: &mut E, plan: &DeletePlan) -> Result<Vec<Scalar>, Error> {
    let (found, portions) = looked_up(executor, &plan.collection, &plan.filter).await?;
    for filter in portions {
        let portion = DeletePlan {
            collection: plan.collection.clone(),
            filter,
        };
        let statement = writes::delete(executor.dialect(), &portion);
        executor.change(statement).await?;
    }
    Ok(found)
}

fn keys(rows: Rows) -> Vec<Scalar> {
    rows.cells
}

/// In an order that does not depend on how a database finds its rows.
fn sorted(mut keys: Vec<Scalar>) -> Vec<Scalar> {
    keys.sort_by(|left, right| match (left, right) {
        (Scalar::Int(left), Scalar::Int(right)) => left.cmp(right),
        (Scalar::Real(left), Scalar::Real(right)) => left.total_cmp(right),
        (Scalar::Text(left), Scalar::Text(right)) => left.cmp(right),
        (Scalar::Bytes(left), Scalar::Bytes(right)) => left.cmp(right),
        _ => std::cmp::Ordering::Equal,
    });
    keys
}

/// Columns that get the time of the write and were not given.
fn filled<'p>(collection: &'p Collection, row: &Assigned, clock: &Clock) -> Vec<Filled<'p>> {
    let mut filled = Vec::new();
    for field in collection.fields.values() {
        let Some(column) = field
            .column
            .as_ref()
            .filter(|column| column.default == Default::Now)
        else {
            continue;
        };
        if !row.iter().any(|(given, _)| given.name == field.name) {
            filled.push(Filled {
                column: &column.name,
                kind: column.kind,
                value: now(clock, column.kind),
            });
        }
    }
    filled
}

/// The current time in the canonical form of a kind.
pub(crate) fn now(clock: &Clock, kind: StorageKind) -> Scalar {
    let moment = calendar::timestamp(clock.now());
    // `YYYY-MM-DDTHH:MM:SS.fffZ`: every calendar kind is a piece of it.
    let piece = match kind {
        StorageKind::Date => moment.get(..10),
        StorageKind::Time => moment.get(11..19),
        StorageKind::DateTime => moment.get(..19),
        _ => Some(moment.as_str()),
    };
    Scalar::from(piece.unwrap_or(&moment))
}

/// Finds out more about a failure: the value that is not unique, the key that points nowhere, who still points here.
/// What cannot be found out stays as it is.
async fn explain<E: Executor>(
    executor: &mut E,
    error: Error,
    collection: &Collection,
    assigned: &Assigned,
    filter: Option<&Filter>,
) -> Error {
    match error {
        Error::Unique {
            table, columns, row, ..
        } => {
            let (table, columns) = if table.is_empty() {
                // Which index it was is all that the database has said.
                let index = columns.first().map(String::as_str).unwrap_or_default();
                let columns = executor.columns_of_index(&collection.name, index).await;
                (collection.name.clone(), columns.unwrap_or_default())
            } else {
                (table, columns)
            };
            let value = match columns.as_slice() {
                [column] => shown(assigned, column),
                _ => None,
            };
            Error::Unique {
                table,
                columns,
                value,
                row,
            }
        }
        Error::Check { check, .. } => Error::Check {
            table: collection.name.clone(),
            check,
        },
        Error::Unfit {
            column: None,
            fault,
            row,
            ..
        } => Error::Unfit {
            table: collection.name.clone(),
            column: unfit(assigned, fault),
            fault,
            row,
        },
        Error::NotNull { table, column, row } if table.is_empty() => Error::NotNull {
            table: collection.name.clone(),
            column,
            row,
        },
        Error::Unfit {
            table,
            column: Some(column),
            fault,
            row,
        } if table.is_empty() => Error::Unfit {
            table: collection.name.clone(),
            column: Some(column),
            fault,
            row,
        },
        Error::ForeignKey { .. } => {
            if let Some(found) = points_nowhere(executor, collection, assigned).await {
                return found;
            }
            match filter {
                Some(filter) => still_pointed_to(executor, collection, filter).await,
                None => None,
            }
            .unwrap_or_else(|| Error::ForeignKey {
                table: collection.name.clone(),
            })
        }
        other => other,
    }
}

/// The column whose value has a fault that the database has not laid to any.
fn unfit(assigned: &Assigned, fault: Fault) -> Option<String> {
    let has_it = |(field, value): &&(Arc<Field>, Scalar)| {
        let Some(column) = &field.column else {
            return false;
        };
        match (fault, value) {
            (Fault::TooLong, Scalar::Text(text)) => column
                .max_length
                .is_some_and(|most| text.chars().count() > most as usize),
            (Fault::OutOfRange, Scalar::Int(number)) => {
                column.kind == StorageKind::Integer && i32::try_from(*number).is_err()
            }
            (Fault::OutOfRange, Scalar::Text(_)) => {
                column.kind == StorageKind::Decimal || column.kind.has_date() || column.kind.has_time()
            }
            (Fault::Malformed, Scalar::Text(text)) => {
                let parsed = field_types::of_column(column.kind, &[]).parse(&text.as_str().into(), column);
                text.contains('\0') || parsed.is_err()
            }
            _ => false,
        }
    };
    assigned.iter().find(has_it).map(|(field, _)| field.name.clone())
}

/// The value written to a column, unless it is concealed.
fn shown(assigned: &Assigned, column: &str) -> Option<Value> {
    let (field, value) = assigned.iter().find(|(field, _)| field.name == column)?;
    (!field.is_secret()).then(|| reading::print(field, value.clone(), false))
}

async fn points_nowhere<E: Executor>(
    executor: &mut E,
    collection: &Collection,
    assigned: &Assigned,
) -> Option<Error> {
    for key in &collection.table.as_ref()?.foreign_keys {
        let Some((field, value)) = assigned
            .iter()
            .find(|(field, value)| field.name == key.column && !value.is_null())
        else {
            continue;
        };
        let kind = kind_of(field);
        let statement = writes::count_of(
            executor.dialect(),
            &key.foreign_table,
            &key.foreign_column,
            kind,
            value,
        );
        if executor.query(statement).await.ok()?.count() == 0 {
            return Some(Error::PointsNowhere {
                table: collection.name.clone(),
                column: key.column.clone(),
                foreign_table: key.foreign_table.clone(),
                value: reading::print(field, value.clone(), false),
                row: None,
            });
        }
    }
    None
}

async fn still_pointed_to<E: Executor>(
    executor: &mut E,
    collection: &Collection,
    filter: &Filter,
) -> Option<Error> {
    for (table, key) in executor.pointing_to(&collection.name).await.ok()? {
        if !matches!(key.on_delete, Action::NoAction | Action::Restrict) {
            continue;
        }
        let statement = writes::count_pointing(executor.dialect(), &table, &key, collection, filter);
        let rows = executor.query(statement).await.ok()?.count();
        if rows > 0 {
            return Some(Error::StillPointedTo {
                table: collection.name.clone(),
                by_table: table,
                by_column: key.column,
                rows,
            });
        }
    }
    None
}
