//! What MySQL and MariaDB cannot hold, though other databases can.

use loggia_model::schema::Column;
use loggia_model::{Scalar, StorageKind, field_types};

use super::types::LONGEST_KEY;
use crate::backends::Capacity;

/// Of names, tables and values.
pub(in crate::backends) const CAPACITY: Capacity = Capacity {
    longest_name: Some(64),
    most_columns: Some(1_017),
    points,
    unfit,
};

/// Digits of a second behind the point.
const FRACTION: usize = 6;
/// How many bytes of a value an index holds.
const LONGEST_BYTES: usize = 3_072;

/// Both columns of a foreign key have one type.
fn points(from: &Column, to: &Column) -> bool {
    let is_text = |column: &Column| matches!(column.kind, StorageKind::String | StorageKind::Text);
    from.kind == to.kind || (is_text(from) && is_text(to))
}

fn unfit(column: &Column, value: &Scalar) -> Option<String> {
    let is_key = column.primary_key || column.unique;
    match value {
        Scalar::Text(text) => match column.kind {
            StorageKind::String | StorageKind::Text => too_long(column, text),
            StorageKind::Decimal => field_types::of_column(column.kind, &[])
                .parse(&text.as_str().into(), column)
                .err()
                .map(|problem| problem.message),
            kind if kind.has_time() || kind.has_date() => out_of_range(text),
            _ => None,
        },
        Scalar::Bytes(bytes) if is_key && bytes.len() > LONGEST_BYTES => Some(format!(
            "has {} bytes; in a column whose values are unique, MySQL and MariaDB keep {LONGEST_BYTES}",
            bytes.len()
        )),
        Scalar::Int(number) if column.kind == StorageKind::Integer && i32::try_from(*number).is_err() => {
            Some(format!(
                "is {number}: a number of this type goes from -2147483648 to 2147483647 on MySQL and MariaDB"
            ))
        }
        _ => None,
    }
}

fn too_long(column: &Column, text: &str) -> Option<String> {
    let count = text.chars().count();
    let is_key = column.primary_key || column.unique;
    if is_key && count > LONGEST_KEY as usize {
        return Some(format!(
            "has {count} characters; in a column whose values are unique, MySQL and MariaDB keep {LONGEST_KEY}"
        ));
    }
    let most = column.max_length? as usize;
    (count > most).then(|| format!("has {count} characters; its column keeps {most} on MySQL and MariaDB"))
}

fn out_of_range(text: &str) -> Option<String> {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = fraction.trim_end_matches('Z').trim_end_matches('0').len();
    if digits > FRACTION {
        return Some(format!(
            "is {text}: MySQL and MariaDB keep microseconds, not nanoseconds"
        ));
    }
    let is_before = text.starts_with('-') || text.starts_with("0000-");
    is_before.then(|| format!("is {text}: MySQL and MariaDB keep no day before the year 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let column = |kind, unique| Column {
            kind,
            unique,
            max_length: (!unique).then_some(3),
            precision: Some(5),
            scale: Some(2),
            ..Column::default()
        };
        let check = |column: &Column, value: Scalar, says: &str| match unfit(column, &value) {
            Some(why) => assert!(!says.is_empty() && why.contains(says), "{value:?}: {why}"),
            None => assert_eq!(says, "", "{value:?}"),
        };
        let (plain, unique) = (|kind| column(kind, false), |kind| column(kind, true));
        use StorageKind as K;
        check(&plain(K::String), "äöü".into(), "");
        check(&plain(K::String), "äöüß".into(), "4 characters");
        check(&unique(K::String), "x".repeat(768).into(), "");
        check(&unique(K::String), "x".repeat(769).into(), "769 characters");
        check(&unique(K::Binary), Scalar::Bytes(vec![0; 3_073]), "3073 bytes");
        check(&plain(K::Decimal), "123.45".into(), "");
        check(&plain(K::Decimal), "1234.5".into(), "does not fit");
        check(&plain(K::Time), "10:00:00.123456789".into(), "microseconds");
        check(&plain(K::Date), "0001-01-01".into(), "");
        check(&plain(K::Date), "0000-01-01".into(), "year 1");
        check(&plain(K::Date), "-000001-01-01".into(), "year 1");
        check(&plain(K::Integer), Scalar::Int(1 << 31), "2147483647");
    }
}
