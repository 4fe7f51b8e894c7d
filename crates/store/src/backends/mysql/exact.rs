//! Sums and means without rounding. The server's decimals have 65 digits, which is enough for almost all numbers: it adds
//! these. What is too large or too small is listed, and added here.
//!
//! Such a figure is answered as a text: the sum, how many values there are, how many digits they have behind the point,
//! and what was left out, with blanks between.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::str::FromStr as _;

use bigdecimal::{BigDecimal, RoundingMode};
use loggia_model::plan::Aggregate;
use loggia_model::{Scalar, StorageKind};

use crate::lower::{Sql, Writer};

/// More digits than a mean is worth being told with (as IEEE 754 decimal128).
const DIGITS_OF_A_MEAN: NonZeroU64 = NonZeroU64::new(34).unwrap();
/// Decimals with more digits before or behind the point are listed: so many fit, and the sum of many of them.
const WHOLE: usize = 27;
const FRACTION: usize = 30;
/// A binary number from here on is whole, and is taken exactly.
const LARGE: f64 = 1e15;

/// Appends a column as it is written.
fn written<'p>(sql: &mut Sql<'p>, column: Writer<'_, 'p>) {
    let before = std::mem::replace(&mut sql.as_text, true);
    column(sql);
    sql.as_text = before;
}

/// Appends `name(…)` of the keys of decimals, each with the decimal as it is written behind a blank.
pub(super) fn keyed<'p>(sql: &mut Sql<'p>, name: &str, column: Writer<'_, 'p>) {
    sql.push(name).push("CONCAT(");
    column(sql);
    sql.push(", ' ', ");
    written(sql, column);
    sql.push("))");
}

/// Appends whether the server cannot add a value exactly.
fn odd<'p>(sql: &mut Sql<'p>, kind: StorageKind, column: Writer<'_, 'p>) {
    match kind {
        StorageKind::Float => {
            sql.push("(ABS(");
            column(sql);
            sql.push(") >= 1E15 OR (ABS(");
            column(sql);
            sql.push(") < 1E-12 AND ");
            column(sql);
            sql.push(" <> 0))");
        }
        StorageKind::Decimal => {
            // A point stands behind the digits before it, and there may be a sign.
            sql.push("(LOCATE('.', CONCAT(");
            written(sql, column);
            sql.push(&format!(", '.')) > {WHOLE} OR CHAR_LENGTH("));
            written(sql, column);
            sql.push(") - LOCATE('.', CONCAT(");
            written(sql, column);
            sql.push(&format!(", '.')) > {FRACTION})"));
        }
        _ => {
            sql.push("FALSE");
        }
    }
}

/// Appends the sum of what the server can add.
fn sum<'p>(sql: &mut Sql<'p>, distinct: bool, kind: StorageKind, column: Writer<'_, 'p>) {
    sql.push(if distinct { "SUM(DISTINCT " } else { "SUM(" });
    let exact = matches!(kind, StorageKind::Float | StorageKind::Decimal);
    if exact {
        sql.push("CASE WHEN ");
        odd(sql, kind, column);
        sql.push(" THEN 0 ELSE CAST(CAST(");
    }
    written(sql, column);
    if exact {
        sql.push(" AS CHAR) AS DECIMAL(65, 30)) END");
    }
    sql.push(")");
}

/// Appends a sum or mean.
pub(super) fn figure<'p>(sql: &mut Sql<'p>, function: Aggregate, kind: StorageKind, column: Writer<'_, 'p>) {
    let distinct = matches!(function, Aggregate::SumDistinct | Aggregate::AvgDistinct);
    sql.push("CONCAT_WS(' ', ");
    sum(sql, distinct, kind, column);
    sql.push(if distinct { ", COUNT(DISTINCT " } else { ", COUNT(" });
    column(sql);
    sql.push(")");
    match kind {
        StorageKind::Decimal => {
            sql.push(", MAX(CHAR_LENGTH(");
            written(sql, column);
            sql.push(") - LOCATE('.', CONCAT(");
            written(sql, column);
            sql.push(", '.')))");
        }
        _ => {
            sql.push(", 0");
        }
    }
    if matches!(kind, StorageKind::Float | StorageKind::Decimal) {
        sql.push(", GROUP_CONCAT(CASE WHEN ");
        odd(sql, kind, column);
        sql.push(" THEN CAST(");
        written(sql, column);
        sql.push(" AS CHAR) END SEPARATOR ' ')");
    }
    sql.push(")");
}

