//! Values on their way to the server, and on their way back.

use loggia_model::Scalar;
use mysql_async::consts::ColumnType;
use mysql_async::{Column, Value};

use super::calendar;

/// The number of the character set that is none: such text is bytes.
const BINARY: u16 = 63;
/// So many digits behind the second tell a moment from a day and time without zone.
const MILLISECONDS: u8 = 3;

/// A scalar as the server takes it.
pub(super) fn bound(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::NULL,
        Scalar::Bool(truth) => Value::Int((*truth).into()),
        Scalar::Int(number) => Value::Int(*number),
        Scalar::Real(number) => Value::Double(*number),
        Scalar::Text(text) => Value::Bytes(text.as_bytes().to_vec()),
        Scalar::Bytes(bytes) => Value::Bytes(bytes.clone()),
    }
}

/// A cell of an answer.
pub(super) fn scalar(column: &Column, value: Value) -> Scalar {
    let column_type = column.column_type();
    match value {
        Value::NULL => Scalar::Null,
        Value::Int(number) => Scalar::Int(number),
        Value::UInt(number) => match i64::try_from(number) {
            Ok(number) => Scalar::Int(number),
            Err(_) => Scalar::Text(number.to_string()),
        },
        // The shortest notation is what people wrote, and what an equal number of 64 bits is read from.
        Value::Float(number) => number
            .to_string()
            .parse()
            .map_or(Scalar::Real(number.into()), Scalar::Real),
        Value::Double(number) => Scalar::Real(number),
        Value::Date(year, month, day, ..) if column_type == ColumnType::MYSQL_TYPE_DATE => {
            Scalar::Text(calendar::date(year, month, day))
        }
        Value::Date(year, month, day, hours, minutes, seconds, micros) => {
            let (day, time) = ((year, month, day), (hours, minutes, seconds, micros));
            let is_moment =
                column_type == ColumnType::MYSQL_TYPE_TIMESTAMP || column.decimals() == MILLISECONDS;
            Scalar::Text(if is_moment {
                calendar::timestamp(day, time)
            } else {
                calendar::date_time(day, time)
            })
        }
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            let text = calendar::time(days * 24 + u32::from(hours), minutes, seconds, micros);
            Scalar::Text(if negative { format!("-{text}") } else { text })
        }
        Value::Bytes(bytes) => match column_type {
            ColumnType::MYSQL_TYPE_BIT => bits(&bytes),
            _ if is_text(column) => Scalar::Text(text(bytes)),
            _ => Scalar::Bytes(bytes),
        },
    }
}

fn is_text(column: &Column) -> bool {
    use ColumnType as T;
    match column.column_type() {
        T::MYSQL_TYPE_STRING
        | T::MYSQL_TYPE_VAR_STRING
        | T::MYSQL_TYPE_VARCHAR
        | T::MYSQL_TYPE_TINY_BLOB
        | T::MYSQL_TYPE_BLOB
        | T::MYSQL_TYPE_MEDIUM_BLOB
        | T::MYSQL_TYPE_LONG_BLOB => column.character_set() != BINARY,
        T::MYSQL_TYPE_GEOMETRY => false,
        // Numbers with all their digits, and JSON.
        _ => true,
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// A column of other programs with bits in it, as a number.
fn bits(bytes: &[u8]) -> Scalar {
    let number = bytes
        .iter()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    i64::try_from(number).map_or_else(|_| Scalar::Text(number.to_string()), Scalar::Int)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_as_what_they_are() {
        use ColumnType as T;
        let check = |ty: T, set: u16, value: Value, expect: Scalar| {
            let column = Column::new(ty).with_character_set(set);
            assert_eq!(scalar(&column, value), expect, "{ty:?}");
        };
        check(T::MYSQL_TYPE_LONG, 63, Value::Int(-2), Scalar::Int(-2));
        check(
            T::MYSQL_TYPE_LONGLONG,
            63,
            Value::UInt(u64::MAX),
            "18446744073709551615".into(),
        );
        check(T::MYSQL_TYPE_FLOAT, 63, Value::Float(0.1), Scalar::Real(0.1));
        check(T::MYSQL_TYPE_NEWDECIMAL, 63, Value::from("1.50"), "1.50".into());
        check(T::MYSQL_TYPE_BLOB, 45, Value::from("a"), "a".into());
        check(
            T::MYSQL_TYPE_BLOB,
            63,
            Value::from("a"),
            Scalar::Bytes(b"a".to_vec()),
        );
        check(T::MYSQL_TYPE_BIT, 63, Value::Bytes(vec![1, 2]), Scalar::Int(258));
        check(
            T::MYSQL_TYPE_DATE,
            63,
            Value::Date(2026, 1, 31, 0, 0, 0, 0),
            "2026-01-31".into(),
        );
        check(
            T::MYSQL_TYPE_TIMESTAMP,
            63,
            Value::Date(2026, 1, 31, 1, 2, 3, 4_000),
            "2026-01-31T01:02:03.004Z".into(),
        );
        check(
            T::MYSQL_TYPE_TIME,
            63,
            Value::Time(true, 1, 2, 3, 4, 0),
            "-26:03:04".into(),
        );
    }
}
