//! What PostgreSQL cannot hold, though other databases can.

use loggia_model::schema::Column;
use loggia_model::{Scalar, StorageKind, field_types};

use super::types;
use crate::backends::Capacity;

/// Of names, tables and values.
pub(in crate::backends) const CAPACITY: Capacity = Capacity {
    longest_name: Some(63),
    most_columns: Some(1_600),
    points,
    unfit,
};

/// Digits of a second behind the point.
const FRACTION: usize = 6;
/// The first year that a date can be in: 4713 BC.
const FIRST_YEAR: &str = "-004712";

fn points(from: &Column, to: &Column) -> bool {
    let class = |column: &Column| match column.kind {
        StorageKind::Integer => types::of_kind(StorageKind::BigInteger),
        StorageKind::String => types::of_kind(StorageKind::Text),
        kind => types::of_kind(kind),
    };
    class(from) == class(to)
}

fn unfit(column: &Column, value: &Scalar) -> Option<String> {
    match value {
        Scalar::Text(text) if text.contains('\0') => {
            Some("holds the character U+0000, which PostgreSQL keeps in no text".to_owned())
        }
        Scalar::Text(text) => match column.kind {
            StorageKind::String => too_long(column, text),
            StorageKind::Decimal => field_types::of_column(column.kind, &[])
                .parse(&text.as_str().into(), column)
                .err()
                .map(|problem| problem.message),
            kind if kind.has_time() || kind.has_date() => out_of_range(text),
            _ => None,
        },
        Scalar::Int(number) if column.kind == StorageKind::Integer && i32::try_from(*number).is_err() => {
            Some(format!(
                "is {number}: a number of this type goes from -2147483648 to 2147483647 on PostgreSQL"
            ))
        }
        _ => None,
    }
}

fn too_long(column: &Column, text: &str) -> Option<String> {
    let most = column.max_length? as usize;
    let count = text.chars().count();
    (count > most).then(|| format!("has {count} characters; its column keeps {most} on PostgreSQL"))
}

fn out_of_range(text: &str) -> Option<String> {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = fraction.trim_end_matches('Z').trim_end_matches('0').len();
    if digits > FRACTION {
        return Some(format!(
            "is {text}: PostgreSQL keeps microseconds, not nanoseconds"
        ));
    }
    let before = text.get(..FIRST_YEAR.len()).filter(|year| year.starts_with('-'));
    before
        .filter(|year| *year > FIRST_YEAR)
        .map(|_| format!("is {text}: PostgreSQL keeps no day before 4713 BC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let column = |kind| Column {
            kind,
            max_length: Some(3),
            precision: Some(5),
            scale: Some(2),
            ..Column::default()
        };
        let check = |kind, value: &str, says: &str| match unfit(&column(kind), &value.into()) {
            Some(why) => assert!(!says.is_empty() && why.contains(says), "{value:?}: {why}"),
            None => assert_eq!(says, "", "{value:?}"),
        };
        check(StorageKind::Text, "a\0b", "U+0000");
        check(StorageKind::Text, "long enough", "");
        check(StorageKind::String, "äöü", "");
        check(StorageKind::String, "äöüß", "4 characters");
        check(StorageKind::Decimal, "123.45", "");
        check(StorageKind::Decimal, "1234.5", "does not fit");
        check(StorageKind::Time, "10:00:00.123456", "");
        check(StorageKind::Time, "10:00:00.123456789", "microseconds");
        check(StorageKind::Timestamp, "2026-01-31T10:00:00.123Z", "");
        check(
            StorageKind::DateTime,
            "2026-01-31T10:00:00.123456700",
            "microseconds",
        );
        check(StorageKind::Date, "-004712-01-01", "");
        check(StorageKind::Date, "-004713-01-01", "4713 BC");
        check(StorageKind::Date, "0000-01-01", "");
        let number = |number: i64| unfit(&column(StorageKind::Integer), &Scalar::Int(number));
        assert!(number(2_147_483_647).is_none() && number(2_147_483_648).is_some());
    }
}
