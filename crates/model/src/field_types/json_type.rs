//! Any JSON value, returned as it was written.

use serde_json::{Value, json};

use super::FieldType;
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `json`.
#[derive(Debug)]
pub(super) struct Json;

impl FieldType for Json {
    fn name(&self) -> &'static str {
        "json"
    }
    fn summary(&self) -> &'static str {
        "any JSON value"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::Json)
    }
    fn parse(&self, value: &Value, _: &Column) -> Result<Scalar, Problem> {
        Ok(Scalar::Text(value.to_string()))
    }
    fn print(&self, scalar: Scalar) -> Value {
        match scalar {
            Scalar::Text(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            Scalar::Int(number) => number.into(),
            Scalar::Real(number) => super::float::number(number),
            Scalar::Bool(truth) => truth.into(),
            _ => Value::Null,
        }
    }
    fn json_schema(&self) -> Value {
        json!({"type": "object"})
    }
    fn interface(&self) -> &'static str {
        "input-code"
    }
    fn marker(&self) -> Option<&'static str> {
        Some("cast-json")
    }
}
