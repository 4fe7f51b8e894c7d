//! A list of texts in one column, separated by commas (RFC 4180 quoting where an entry needs it).

use serde_json::{Value, json};

use super::{FieldType, mismatch};
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `csv`.
#[derive(Debug)]
pub(super) struct Csv;

impl FieldType for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }
    fn summary(&self) -> &'static str {
        "an array of texts"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::Text)
    }
    fn parse(&self, value: &Value, column: &Column) -> Result<Scalar, Problem> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(entries) => {
                let entry = |entry: &Value| match entry {
                    Value::String(text) => Some(quote(text)),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                };
                let entries: Option<Vec<_>> = entries.iter().map(entry).collect();
                entries.ok_or_else(|| mismatch(self, value))?.join(",")
            }
            _ => return Err(mismatch(self, value)),
        };
        super::text::within_length(text, column)
    }
    fn print(&self, scalar: Scalar) -> Value {
        match scalar {
            Scalar::Text(text) => split(&text).into(),
            _ => Value::Null,
        }
    }
    fn json_schema(&self) -> Value {
        json!({"type": "array", "items": {"type": "string"}})
    }
    fn interface(&self) -> &'static str {
        "tags"
    }
    fn marker(&self) -> Option<&'static str> {
        Some("cast-csv")
    }
}

fn quote(entry: &str) -> String {
    if entry.contains([',', '"', '\n', '\r']) || entry.is_empty() {
        format!("\"{}\"", entry.replace('"', "\"\""))
    } else {
        entry.to_owned()
    }
}

fn split(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut entries = vec![String::new()];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let Some(entry) = entries.last_mut() else { break };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                entry.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if entry.is_empty() => quoted = true,
            ',' if !quoted => entries.push(String::new()),
            other => entry.push(other),
        }
    }
    entries
}
