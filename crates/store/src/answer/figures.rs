//! Figures about rows, put together.

use loggia_model::filter::Operand;
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, Group};
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
    let statement = aggregates::aggregate(executor.dialect(), plan);
    let mut rows = executor.query(statement).await?;
    let dialect = executor.dialect();
    Ok(rows.iter_mut().map(|row| record(plan, dialect, row)).collect())
}

fn record(plan: &AggregatePlan, dialect: &dyn Dialect, row: &mut [Scalar]) -> Record {
    let mut record = Record::new();
    let mut cells = row.iter_mut().map(std::mem::take);
    for group in &plan.group_by {
        let value = print_group(group, dialect, cells.next().unwrap_or_default());
        record.insert(group.alias.clone(), value);
    }
    for figure in &plan.figures {
        let mut answered = cells.next().unwrap_or_default();
        if let Some(field) = aggregates::field_of(figure, &plan.collection) {
            answered = dialect.figure_answered(figure.function, kind_of(field), answered);
        }
        let value = print_figure(figure, answered);
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
