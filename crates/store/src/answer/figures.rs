//! Figures about rows, put together.

use std::cmp::Ordering;
use std::str::FromStr as _;

use bigdecimal::BigDecimal;
use loggia_model::filter::Operand;
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, FigureKey, FigureSort, Group};
use loggia_model::{Field, Record, Scalar, StorageKind, field_types};
use serde_json::Value;

use super::{Executor, reading};
use crate::Error;
use crate::lower::{Dialect, aggregates, kind_of, operands};

/// Runs an aggregate plan: one record for each group.
pub(super) async fn aggregate<E: Executor>(
    executor: &mut E,
    plan: &AggregatePlan,
) -> Result<Vec<Record>, Error> {
    let dialect = executor.dialect();
    if !plan.sort.iter().all(|key| is_ordered(plan, dialect, key)) {
        return aggregate_and_sort(executor, plan).await;
    }
    let mut rows = executor.query(aggregates::aggregate(dialect, plan)).await?;
    let records = rows.iter_mut().map(|row| {
        answered(plan, dialect, row);
        record(plan, dialect, row)
    });
    Ok(records.collect())
}

/// Whether the database orders by a key exactly.
fn is_ordered(plan: &AggregatePlan, dialect: &dyn Dialect, key: &FigureSort) -> bool {
    let FigureKey::Figure(i) = key.key else {
        return true;
    };
    let figure = plan.figures.get(i);
    let field = figure.and_then(|figure| aggregates::field_of(figure, &plan.collection));
    match (figure, field) {
        (Some(figure), Some(field)) => dialect.orders_figure(figure.function, kind_of(field)),
        _ => true,
    }
}

/// The same with all groups, which are put in order here.
async fn aggregate_and_sort<E: Executor>(
    executor: &mut E,
    plan: &AggregatePlan,
) -> Result<Vec<Record>, Error> {
    let dialect = executor.dialect();
    let whole = AggregatePlan {
        sort: Vec::new(),
        limit: None,
        offset: 0,
        ..plan.clone()
    };
    let mut rows = executor.query(aggregates::aggregate(dialect, &whole)).await?;
    let mut rows: Vec<_> = rows.iter_mut().collect();
    for row in &mut rows {
        answered(plan, dialect, row);
    }
    // They come in the order of their groups, which decides where the keys do not.
    rows.sort_by(|left, right| {
        let compared = plan.sort.iter().map(|key| {
            let (at, kind) = match key.key {
                FigureKey::Group(i) => (
                    i,
                    plan.group_by
                        .get(i)
                        .and_then(|group| operands::kind(&group.operand)),
                ),
                FigureKey::Figure(i) => {
                    let kind = plan.figures.get(i).map(aggregates::kind_of_figure);
                    (plan.group_by.len() + i, kind)
                }
            };
            let order = compare(kind, left.get(at), right.get(at));
            if key.descending { order.reverse() } else { order }
        });
        compared.fold(Ordering::Equal, Ordering::then)
    });
    let skipped = usize::try_from(plan.offset).unwrap_or(usize::MAX);
    let most = plan.limit.and_then(|limit| usize::try_from(limit).ok());
    let window = rows.into_iter().skip(skipped).take(most.unwrap_or(usize::MAX));
    Ok(window.map(|row| record(plan, dialect, row)).collect())
}

/// Orders values of a kind; numbers may come as texts.
fn compare(kind: Option<StorageKind>, left: Option<&Scalar>, right: Option<&Scalar>) -> Ordering {
    let number = |scalar: &Scalar| match scalar {
        Scalar::Int(number) => Some(BigDecimal::from(*number)),
        Scalar::Real(number) => BigDecimal::from_str(&format!("{number:e}")).ok(),
        Scalar::Text(text) => BigDecimal::from_str(text).ok(),
        _ => None,
    };
    match (left.unwrap_or(&Scalar::Null), right.unwrap_or(&Scalar::Null)) {
        (Scalar::Null, Scalar::Null) => Ordering::Equal,
        (Scalar::Null, _) => Ordering::Less,
        (_, Scalar::Null) => Ordering::Greater,
        (left, right) if kind.is_some_and(StorageKind::is_numeric) => number(left).cmp(&number(right)),
        (Scalar::Text(left), Scalar::Text(right)) => left.cmp(right),
        (Scalar::Bytes(left), Scalar::Bytes(right)) => left.cmp(right),
        (Scalar::Bool(left), Scalar::Bool(right)) => left.cmp(right),
        (left, right) => number(left).cmp(&number(right)),
    }
}

