//! The journal's own tables, as they are defined, and how their rows are asked for.

use std::sync::{Arc, LazyLock};

use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{ReadPlan, Sort, Source};
use loggia_model::{Collection, Field, Filter, Problem, Record, Scalar, Schema, system};
use serde_json::Value;

/// The system's own collections, as they are defined: what the record is written by.
static SYSTEM: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::new(system::schema()));

/// All of them.
pub(crate) fn definitions() -> &'static Arc<Schema> {
    &SYSTEM
}

/// A system collection as it is defined.
///
/// # Errors
/// That there is none of that name.
pub fn table(name: &str) -> Result<&'static Arc<Collection>, Problem> {
    SYSTEM.collection(name).ok_or_else(Problem::forbidden)
}

/// A column of one.
///
/// # Errors
/// That there is none of that name.
pub fn column(name: &str, field: &str) -> Result<Arc<Field>, Problem> {
    table(name)?.field(field).cloned().ok_or_else(Problem::forbidden)
}

/// Whole rows of one.
///
/// # Errors
/// That there is none of that name.
pub fn plain(name: &str) -> Result<ReadPlan, Problem> {
    let collection = table(name)?;
    Ok(crate::images::whole(collection, Filter::All, Source::Field))
}

/// Rows of one whose column holds this text.
///
/// # Errors
/// That there is no such column.
pub fn equal(name: &str, field: &str, value: &str) -> Result<Filter, Problem> {
    let text = Test::Equal(Scalar::from(value));
    Ok(Filter::field(&column(name, field)?, text))
}

/// In the order of one of its columns.
///
/// # Errors
/// That there is no such column.
pub fn ascending(name: &str, field: &str) -> Result<Vec<Sort>, Problem> {
    Ok(vec![Sort {
        operand: Operand::Field(column(name, field)?),
        descending: false,
    }])
}

/// The text that a row holds under a name; nothing for what is none.
#[must_use]
pub fn text<'r>(row: &'r Record, name: &str) -> &'r str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number that a value is; 0 for what is none.
#[must_use]
pub fn whole(value: Option<&Value>) -> i64 {
    match value {
        Some(Value::Number(number)) => number.as_i64().unwrap_or(0),
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        _ => 0,
    }
}
