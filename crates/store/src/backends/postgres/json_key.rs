//! Values inside JSON as texts that order as the values do.
//!
//! What stands at a path may be of another type in each row, and PostgreSQL compares only what is of one type. So
//! `loggia_json_key` (see `functions.sql`) turns each value into a text, and arguments are turned into the same here:
//! numbers come before texts. A number is `n`, the sixteen hexadecimal digits of its binary64 with bits flipped so
//! that they order, and three more for what a whole number has beyond them; a text is `t` and itself.

use loggia_model::Scalar;

/// Where the three digits start from.
const MIDDLE: i128 = 1_024;
const SIGN: u64 = 1 << 63;

/// The key of a value.
pub(super) fn of(value: &Scalar) -> Option<String> {
    match value {
        Scalar::Null | Scalar::Bytes(_) => None,
        Scalar::Bool(truth) => Some(whole(i64::from(*truth))),
        Scalar::Int(number) => Some(whole(*number)),
        Scalar::Real(number) => Some(number_key(*number, 0)),
        Scalar::Text(text) => Some(format!("t{text}")),
    }
}

/// The value of a key; what is none stays as it is.
pub(super) fn read(answered: Scalar) -> Scalar {
    match answered {
        Scalar::Text(key) => match (key.strip_prefix('t'), key.strip_prefix('n')) {
            (Some(text), _) => Scalar::from(text),
            (_, Some(digits)) => number(digits).unwrap_or(Scalar::Text(key)),
            _ => Scalar::Text(key),
        },
        other => other,
    }
}

fn whole(number: i64) -> String {
    let real = number as f64;
    // A binary64 of this size is whole.
    number_key(real, i128::from(number) - real as i128)
}

fn number_key(real: f64, beyond: i128) -> String {
    // There is one zero.
    let bits = (real + 0.0).to_bits();
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    format!("n{ordered:016x}{:03x}", beyond + MIDDLE)
}

fn number(digits: &str) -> Option<Scalar> {
    let ordered = u64::from_str_radix(digits.get(..16)?, 16).ok()?;
    let beyond = i128::from_str_radix(digits.get(16..)?, 16).ok()? - MIDDLE;
    let bits = if ordered & SIGN == 0 {
        !ordered
    } else {
        ordered ^ SIGN
    };
    let real = f64::from_bits(bits);
    let whole = (real.fract() == 0.0 && real.abs() <= SIGN as f64)
        .then(|| i64::try_from(real as i128 + beyond).ok())
        .flatten();
    Some(whole.map_or(Scalar::Real(real), Scalar::Int))
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
            Scalar::Int(-1),
            Scalar::Real(-0.5),
            Scalar::Int(0),
            Scalar::Real(5e-324),
            Scalar::Real(0.1),
            Scalar::Int(1),
            Scalar::Int(9_007_199_254_740_992),
            Scalar::Int(9_007_199_254_740_993),
            Scalar::Int(9_007_199_254_740_995),
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
        assert_eq!(of(&Scalar::Null), None);
    }
}
