//! Decimals in plain notation, compared and added by value, exactly.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::num::NonZeroU64;
use std::str::FromStr as _;

use bigdecimal::{BigDecimal, RoundingMode};

/// More digits than a mean is worth being told with (as IEEE 754 decimal128).
const DIGITS_OF_A_MEAN: NonZeroU64 = NonZeroU64::new(34).unwrap();

/// Orders two texts by the numbers that they write; what is no number comes last, in the order of its bytes.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left_plain, right_plain) = (plain(left), plain(right));
    match (Parts::of(&left_plain), Parts::of(&right_plain)) {
        (Some(left), Some(right)) => left.compare(&right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => left.cmp(right),
    }
}

/// Without an exponent, which only other programs write.
fn plain(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if text.contains(['e', 'E'])
        && let Ok(number) = BigDecimal::from_str(text)
        && number.fractional_digit_count().unsigned_abs() < 1_000
    {
        return Cow::Owned(number.to_plain_string());
    }
    Cow::Borrowed(text)
}

/// A number in digits: without leading and trailing zeros, so that equal numbers have equal parts.
struct Parts<'t> {
    negative: bool,
    whole: &'t str,
    fraction: &'t str,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        Some(Self {
            negative: negative && !(whole.is_empty() && fraction.is_empty()),
            whole,
            fraction,
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let size = || {
            self.whole
                .len()
                .cmp(&other.whole.len())
                .then_with(|| self.whole.cmp(other.whole))
                .then_with(|| self.fraction.cmp(other.fraction))
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(),
            (true, true) => size().reverse(),
        }
    }
}

/// A sum that never rounds.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// While whole numbers are added and it fits.
    whole: i128,
    rest: Option<BigDecimal>,
    count: u64,
}

impl Sum {
    pub(super) fn add_whole(&mut self, number: i64) {
        self.count += 1;
        // 2⁶⁴ rows of 2⁶³ fit.
        self.whole += i128::from(number);
    }

    /// Adds what a text writes; what is no number counts as nothing.
    pub(super) fn add_text(&mut self, text: &str) {
        let Ok(number) = BigDecimal::from_str(&plain(text)) else {
            return;
        };
        if number.fractional_digit_count().unsigned_abs() > 1_000 {
            return;
        }
        self.count += 1;
        self.rest = Some(match self.rest.take() {
            Some(rest) => rest + number,
            None => number,
        });
    }

    /// In plain notation; `None` when nothing was added.
    pub(super) fn total(&self) -> Option<String> {
        match &self.rest {
            _ if self.count == 0 => None,
            None => Some(self.whole.to_string()),
            Some(rest) => Some((rest + BigDecimal::from(self.whole)).to_plain_string()),
        }
    }

    /// `None` when nothing was added.
    pub(super) fn mean(&self) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let total = self.rest.clone().unwrap_or_default() + BigDecimal::from(self.whole);
        // Half away from zero, as databases round.
        let mean = (total / BigDecimal::from(self.count))
            .with_precision_round(DIGITS_OF_A_MEAN, RoundingMode::HalfUp);
        Some(mean.normalized().to_plain_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_compare_by_value() {
        let check = |left: &str, right: &str, expect: Ordering| {
            assert_eq!(compare(left, right), expect, "{left} {right}");
            assert_eq!(compare(right, left), expect.reverse(), "{right} {left}");
        };
        check("1.0", "1.00", Ordering::Equal);
        check("0", "-0.00", Ordering::Equal);
        check("007", "7", Ordering::Equal);
        check("9", "10", Ordering::Less);
        check("1.09", "1.1", Ordering::Less);
        check("1.1", "1.10000000000000000001", Ordering::Less);
        check("-9", "-10", Ordering::Greater);
        check("-1", "1", Ordering::Less);
        check("-0.5", "-0.25", Ordering::Less);
        check("1e3", "1000", Ordering::Equal);
        check(
            "12345678901234567890.5",
            "12345678901234567890.4",
            Ordering::Greater,
        );
        check("5", "abc", Ordering::Less);
        check("abc", "abd", Ordering::Less);
        check(".5", "0.5", Ordering::Equal);
    }

    #[test]
    fn sums_are_exact() {
        let mut sum = Sum::default();
        assert_eq!((sum.total(), sum.mean()), (None, None));
        for text in ["0.1", "0.2", "19.90"] {
            sum.add_text(text);
        }
        assert_eq!(sum.total(), Some("20.20".to_owned()));
        assert_eq!(sum.mean().as_deref(), Some("6.733333333333333333333333333333333"));
        for (sign, digits) in [
            ("", "0.1666666666666666666666666666666667"),
            ("-", "-0.1666666666666666666666666666666667"),
        ] {
            let mut sum = Sum::default();
            for text in ["0.5", "0", "0"] {
                sum.add_text(&format!("{sign}{text}"));
            }
            assert_eq!(sum.mean().as_deref(), Some(digits));
        }
        let mut whole = Sum::default();
        whole.add_whole(i64::MAX);
        assert_eq!(whole.total(), Some(i64::MAX.to_string()));
        whole.add_whole(1);
        assert_eq!(whole.total(), Some("9223372036854775808".to_owned()));
    }
}
