//! What the values of a field are: how they are stored, parsed and printed, and what a schema says of them.
//!
//! To add a type: one file here, one line in [`FIELD_TYPES`].

use std::fmt;

use serde_json::{Value, json};

use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

mod alias;
mod binary;
mod boolean;
pub mod calendar;
mod csv;
mod decimal;
mod float;
mod geometry;
mod hash;
mod integer;
mod json_type;
mod text;
mod uuid;

/// Every type, by the name it has in `type`.
pub static FIELD_TYPES: &[&dyn FieldType] = &[
    &alias::Alias,
    &integer::BigInteger,
    &binary::Binary,
    &boolean::Boolean,
    &csv::Csv,
    &calendar::Date,
    &calendar::DateTime,
    &decimal::Decimal,
    &float::Float,
    &geometry::GEOMETRY,
    &geometry::POINT,
    &geometry::LINE_STRING,
    &geometry::POLYGON,
    &geometry::MULTI_POINT,
    &geometry::MULTI_LINE_STRING,
    &geometry::MULTI_POLYGON,
    &hash::Hash,
    &integer::Integer,
    &json_type::Json,
    &text::String,
    &text::Text,
    &calendar::Time,
    &calendar::Timestamp,
    &uuid::Uuid,
];

/// The type of a field without a column.
pub static ALIAS: &dyn FieldType = &alias::Alias;

/// What the values of a field are.
pub trait FieldType: Sync + fmt::Debug {
    /// The name in `type`.
    fn name(&self) -> &'static str;

    /// One line for people and assistants: what a value is and how it is written.
    fn summary(&self) -> &'static str;

    /// How it is stored; `None` for what has no column.
    fn storage(&self) -> Option<StorageKind>;

    /// Turns a JSON value (never null) into the canonical scalar, checking it against the column's limits.
    ///
    /// # Errors
    /// Says what a value of this type looks like, or which limit it breaks; the path is empty.
    fn parse(&self, value: &Value, column: &Column) -> Result<Scalar, Problem>;

    /// Turns a stored scalar into JSON, exactly as it was written. Never fails: what a foreign table holds that is
    /// not canonical is printed as it is.
    fn print(&self, scalar: Scalar) -> Value;

    /// JSON Schema (2020-12, portable profile: one explicit type) of a value in and out.
    fn json_schema(&self) -> Value {
        json!({"type": "string"})
    }

    /// The Studio's default interface.
    fn interface(&self) -> &'static str {
        "input"
    }

    /// The `special` entry that marks a column of this type where the storage kind does not tell it.
    fn marker(&self) -> Option<&'static str> {
        None
    }
}

impl PartialEq for dyn FieldType {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

/// A type by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn FieldType> {
    FIELD_TYPES.iter().copied().find(|ty| ty.name() == name)
}

/// The type of a column: the one that a `special` entry marks, else the one of its storage kind.
#[must_use]
pub fn of_column(kind: StorageKind, special: &[std::string::String]) -> &'static dyn FieldType {
    let marked = |ty: &&dyn FieldType| {
        ty.storage().is_some_and(|storage| storage.holds(kind))
            && ty
                .marker()
                .is_some_and(|marker| special.iter().any(|name| name == marker))
    };
    FIELD_TYPES
        .iter()
        .copied()
        .find(|ty| marked(ty))
        .unwrap_or(match kind {
            StorageKind::Boolean => &boolean::Boolean,
            StorageKind::Integer => &integer::Integer,
            StorageKind::BigInteger => &integer::BigInteger,
            StorageKind::Float => &float::Float,
            StorageKind::Decimal => &decimal::Decimal,
            StorageKind::String => &text::String,
            StorageKind::Text => &text::Text,
            StorageKind::Json => &json_type::Json,
            StorageKind::Date => &calendar::Date,
            StorageKind::Time => &calendar::Time,
            StorageKind::DateTime => &calendar::DateTime,
            StorageKind::Timestamp => &calendar::Timestamp,
            StorageKind::Uuid => &uuid::Uuid,
            StorageKind::Binary => &binary::Binary,
            StorageKind::Geometry => &geometry::GEOMETRY,
        })
}

impl StorageKind {
    /// Whether a type that is stored as `self` can live in a column of kind `other` (text in any text column).
    fn holds(self, other: Self) -> bool {
        self == other || (self.is_textual() && other.is_textual())
    }
}