/// Reads what [`figure`] answers; other figures stay as they are.
pub(super) fn read(function: Aggregate, kind: StorageKind, answered: Scalar) -> Scalar {
    let (mean, distinct) = match function {
        Aggregate::Avg => (true, false),
        Aggregate::AvgDistinct => (true, true),
        Aggregate::Sum => (false, false),
        Aggregate::SumDistinct => (false, true),
        _ => return answered,
    };
    let Scalar::Text(text) = &answered else {
        return answered;
    };
    // The sum of whole numbers is one already.
    if !text.contains(' ') {
        return match kind {
            StorageKind::Integer | StorageKind::BigInteger => answered,
            // Nothing was added: only its count and zeros are there.
            _ => Scalar::Null,
        };
    }
    total(text, kind, distinct, mean).map_or(Scalar::Null, Scalar::Text)
}

fn total(text: &str, kind: StorageKind, distinct: bool, mean: bool) -> Option<String> {
    let mut parts = text.split(' ');
    let sum = BigDecimal::from_str(parts.next()?).ok()?;
    let count: u64 = parts.next()?.parse().ok()?;
    let scale: i64 = parts.next()?.parse().ok()?;
    if count == 0 {
        return None;
    }
    let mut listed = Vec::new();
    for part in parts {
        listed.push(number(part, kind)?);
    }
    if distinct {
        listed = listed
            .into_iter()
            .map(|number| number.normalized())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
    }
    let total: BigDecimal = listed.into_iter().fold(sum, |total, number| total + number);
    if mean {
        let mean =
            (total / BigDecimal::from(count)).with_precision_round(DIGITS_OF_A_MEAN, RoundingMode::HalfUp);
        return Some(mean.normalized().to_plain_string());
    }
    Some(match kind {
        StorageKind::Decimal => total.with_scale(scale.max(0)).to_plain_string(),
        _ => total.normalized().to_plain_string(),
    })
}

/// A number that was listed: a binary one as the decimal that it is written as, unless it is large.
fn number(written: &str, kind: StorageKind) -> Option<BigDecimal> {
    let real = match kind {
        StorageKind::Float => written.parse::<f64>().ok().filter(|real| real.abs() >= LARGE),
        _ => None,
    };
    match real {
        Some(real) => BigDecimal::from_str(&format!("{real:.0}")).ok(),
        None => BigDecimal::from_str(written).ok(),
    }
}

/// Appends what a figure is ordered by, where it is not what it is answered as.
pub(super) fn ordered<'p>(
    sql: &mut Sql<'p>,
    function: Aggregate,
    kind: StorageKind,
    column: Writer<'_, 'p>,
) -> bool {
    match function {
        Aggregate::Min | Aggregate::Max if kind == StorageKind::Decimal => {
            let name = if function == Aggregate::Min {
                "MIN("
            } else {
                "MAX("
            };
            keyed(sql, name, column);
            true
        }
        Aggregate::Avg | Aggregate::AvgDistinct => {
            let distinct = function == Aggregate::AvgDistinct;
            sum(sql, distinct, kind, column);
            sql.push(if distinct {
                " / COUNT(DISTINCT "
            } else {
                " / COUNT("
            });
            column(sql);
            sql.push(")");
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_put_together() {
        use StorageKind as K;
        let check = |function, kind: K, text: &str, expect: Option<&str>| {
            let got = read(function, kind, text.into());
            assert_eq!(got, Scalar::from(expect.map(str::to_owned)), "{text}");
        };
        check(
            Aggregate::Sum,
            K::Decimal,
            "1027.500000000000000000000000000000 5 2",
            Some("1027.50"),
        );
        check(
            Aggregate::Sum,
            K::Decimal,
            "3.000000000000000000000000000000 2 -1",
            Some("3"),
        );
        check(
            Aggregate::Sum,
            K::Decimal,
            "1.500000000000000000000000000000 2 5 12345678901234567890123456.12345",
            Some("12345678901234567890123457.62345"),
        );
        check(Aggregate::Sum, K::Integer, "15", Some("15"));
        check(
            Aggregate::Avg,
            K::Integer,
            "10 3 0",
            Some("3.333333333333333333333333333333333"),
        );
        check(Aggregate::Avg, K::Decimal, "0 0", None);
        check(
            Aggregate::Sum,
            K::Float,
            "0.300000000000000000000000000000 3 0 1e23",
            Some("99999999999999991611392.3"),
        );
        check(
            Aggregate::SumDistinct,
            K::Decimal,
            "0 1 1 12345678901234567890123456.0 12345678901234567890123456",
            Some("12345678901234567890123456.0"),
        );
        check(Aggregate::Count, K::Integer, "3", Some("3"));
    }
}
