//! true or false.

use serde_json::{Value, json};

use super::{FieldType, mismatch};
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `boolean`.
#[derive(Debug)]
pub(super) struct Boolean;

impl FieldType for Boolean {
    fn name(&self) -> &'static str {
        "boolean"
    }
    fn summary(&self) -> &'static str {
        "true or false"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::Boolean)
    }
    fn parse(&self, value: &Value, _: &Column) -> Result<Scalar, Problem> {
        match value {
            Value::Bool(truth) => Ok(Scalar::Bool(*truth)),
            Value::String(text) if text == "true" || text == "1" => Ok(Scalar::Bool(true)),
            Value::String(text) if text == "false" || text == "0" => Ok(Scalar::Bool(false)),
            Value::Number(number) if number.as_i64() == Some(1) => Ok(Scalar::Bool(true)),
            Value::Number(number) if number.as_i64() == Some(0) => Ok(Scalar::Bool(false)),
            _ => Err(mismatch(self, value)),
        }
    }
    fn print(&self, scalar: Scalar) -> Value {
        match scalar {
            Scalar::Bool(truth) => truth.into(),
            Scalar::Int(number) => (number != 0).into(),
            Scalar::Text(text) => text.into(),
            _ => Value::Null,
        }
    }
    fn json_schema(&self) -> Value {
        json!({"type": "boolean"})
    }
    fn interface(&self) -> &'static str {
        "boolean"
    }
    fn marker(&self) -> Option<&'static str> {
        Some("cast-boolean")
    }
}
