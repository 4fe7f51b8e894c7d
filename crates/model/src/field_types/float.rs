//! Binary floating point (IEEE 754 binary64).

use serde_json::{Number, Value, json};

use super::{FieldType, mismatch};
use crate::error::VALUE_OUT_OF_RANGE;
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `float`.
#[derive(Debug)]
pub(super) struct Float;

impl FieldType for Float {
    fn name(&self) -> &'static str {
        "float"
    }
    fn summary(&self) -> &'static str {
        "a number"
    }
    fn storage(&self) -> Option<StorageKind> {
        Some(StorageKind::Float)
    }
    fn parse(&self, value: &Value, _: &Column) -> Result<Scalar, Problem> {
        let number = match value {
            Value::Number(number) => number.to_string().parse::<f64>().ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if number.is_finite() => Ok(Scalar::Real(number)),
            // Written with digits, and too large; the words `inf` and `NaN` are no numbers.
            Some(_)
                if value.is_number()
                    || value
                        .as_str()
                        .is_some_and(|text| text.contains(|c: char| c.is_ascii_digit())) =>
            {
                let message = "The number is too large: a float holds at most 1.7976931348623157e308.";
                Err(Problem::new(&VALUE_OUT_OF_RANGE, message)
                    .hint("Use a decimal field for larger numbers."))
            }
            _ => Err(mismatch(self, value)),
        }
    }
    fn print(&self, scalar: Scalar) -> Value {
        match scalar {
            Scalar::Real(real) => number(real),
            Scalar::Int(whole) => whole.into(),
            Scalar::Text(text) => text.into(),
            _ => Value::Null,
        }
    }
    fn json_schema(&self) -> Value {
        json!({"type": "number"})
    }
}

/// The JSON number, without a needless fraction; null for what JSON cannot say.
pub(super) fn number(real: f64) -> Value {
    if real.fract() == 0.0 && real.abs() < 1e15 && !(real == 0.0 && real.is_sign_negative()) {
        return (real as i64).into();
    }
    Number::from_f64(real).map_or(Value::Null, Value::Number)
}
