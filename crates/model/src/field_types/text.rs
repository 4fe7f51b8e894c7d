//! Text, short and long.

use serde_json::Value;

use super::{FieldType, mismatch};
use crate::error::{INVALID_PAYLOAD, VALUE_TOO_LONG};
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `string`: text of at most `max_length` characters.
#[derive(Debug)]
pub(super) struct String;

/// `text`: text of any length.
#[derive(Debug)]
pub(super) struct Text;

impl FieldType for String {
    fn name(&self) -> &'static str {
        "string"
    }
    fn summary(&self) -> &'static str {
        "text"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::String)
    }
    fn parse(&self, value: &Value, column: &Column) -> Result<Scalar, Problem> {
        parse(self, value, column)
    }
    fn print(&self, scalar: Scalar) -> Value {
        print(scalar)
    }
}

impl FieldType for Text {
    fn name(&self) -> &'static str {
        "text"
    }
    fn summary(&self) -> &'static str {
        "text"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::Text)
    }
    fn parse(&self, value: &Value, column: &Column) -> Result<Scalar, Problem> {
        parse(self, value, column)
    }
    fn print(&self, scalar: Scalar) -> Value {
        print(scalar)
    }
    fn interface(&self) -> &'static str {
        "input-multiline"
    }
}

fn parse(ty: &dyn FieldType, value: &Value, column: &Column) -> Result<Scalar, Problem> {
    match value {
        Value::String(text) => within_length(text.clone(), column),
        Value::Number(number) => within_length(number.to_string(), column),
        Value::Bool(truth) => within_length(truth.to_string(), column),
        _ => Err(mismatch(ty, value)),
    }
}

/// The text as a scalar, unless it is longer than the column allows or holds U+0000, which not every database keeps.
pub(super) fn within_length(text: std::string::String, column: &Column) -> Result<Scalar, Problem> {
    if text.contains('\0') {
        return Err(Problem::new(
            &INVALID_PAYLOAD,
            "The character U+0000 cannot be stored in text.",
        ));
    }
    match column.max_length {
        Some(most) if text.len() > most as usize && text.chars().count() > most as usize => {
            let count = text.chars().count();
            let message = format!("The text has {count} characters; at most {most} are allowed.");
            Err(Problem::new(&VALUE_TOO_LONG, message).with("max_length", most))
        }
        _ => Ok(Scalar::Text(text)),
    }
}

fn print(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Text(text) => text.into(),
        Scalar::Int(number) => number.to_string().into(),
        Scalar::Real(number) => number.to_string().into(),
        Scalar::Bool(truth) => truth.to_string().into(),
        Scalar::Bytes(bytes) => std::string::String::from_utf8_lossy(&bytes).into(),
        Scalar::Null => Value::Null,
    }
}
