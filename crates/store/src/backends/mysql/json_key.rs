//! Values inside JSON as texts that order as the values do.
//!
//! What stands at a path may be of another type in each row, and a comparison is of one type. So `loggia_json_key` (see
//! `functions.sql`) turns each value into a text, and arguments are turned into the same here: numbers come before
//! texts. A text is `t` and itself. A number is `n`, 1 (0 where it is negative), four digits of 5000 + the exponent, and
//! its digits, read as `0.digits × 10^exponent`; where it is negative, exponent and digits are turned around.

use loggia_model::Scalar;

use super::decimal_key::{turned, turned_back};

/// Exponents are counted from here.
const MIDDLE: i32 = 5_000;
const ZERO: &str = "n10000";

/// The key of a value.
pub(super) fn of(value: &Scalar) -> Option<String> {
    match value {
        Scalar::Null | Scalar::Bytes(_) => None,
        Scalar::Bool(truth) => Some(number_key(&i64::from(*truth).to_string())),
        Scalar::Int(number) => Some(number_key(&number.to_string())),
        Scalar::Real(number) => Some(number_key(&format!("{number:e}"))),
        Scalar::Text(text) => Some(format!("t{text}")),
    }
}

/// The value of a key; what is none stays as it is.
pub(super) fn read(answered: Scalar) -> Scalar {
    match answered {
        Scalar::Text(key) => match (key.strip_prefix('t'), key.strip_prefix('n')) {
            (Some(text), _) => Scalar::from(text),
            (_, Some(number)) => self::number(number).unwrap_or(Scalar::Text(key)),
            _ => Scalar::Text(key),
        },
        other => other,
    }
}

/// The key of a number as it is written, with an exponent or without.
fn number_key(written: &str) -> String {
    let (negative, written) = match written.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, written),
    };
    let (mantissa, exponent) = written.split_once('e').unwrap_or((written, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let led = digits.trim_start_matches('0');
    let zeros = digits.len() - led.len();
    let digits = led.trim_end_matches('0');
    if digits.is_empty() {
        return ZERO.to_owned();
    }
    let place = |number: usize| i32::try_from(number).unwrap_or(0);
    let exponent = exponent.parse().unwrap_or(0) + place(whole.len()) - place(zeros);
    if negative {
        format!("n0{:04}{}~", MIDDLE - 1 - exponent, turned(digits))
    } else {
        format!("n1{:04}{digits}", MIDDLE + exponent)
    }
}

fn number(key: &str) -> Option<Scalar> {
    let (sign, rest) = key.split_at_checked(1)?;
    let (exponent, digits) = rest.split_at_checked(4)?;
    let exponent: i32 = exponent.parse().ok()?;
    let (sign, exponent, digits) = match sign {
        "0" => ("-", MIDDLE - 1 - exponent, turned_back(digits.strip_suffix('~')?)),
        _ => ("", exponent - MIDDLE, digits.to_owned()),
    };
    if digits.is_empty() {
        return Some(Scalar::Int(0));
    }
    let behind = usize::try_from(exponent)
        .ok()
        .and_then(|places| places.checked_sub(digits.len()));
    let whole = behind
        .filter(|zeros| *zeros < 20)
        .and_then(|zeros| format!("{sign}{digits}{}", "0".repeat(zeros)).parse().ok());
    match whole {
        Some(whole) => Some(Scalar::Int(whole)),
        None => format!("{sign}0.{digits}e{exponent}")
            .parse()
            .ok()
            .map(Scalar::Real),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_their_values_do() {
        let values = [
            Scalar::Real(f64::MIN),
            Scalar::Int(i64::MIN),
            Scalar::Int(i64::MIN + 1),
            Scalar::Int(-9_007_199_254_740_993),
            Scalar::Int(-12),
            Scalar::Real(-1.5),
            Scalar::Int(-1),
            Scalar::Real(-0.5),
            Scalar::Real(-0.25),
            Scalar::Int(0),
            Scalar::Real(5e-324),
            Scalar::Real(0.01),
            Scalar::Real(0.1),
            Scalar::Int(1),
            Scalar::Real(1.5),
            Scalar::Int(10),
            Scalar::Int(9_007_199_254_740_992),
            Scalar::Int(9_007_199_254_740_993),
            Scalar::Int(i64::MAX - 1),
            Scalar::Int(i64::MAX),
            Scalar::Real(1e300),
            Scalar::from(""),
            Scalar::from("1"),
            Scalar::from("a"),
            Scalar::from("ä"),
        ];
        let keys: Vec<_> = values.iter().map(|value| of(value).unwrap()).collect();
        for (pair, values) in keys.windows(2).zip(values.windows(2)) {
            assert!(pair[0] < pair[1], "{values:?} {pair:?}");
        }
        for (key, value) in keys.into_iter().zip(values) {
            assert_eq!(read(Scalar::Text(key)), value);
        }
        assert_eq!(of(&Scalar::Real(-0.0)), of(&Scalar::Int(0)));
        assert_eq!(of(&Scalar::Real(2.0)), of(&Scalar::Int(2)));
        assert_eq!(of(&Scalar::Bool(true)), of(&Scalar::Int(1)));
        assert_eq!(of(&Scalar::Bool(true)).as_deref(), Some("n150011"));
        assert_eq!(of(&Scalar::Null), None);
    }
}
