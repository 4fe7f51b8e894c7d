//! What operands are compared with, made to fit the type that they are compared as.

use std::borrow::Cow;

use bigdecimal::BigDecimal;
use loggia_model::{Scalar, StorageKind};

use super::json_key;
use crate::backends::remote::arguments::{converted, is_of_calendar, is_uuid};

/// A value as an argument of a kind. One that no value of the kind can be equal to becomes NULL, so that no comparison
/// with it holds, and the server does not refuse the statement.
pub(super) fn fitting<'v>(kind: Option<StorageKind>, value: Cow<'v, Scalar>) -> Cow<'v, Scalar> {
    let Some(kind) = kind else {
        let key = json_key::of(&value).map(|key| kept(&key).into_owned());
        return Cow::Owned(key.into());
    };
    let fits = match (kind, value.as_ref()) {
        (_, Scalar::Null) => true,
        (StorageKind::Integer | StorageKind::BigInteger, Scalar::Int(_))
        | (StorageKind::Float, Scalar::Real(_) | Scalar::Int(_))
        | (StorageKind::Decimal, Scalar::Int(_))
        | (StorageKind::Boolean, Scalar::Bool(_))
        | (StorageKind::Binary, Scalar::Bytes(_)) => true,
        (
            StorageKind::String | StorageKind::Text | StorageKind::Json | StorageKind::Geometry,
            Scalar::Text(text),
        ) => {
            // Most texts hold no U+0000.
            return match kept(text) {
                Cow::Borrowed(_) => value,
                Cow::Owned(text) => Cow::Owned(Scalar::Text(text)),
            };
        }
        (StorageKind::Decimal, Scalar::Text(text)) => text.parse::<BigDecimal>().is_ok(),
        (StorageKind::Uuid, Scalar::Text(text)) => is_uuid(text),
        (
            StorageKind::Date | StorageKind::Time | StorageKind::DateTime | StorageKind::Timestamp,
            Scalar::Text(text),
        ) => is_of_calendar(kind, text),
        _ => return Cow::Owned(converted(kind, &value)),
    };
    if fits { value } else { Cow::Owned(Scalar::Null) }
}

/// Values as the text of an array; those that do not fit are left out.
pub(super) fn array(kind: Option<StorageKind>, values: &[Scalar]) -> String {
    let mut text = String::with_capacity(values.len() * 8 + 2);
    text.push('{');
    for value in values {
        let value = fitting(kind, Cow::Borrowed(value));
        let (quoted, element) = match value.as_ref() {
            Scalar::Null => continue,
            Scalar::Bool(truth) => (false, truth.to_string().into()),
            Scalar::Int(number) => (false, number.to_string().into()),
            Scalar::Real(number) => (false, format!("{number:?}").into()),
            Scalar::Text(text) => (true, Cow::Borrowed(text.as_str())),
            Scalar::Bytes(bytes) => (true, super::values::hexadecimal(bytes).into()),
        };
        if text.len() > 1 {
            text.push(',');
        }
        if !quoted {
            text.push_str(&element);
            continue;
        }
        text.push('"');
        for character in element.chars() {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
    }
    text.push('}');
    text
}

/// A text as PostgreSQL can hold it: no text there has U+0000, so another rare character stands for it.
fn kept(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{1}"))
    } else {
        Cow::Borrowed(text)
    }
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
        check(Some(K::Text), "a\0b".into(), "a\u{1}b".into());
        check(Some(K::String), Scalar::Int(7), "7".into());
        check(Some(K::Decimal), "abc".into(), Scalar::Null);
        check(None, "a".into(), "ta".into());
    }

    #[test]
    fn arrays_are_literal() {
        let text = |values: &[Scalar]| array(Some(StorageKind::Text), values);
        assert_eq!(text(&[]), "{}");
        assert_eq!(text(&["a".into(), "b\"\\,{}".into()]), r#"{"a","b\"\\,{}"}"#);
        assert_eq!(
            array(
                Some(StorageKind::Integer),
                &["1".into(), "x".into(), Scalar::Int(2)]
            ),
            "{1,2}"
        );
    }
}
