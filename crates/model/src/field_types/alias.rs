//! A field without a column: the other end of a relation, or presentation only.

use serde_json::Value;

use super::{FieldType, mismatch};
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `alias`.
#[derive(Debug)]
pub(super) struct Alias;

impl FieldType for Alias {
    fn name(&self) -> &'static str {
        "alias"
    }
    fn summary(&self) -> &'static str {
        "nothing: an alias holds no value of its own"
    }
    fn storage(&self) -> Option<StorageKind> {
        None
    }
    fn parse(&self, value: &Value, _: &Column) -> Result<Scalar, Problem> {
        Err(mismatch(self, value))
    }
    fn print(&self, _: Scalar) -> Value {
        Value::Null
    }
    fn json_schema(&self) -> Value {
        serde_json::json!({"type": "array", "items": {"type": "object"}})
    }
}