/// What every type says of a value of another shape.
fn mismatch(ty: &dyn FieldType, value: &Value) -> Problem {
    let got = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 40 => format!("the text {text:?}"),
        Value::String(_) => "a long text".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    Problem::new(
        &crate::error::INVALID_PAYLOAD,
        format!("Expected {}; got {got}.", ty.summary()),
    )
    .with("type", ty.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written as `given` comes back as `expect` (`null`: refused).
    fn check(name: &str, given: Value, expect: Value) {
        let ty = by_name(name).expect(name);
        let column = Column {
            kind: ty.storage().expect("stored"),
            ..Column::default()
        };
        let got = ty
            .parse(&given, &column)
            .map_or(Value::Null, |scalar| ty.print(scalar));
        assert_eq!(got, expect, "{name} {given}");
    }

    #[test]
    fn a_float_that_is_too_large_is_out_of_range_and_a_word_is_none_at_all() {
        let refused = |value: Value| {
            let ty = by_name("float").unwrap();
            ty.parse(&value, &Column::default()).unwrap_err().code.name
        };
        assert_eq!(
            refused(serde_json::from_str("1e400").unwrap()),
            "VALUE_OUT_OF_RANGE"
        );
        assert_eq!(refused(json!("-1e400")), "VALUE_OUT_OF_RANGE");
        assert_ne!(refused(json!("inf")), "VALUE_OUT_OF_RANGE");
    }

    #[test]
    fn values_come_back_as_they_were_written() {
        let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        check("integer", json!(5), json!(5));
        check("integer", json!("5"), json!(5));
        check("integer", number("5.0"), json!(5));
        check("integer", number("5.5"), Value::Null);
        check("integer", number("1.5e1"), json!(15));
        check("integer", number("-2.50e1"), json!(-25));
        check("integer", number("0.0e999999999999999999999"), json!(0));
        check("integer", number("5.0000000000000000000001"), Value::Null);
        check("integer", number("0.1e-400"), Value::Null);
        check("bigInteger", number("1e400"), Value::Null);
        check(
            "bigInteger",
            number("9007199254740993.0"),
            json!("9007199254740993"),
        );
        check("integer", json!(2_147_483_648_i64), Value::Null);
        check(
            "bigInteger",
            json!(9_007_199_254_740_991_i64),
            json!(9_007_199_254_740_991_i64),
        );
        check("bigInteger", json!(i64::MAX), json!("9223372036854775807"));
        check(
            "bigInteger",
            json!("-9223372036854775808"),
            json!("-9223372036854775808"),
        );
        check("bigInteger", number("9223372036854775808"), Value::Null);
        check("decimal", number("19.90"), number("19.90"));
        check(
            "decimal",
            json!("0.1234567890123456789"),
            json!("0.1234567890123456789"),
        );
        check("decimal", number("1e3"), number("1000"));
        check("decimal", number("1e999999999"), Value::Null);
        check("decimal", json!("abc"), Value::Null);
        check("float", number("1.5"), number("1.5"));
        check("float", json!("NaN"), Value::Null);
        check("float", number("1e400"), Value::Null);
        check("boolean", json!(true), json!(true));
        check("boolean", json!("yes"), Value::Null);
        check("string", json!("\u{1F600} é"), json!("\u{1F600} é"));
        check("string", json!("a\u{0}b"), Value::Null);
        check("string", json!({}), Value::Null);
        check("text", json!(12), json!("12"));
        check("date", json!("2026-02-28"), json!("2026-02-28"));
        check("date", json!("2026-02-30"), Value::Null);
        check("time", json!("13:45:00"), json!("13:45:00"));
        check("time", json!("23:59:59.999999999"), json!("23:59:59.999999"));
        check(
            "dateTime",
            json!("2026-12-31T23:59:59.123456789"),
            json!("2026-12-31T23:59:59.123456"),
        );
        check(
            "dateTime",
            json!("2026-01-31T13:45:00"),
            json!("2026-01-31T13:45:00"),
        );
        check(
            "timestamp",
            json!("2026-01-31T13:45:00+02:00"),
            json!("2026-01-31T11:45:00.000Z"),
        );
        check(
            "timestamp",
            json!("2026-01-31"),
            json!("2026-01-31T00:00:00.000Z"),
        );
        check("timestamp", json!("soon"), Value::Null);
        check("timestamp", json!("2026-06-30T23:59:60Z"), Value::Null);
        check("timestamp", json!("2026-06-30T23:60:00Z"), Value::Null);
        check("time", json!("23:59:60"), Value::Null);
        check("dateTime", json!("2026-06-30T23:59:60"), Value::Null);
        check(
            "uuid",
            json!("3FA85F64-5717-4562-B3FC-2C963F66AFA6"),
            json!("3fa85f64-5717-4562-b3fc-2c963f66afa6"),
        );
        check("uuid", json!("3fa85f64"), Value::Null);
        check(
            "csv",
            json!(["a", "b, c", "\"d\""]),
            json!(["a", "b, c", "\"d\""]),
        );
        check("csv", json!([]), json!([]));
        check("csv", json!([""]), json!([""]));
        check("binary", json!("AAEC/w=="), json!("AAEC/w=="));
        check(
            "json",
            json!({"b": 1, "a": [null, 1.50]}),
            json!({"b": 1, "a": [null, 1.50]}),
        );
        check("json", json!("text"), json!("text"));
        check(
            "geometry.Point",
            json!({"type": "Point", "coordinates": [1, 2]}),
            json!({"type": "Point", "coordinates": [1, 2]}),
        );
        check(
            "geometry.Point",
            json!({"type": "Polygon", "coordinates": []}),
            Value::Null,
        );
        check(
            "geometry",
            json!({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}),
            json!({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}),
        );
    }

    #[test]
    fn limits_of_the_column_are_kept() {
        let column = Column {
            max_length: Some(3),
            precision: Some(5),
            scale: Some(2),
            ..Column::default()
        };
        let check = |name: &str, given: Value, expect: Option<&str>| {
            let got = by_name(name).expect(name).parse(&given, &column).err();
            assert_eq!(got.map(|problem| problem.code.name), expect, "{name} {given}");
        };
        check("string", json!("äöü"), None);
        check("string", json!("abcd"), Some("VALUE_TOO_LONG"));
        check("decimal", json!("123.45"), None);
        check("decimal", json!("123.456"), Some("VALUE_OUT_OF_RANGE"));
        check("decimal", json!("1234.5"), Some("VALUE_OUT_OF_RANGE"));
    }

    #[test]
    fn names_are_unique_and_every_storage_kind_has_a_type() {
        let mut names: Vec<_> = FIELD_TYPES.iter().map(|ty| ty.name()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(
            of_column(StorageKind::Text, &["cast-csv".to_owned()]).name(),
            "csv"
        );
        assert_eq!(
            of_column(StorageKind::String, &["hash".to_owned(), "conceal".to_owned()]).name(),
            "hash"
        );
        assert_eq!(
            of_column(StorageKind::Geometry, &["geometry.Polygon".to_owned()]).name(),
            "geometry.Polygon"
        );
    }
}
