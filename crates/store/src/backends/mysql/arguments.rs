//! What operands are compared with, made to fit the type that they are compared as.

use std::borrow::Cow;

use bigdecimal::BigDecimal;
use loggia_model::{Scalar, StorageKind};

use super::{calendar, decimal_key, json_key};
use crate::backends::remote::arguments::{converted, is_of_calendar, is_uuid};

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
        ) => Cow::Owned(
            is_of_calendar(kind, text)
                .then(|| calendar::reachable(text).into_owned())
                .into(),
        ),
        _ => Cow::Owned(match converted(kind, &value) {
            Scalar::Text(text) if kind == StorageKind::Decimal => decimal(&text),
            other => other,
        }),
    }
}

/// The key of a decimal, or NULL.
fn decimal(text: &str) -> Scalar {
    let number = text.parse::<BigDecimal>().ok();
    number
        .map(|number| decimal_key::of(&number.to_plain_string()))
        .into()
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
    fn lists_are_literal() {
        let values = ["a\"\\".into(), Scalar::Int(2), Scalar::Bytes(vec![0, 255])];
        assert_eq!(
            json_array(values.iter().map(Cow::Borrowed)),
            r#"["a\"\\",2,"00ff"]"#
        );
    }
}
