//! Decimal numbers, exact: kept as they were written.

use std::str::FromStr as _;

use bigdecimal::BigDecimal;
use serde_json::{Number, Value, json};

use super::{FieldType, mismatch};
use crate::error::VALUE_OUT_OF_RANGE;
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `decimal`: printed as text where a JSON number (binary64) would round.
#[derive(Debug)]
pub(super) struct Decimal;

/// Every decimal of so many significant digits survives a JSON reader.
const SAFE_DIGITS: u64 = 15;
/// More than any column holds: a bound on what is worked out for a hostile exponent.
const MOST_CHARACTERS: usize = 1_000;

impl FieldType for Decimal {
    fn name(&self) -> &'static str {
        "decimal"
    }
    fn summary(&self) -> &'static str {
        "a decimal number (as text beyond 15 digits)"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::Decimal)
    }
    fn parse(&self, value: &Value, column: &Column) -> Result<Scalar, Problem> {
        let text = match value {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_owned(),
            _ => return Err(mismatch(self, value)),
        };
        let plain = plain(&text).ok_or_else(|| mismatch(self, value))?;
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let whole = whole.trim_start_matches('-').trim_start_matches('0').len();
        let fraction = fraction.trim_end_matches('0').len();
        if let (Some(precision), Some(scale)) = (column.precision, column.scale) {
            let (precision, scale) = (precision as usize, scale as usize);
            if fraction > scale || whole > precision.saturating_sub(scale) {
                let before = precision.saturating_sub(scale);
                return Err(Problem::new(
                    &VALUE_OUT_OF_RANGE,
                    format!(
                        "{plain} does not fit: at most {before} digits before and {scale} behind the point."
                    ),
                )
                .with("type", self.name()));
            }
        }
        Ok(Scalar::Text(plain))
    }
    fn print(&self, scalar: Scalar) -> Value {
        match scalar {
            Scalar::Text(text) => {
                let digits = text
                    .trim_start_matches(['-', '0', '.'])
                    .bytes()
                    .filter(u8::is_ascii_digit)
                    .count();
                let number = (digits as u64 <= SAFE_DIGITS)
                    .then(|| text.parse::<Number>().ok())
                    .flatten();
                number.map_or_else(|| text.into(), Value::Number)
            }
            Scalar::Int(whole) => whole.into(),
            Scalar::Real(real) => super::float::number(real),
            _ => Value::Null,
        }
    }
    fn json_schema(&self) -> Value {
        json!({"type": "number"})
    }
}

/// Plain notation without exponent, leading zeros or sign of zero; digits behind the point stay as written.
fn plain(text: &str) -> Option<String> {
    if text.len() > MOST_CHARACTERS {
        return None;
    }
    let number = BigDecimal::from_str(text).ok()?;
    if number.fractional_digit_count().unsigned_abs() > MOST_CHARACTERS as u64 {
        return None;
    }
    Some(number.to_plain_string())
}
