//! Universally unique identifiers (RFC 9562).

use serde_json::Value;

use super::{FieldType, mismatch};
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `uuid`.
#[derive(Debug)]
pub(super) struct Uuid;

impl FieldType for Uuid {
    fn name(&self) -> &'static str {
        "uuid"
    }
    fn summary(&self) -> &'static str {
        "a UUID such as 3fa85f64-5717-4562-b3fc-2c963f66afa6"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::Uuid)
    }
    fn parse(&self, value: &Value, _: &Column) -> Result<Scalar, Problem> {
        let uuid = value.as_str().and_then(|text| ::uuid::Uuid::try_parse(text).ok());
        uuid.map(|uuid| Scalar::Text(uuid.hyphenated().to_string()))
            .ok_or_else(|| mismatch(self, value))
    }
    fn print(&self, scalar: Scalar) -> Value {
        match scalar {
            Scalar::Text(text) => text.into(),
            _ => Value::Null,
        }
    }
}
