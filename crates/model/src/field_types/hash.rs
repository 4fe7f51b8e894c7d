//! A secret that is stored hashed and never shown. The engine hashes; here it is text.

use serde_json::Value;

use super::{FieldType, mismatch};
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `hash`.
#[derive(Debug)]
pub(super) struct Hash;

impl FieldType for Hash {
    fn name(&self) -> &'static str {
        "hash"
    }
    fn summary(&self) -> &'static str {
        "text that is stored hashed"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::String)
    }
    fn parse(&self, value: &Value, _: &Column) -> Result<Scalar, Problem> {
        value
            .as_str()
            .map(Scalar::from)
            .ok_or_else(|| mismatch(self, value))
    }
    fn print(&self, scalar: Scalar) -> Value {
        match scalar {
            Scalar::Text(text) => text.into(),
            _ => Value::Null,
        }
    }
    fn interface(&self) -> &'static str {
        "input-hash"
    }
    fn marker(&self) -> Option<&'static str> {
        Some("hash")
    }
}
