//! Bytes, as base64 (RFC 4648 §4) on the wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{FieldType, mismatch};
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `binary`.
#[derive(Debug)]
pub(super) struct Binary;

impl FieldType for Binary {
    fn name(&self) -> &'static str {
        "binary"
    }
    fn summary(&self) -> &'static str {
        "bytes as base64 text"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::Binary)
    }
    fn parse(&self, value: &Value, _: &Column) -> Result<Scalar, Problem> {
        let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok());
        bytes.map(Scalar::Bytes).ok_or_else(|| mismatch(self, value))
    }
    fn print(&self, scalar: Scalar) -> Value {
        match scalar {
            Scalar::Bytes(bytes) => STANDARD.encode(bytes).into(),
            Scalar::Text(text) => text.into(),
            _ => Value::Null,
        }
    }
}