/// Puts the figures of a row in the place of what the database has answered for them.
fn answered(plan: &AggregatePlan, dialect: &dyn Dialect, row: &mut [Scalar]) {
    let figures = row.iter_mut().skip(plan.group_by.len());
    for (cell, figure) in figures.zip(&plan.figures) {
        if let Some(field) = aggregates::field_of(figure, &plan.collection) {
            *cell = dialect.figure_answered(figure.function, kind_of(field), std::mem::take(cell));
        }
    }
}

fn record(plan: &AggregatePlan, dialect: &dyn Dialect, row: &mut [Scalar]) -> Record {
    let mut record = Record::new();
    let mut cells = row.iter_mut().map(std::mem::take);
    for group in &plan.group_by {
        let value = print_group(group, dialect, cells.next().unwrap_or_default());
        record.insert(group.alias.clone(), value);
    }
    for figure in &plan.figures {
        let value = print_figure(figure, cells.next().unwrap_or_default());
        insert(&mut record, figure, value);
    }
    record
}

/// Adds a figure: `{function: {field: value}}`, or `{function: value}` where it is of all rows. Where both are asked
/// for, the one of all rows stands under `*` beside the fields.
fn insert(record: &mut Record, figure: &Figure, value: Value) {
    const ROWS: &str = "*";
    let name = figure.function.name();
    match (record.get_mut(name), &figure.field) {
        (None, None) => {
            record.insert(name.to_owned(), value);
        }
        (None, Some(field)) => {
            let figures = Record::from_iter([(field.name.clone(), value)]);
            record.insert(name.to_owned(), Value::Object(figures));
        }
        (Some(Value::Object(figures)), field) => {
            let field = field.as_ref().map_or(ROWS, |field| field.name.as_str());
            figures.insert(field.to_owned(), value);
        }
        (Some(of_rows), Some(field)) => {
            let figures = [(ROWS.to_owned(), of_rows.take()), (field.name.clone(), value)];
            *of_rows = Value::Object(Record::from_iter(figures));
        }
        // The same figure twice.
        (Some(_), None) => {}
    }
}

fn print_group(group: &Group, dialect: &dyn Dialect, scalar: Scalar) -> Value {
    match field_of(&group.operand) {
        Some(field) => reading::print(field, scalar, false),
        None => match operands::kind(&group.operand) {
            Some(kind) => field_types::of_column(kind, &[]).print(scalar),
            None => plain(dialect.json_scalar(scalar)),
        },
    }
}

/// The field whose values the operand gives as they are.
fn field_of(operand: &Operand) -> Option<&Field> {
    match operand {
        Operand::Field(field) => Some(field),
        Operand::Through { operand, .. } | Operand::Case { operand, .. } => field_of(operand),
        Operand::Function { .. } | Operand::JsonPath { .. } | Operand::Count { .. } => None,
    }
}

fn print_figure(figure: &Figure, scalar: Scalar) -> Value {
    match (&figure.field, figure.function) {
        (Some(field), Aggregate::Min | Aggregate::Max) => reading::print(field, scalar, false),
        _ => match scalar {
            Scalar::Null => Value::Null,
            scalar => {
                let kind = aggregates::kind_of_figure(figure);
                field_types::of_column(kind, &[]).print(of_kind(kind, scalar))
            }
        },
    }
}

/// A figure that a database has worked out exactly, and so as text, as the number that it is to be.
fn of_kind(kind: StorageKind, scalar: Scalar) -> Scalar {
    let number = match (kind, &scalar) {
        (StorageKind::BigInteger, Scalar::Text(text)) => text.parse().ok().map(Scalar::Int),
        (StorageKind::Float, Scalar::Text(text)) => text.parse().ok().map(Scalar::Real),
        _ => None,
    };
    number.unwrap_or(scalar)
}

/// A value out of JSON, as what it is.
fn plain(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(truth) => truth.into(),
        Scalar::Int(number) => number.into(),
        Scalar::Real(_) => field_types::of_column(StorageKind::Float, &[]).print(scalar),
        Scalar::Text(text) => text.into(),
        Scalar::Bytes(_) => Value::Null,
    }
}
