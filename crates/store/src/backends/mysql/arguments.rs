//! What operands are compared with, made to fit the type that they are compared as.

use std::borrow::Cow;

use bigdecimal::BigDecimal;
use loggia_model::schema::Column;
use loggia_model::{Scalar, StorageKind, field_types};

use super::{calendar, decimal_key, json_key};

/// A value as an argument of a kind. One that no value of the kind can be equal to becomes NULL, so that no comparison
/// with it holds, and the server does not make another value of it.
pub(super) fn fitting<'v>(kind: Option<StorageKind>, value: Cow<'v, Scalar>) -> Cow<'v, Scalar> {
    let Some(kind) = kind else {
        return Cow::Owned(json_key::of(&value).into());
    };
    match (kind, value.as_ref()) {
        (_, Scalar::Null)
        | (StorageKind::Integer | StorageKind::BigInteger, Scalar::Int(_))
        | (StorageKind::Float, Scalar::Real(_) | Scalar::Int(_))
        | (StorageKind::Boolean, Scalar::Bool(_))
        | (StorageKind::Binary, Scalar::Bytes(_))
        | (
            StorageKind::String | StorageKind::Text | StorageKind::Json | StorageKind::Geometry,
            Scalar::Text(_),
        ) => value,
        (StorageKind::Uuid, Scalar::Text(text)) if is_uuid(text) => value,
        (StorageKind::Decimal, Scalar::Text(text)) => Cow::Owned(decimal(text)),
        (
            StorageKind::Date | StorageKind::Time | StorageKind::DateTime | StorageKind::Timestamp,
            Scalar::Text(text),
        ) => {
            let parsed = field_types::of_column(kind, &[]).parse(&text.as_str().into(), &Column::default());
            match parsed {
                Ok(_) => Cow::Owned(Scalar::Text(calendar::reachable(text).into_owned())),
                Err(_) => Cow::Owned(Scalar::Null),
            }
        }
        _ => Cow::Owned(converted(kind, &value)),
    }
}

/// The key of a decimal, or NULL.
fn decimal(text: &str) -> Scalar {
    let number = text.parse::<BigDecimal>().ok();
    number
        .map(|number| decimal_key::of(&number.to_plain_string()))
        .into()
}

/// A piece of a pattern of `LIKE … ESCAPE '|'` that stands for itself.
pub(super) fn literally(piece: &str) -> String {
    let mut text = String::with_capacity(piece.len());
    for character in piece.chars() {
        if matches!(character, '|' | '%' | '_') {
            text.push('|');
        }
        text.push(character);
    }
    text
}

/// A value of another kind, as both ends of a relation may write a key.
fn converted(kind: StorageKind, value: &Scalar) -> Scalar {
    match (kind, value) {
        (StorageKind::Integer | StorageKind::BigInteger, Scalar::Bool(truth)) => Scalar::Int((*truth).into()),
        (StorageKind::Integer | StorageKind::BigInteger, Scalar::Text(text)) => {
            text.parse().map_or(Scalar::Null, Scalar::Int)
        }
        (StorageKind::Integer | StorageKind::BigInteger, Scalar::Real(number))
            if number.fract() == 0.0 && number.abs() < 9e18 =>
        {
            Scalar::Int(*number as i64)
        }
        (StorageKind::Decimal, Scalar::Int(number)) => decimal(&number.to_string()),
        (StorageKind::Decimal, Scalar::Real(number)) => decimal(&number.to_string()),
        (StorageKind::Float, Scalar::Text(text)) => text.parse().map_or(Scalar::Null, Scalar::Real),
        (StorageKind::Boolean, Scalar::Int(number)) => Scalar::Bool(*number != 0),
        (StorageKind::String | StorageKind::Text, Scalar::Int(number)) => Scalar::Text(number.to_string()),
        (StorageKind::String | StorageKind::Text, Scalar::Real(number)) => Scalar::Text(number.to_string()),
        (StorageKind::String | StorageKind::Text, Scalar::Bool(truth)) => {
            Scalar::Text(i64::from(*truth).to_string())
        }
        _ => Scalar::Null,
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Values as a JSON array, from which the server takes them; bytes as hexadecimal text.
pub(super) fn json_array<'v>(values: impl Iterator<Item = Cow<'v, Scalar>>) -> String {
    let entries: Vec<String> = values
        .map(|value| match value.as_ref() {
            Scalar::Null => "null".to_owned(),
            Scalar::Bool(truth) => i64::from(*truth).to_string(),
            Scalar::Int(number) => number.to_string(),
            Scalar::Real(number) => format!("{number:?}"),
            Scalar::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
            Scalar::Bytes(bytes) => format!("\"{}\"", hexadecimal(bytes)),
        })
        .collect();
    format!("[{}]", entries.join(","))
}

/// Bytes as digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_equal_is_null() {
        use StorageKind as K;
        let check = |kind: Option<K>, value: Scalar, expect: Scalar| {
            assert_eq!(
                fitting(kind, Cow::Owned(value.clone())).into_owned(),
                expect,
                "{kind:?} {value:?}"
            );
        };
        check(Some(K::Integer), Scalar::Int(1 << 40), Scalar::Int(1 << 40));
        check(Some(K::Integer), "7".into(), Scalar::Int(7));
        check(Some(K::Integer), "seven".into(), Scalar::Null);
        check(Some(K::Uuid), "gone".into(), Scalar::Null);
        check(Some(K::Date), "2026-02-30".into(), Scalar::Null);
        check(Some(K::Date), "2026-02-28".into(), "2026-02-28".into());
        check(
            Some(K::Timestamp),
            "2026-02-28T01:02:03.004Z".into(),
            "2026-02-28T01:02:03.004".into(),
        );
        check(Some(K::String), Scalar::Int(7), "7".into());
        check(Some(K::Decimal), "abc".into(), Scalar::Null);
        check(Some(K::Decimal), "1.50".into(), "100021.5".into());
        check(None, "a".into(), "ta".into());
    }

    #[test]
    fn lists_and_patterns_are_literal() {
        let values = ["a\"\\".into(), Scalar::Int(2), Scalar::Bytes(vec![0, 255])];
        assert_eq!(
            json_array(values.iter().map(Cow::Borrowed)),
            r#"["a\"\\",2,"00ff"]"#
        );
        assert_eq!(literally("5%_|\\"), "5|%|_||\\");
    }
}
