//! What every server needs of a value that is compared with something: the kind it is compared as, and nothing that the
//! server would make of it on its own.

use loggia_model::schema::Column;
use loggia_model::{Scalar, StorageKind, field_types};

/// A value of another kind, as both ends of a relation may write a key; NULL where no value of the kind is equal to it. A
/// decimal is a text.
pub(crate) fn converted(kind: StorageKind, value: &Scalar) -> Scalar {
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
        (StorageKind::Float, Scalar::Text(text)) => text.parse().map_or(Scalar::Null, Scalar::Real),
        (StorageKind::Boolean, Scalar::Int(number)) => Scalar::Bool(*number != 0),
        (StorageKind::Decimal | StorageKind::String | StorageKind::Text, Scalar::Int(number)) => {
            Scalar::Text(number.to_string())
        }
        (StorageKind::Decimal | StorageKind::String | StorageKind::Text, Scalar::Real(number)) => {
            Scalar::Text(number.to_string())
        }
        (StorageKind::String | StorageKind::Text, Scalar::Bool(truth)) => {
            Scalar::Text(i64::from(*truth).to_string())
        }
        _ => Scalar::Null,
    }
}

/// Whether a text writes a value of a kind of the calendar.
pub(crate) fn is_of_calendar(kind: StorageKind, text: &str) -> bool {
    let parsed = field_types::of_column(kind, &[]).parse(&text.into(), &Column::default());
    parsed.is_ok()
}

/// Whether a text writes a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A piece of a pattern of `LIKE` that stands for itself, where `escape` says so.
pub(crate) fn literally(piece: &str, escape: char) -> String {
    let mut text = String::with_capacity(piece.len());
    for character in piece.chars() {
        if matches!(character, '%' | '_') || character == escape {
            text.push(escape);
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_patterns_are_literal() {
        assert_eq!(literally("5%_\\|", '\\'), "5\\%\\_\\\\|");
        assert_eq!(literally("5%_\\|", '|'), "5|%|_\\||");
    }
}
