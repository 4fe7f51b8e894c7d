//! Whole numbers of 32 and 64 bits.

use serde_json::{Value, json};

use super::{FieldType, mismatch};
use crate::error::VALUE_OUT_OF_RANGE;
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `integer`: 32 bits.
#[derive(Debug)]
pub(super) struct Integer;

/// `bigInteger`: 64 bits; printed as text beyond ±(2⁵³ − 1), where a JSON number would round.
#[derive(Debug)]
pub(super) struct BigInteger;

/// The largest whole number that every JSON reader keeps (RFC 8259 §6).
const SAFE: u64 = (1 << 53) - 1;

impl FieldType for Integer {
    fn name(&self) -> &'static str {
        "integer"
    }
    fn summary(&self) -> &'static str {
        "a whole number from -2147483648 to 2147483647"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::Integer)
    }
    fn parse(&self, value: &Value, column: &Column) -> Result<Scalar, Problem> {
        let number = whole(self, value)?;
        // A SQLite key counts in 64 bits whatever its declared type.
        if column.auto_increment || i32::try_from(number).is_ok() {
            Ok(Scalar::Int(number))
        } else {
            Err(out_of_range(self, number))
        }
    }
    fn print(&self, scalar: Scalar) -> Value {
        print(scalar)
    }
    fn json_schema(&self) -> Value {
        json!({"type": "integer"})
    }
}

impl FieldType for BigInteger {
    fn name(&self) -> &'static str {
        "bigInteger"
    }
    fn summary(&self) -> &'static str {
        "a whole number of 64 bits (as text beyond ±9007199254740991)"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::BigInteger)
    }
    fn parse(&self, value: &Value, _: &Column) -> Result<Scalar, Problem> {
        whole(self, value).map(Scalar::Int)
    }
    fn print(&self, scalar: Scalar) -> Value {
        print(scalar)
    }
    fn json_schema(&self) -> Value {
        json!({"type": "integer"})
    }
}

fn whole(ty: &dyn FieldType, value: &Value) -> Result<i64, Problem> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return Err(mismatch(ty, value)),
    };
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let digits = text.strip_prefix('-').unwrap_or(&text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(out_of_range(ty, text));
    }
    value
        .is_number()
        .then(|| exactly_whole(&text))
        .flatten()
        .ok_or_else(|| mismatch(ty, value))
}

/// The whole number that a JSON number with a fraction or an exponent stands for (`3.0`, `1e3`); `None` if it stands
/// for none of 64 bits. Read digit by digit: a double would take `5.0000000000000000001` for 5.
fn exactly_whole(text: &str) -> Option<i64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.bytes().all(|digit| digit == b'0') {
        return Some(0);
    }
    let point = i64::try_from(whole.len())
        .ok()?
        .checked_add(exponent.parse().ok()?)?;
    let kept = usize::try_from(point).ok().filter(|kept| *kept <= 64)?;
    let (kept_digits, rest) = digits.split_at(kept.min(digits.len()));
    let exact = rest.bytes().all(|digit| digit == b'0');
    let zeros = "0".repeat(kept.saturating_sub(digits.len()));
    exact
        .then(|| format!("{sign}{kept_digits}{zeros}").parse().ok())
        .flatten()
}

fn out_of_range(ty: &dyn FieldType, number: impl std::fmt::Display) -> Problem {
    Problem::new(
        &VALUE_OUT_OF_RANGE,
        format!("Expected {}; {number} does not fit.", ty.summary()),
    )
    .with("type", ty.name())
}

fn print(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Int(number) if number.unsigned_abs() <= SAFE => number.into(),
        Scalar::Int(number) => number.to_string().into(),
        Scalar::Bool(truth) => i64::from(truth).into(),
        Scalar::Real(number) => super::float::number(number),
        Scalar::Text(text) => text.into(),
        _ => Value::Null,
    }
}
