//! Dates and times as PostgreSQL counts them, in their canonical text: days and microseconds since 1 January 2000.

use std::borrow::Cow;

/// 2000-01-01 in days since 1970-01-01.
const EPOCH: i64 = 10_957;
const MICROS_OF_A_DAY: i64 = 86_400_000_000;

/// `YYYY-MM-DD`.
pub(super) fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        days => day(i64::from(days)),
    }
}

/// `HH:MM:SS[.ffffff]`, without needless zeros.
pub(super) fn time(micros: i64) -> String {
    clock(micros, Fraction::AsNeeded)
}

/// `YYYY-MM-DDTHH:MM:SS[.ffffff]`.
pub(super) fn date_time(micros: i64) -> String {
    moment(micros, Fraction::AsNeeded)
}

/// `YYYY-MM-DDTHH:MM:SS.fffZ`; with six digits where other programs kept microseconds.
pub(super) fn timestamp(micros: i64) -> String {
    let mut text = moment(micros, Fraction::Millis);
    if text.contains('T') {
        text.push('Z');
    }
    text
}

/// How the part of a second is written.
#[derive(Clone, Copy)]
enum Fraction {
    AsNeeded,
    /// Three digits, or six.
    Millis,
}

fn moment(micros: i64, fraction: Fraction) -> String {
    match micros {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        micros => format!(
            "{}T{}",
            day(micros.div_euclid(MICROS_OF_A_DAY)),
            clock(micros.rem_euclid(MICROS_OF_A_DAY), fraction)
        ),
    }
}

fn clock(micros: i64, fraction: Fraction) -> String {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let mut text = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    );
    match fraction {
        Fraction::AsNeeded if micros == 0 => {}
        Fraction::AsNeeded => {
            text.push_str(format!(".{micros:06}").trim_end_matches('0'));
        }
        Fraction::Millis if micros % 1_000 == 0 => text.push_str(&format!(".{:03}", micros / 1_000)),
        Fraction::Millis => text.push_str(&format!(".{micros:06}")),
    }
    text
}

/// A day of the proleptic Gregorian calendar, by counting from 1 March of year 0 in periods of 400 years.
fn day(since_2000: i64) -> String {
    let days = since_2000 + EPOCH + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if (0..=9_999).contains(&year) {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:+07}-{month:02}-{day:02}")
    }
}

/// A canonical text as PostgreSQL reads it, which counts the years before 1 as those before Christ.
pub(super) fn with_era(text: &str) -> Cow<'_, str> {
    let (year, rest) = match text.strip_prefix('-') {
        Some(positive) if positive.len() > 6 && positive.is_char_boundary(6) => {
            let (year, rest) = positive.split_at(6);
            (year.parse::<i64>().ok(), rest)
        }
        None if text.starts_with("0000-") => (Some(0), &text[4..]),
        _ => (None, text),
    };
    match year {
        Some(before) => Cow::Owned(format!("{:04}{rest} BC", before + 1)),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let check = |days: i32, expect: &str| assert_eq!(date(days), expect);
        check(0, "2000-01-01");
        check(59, "2000-02-29");
        check(-1, "1999-12-31");
        check(9_891, "2027-01-30");
        check(-730_119, "0001-01-01");
        check(-730_120, "0000-12-31");
        check(-730_486, "-000001-12-31");
        check(2_921_939, "9999-12-31");
        check(2_921_940, "+010000-01-01");
        check(i32::MAX, "infinity");
        for days in (-3_000_000..2_900_000).step_by(997) {
            let expect = jiff::civil::date(2000, 1, 1) + jiff::Span::new().days(i64::from(days));
            assert_eq!(date(days), expect.to_string());
        }
    }

    #[test]
    fn times_have_the_digits_they_need() {
        assert_eq!(time(0), "00:00:00");
        assert_eq!(time(49_500_250_000), "13:45:00.25");
        assert_eq!(time(MICROS_OF_A_DAY), "24:00:00");
        assert_eq!(date_time(-1), "1999-12-31T23:59:59.999999");
        assert_eq!(date_time(0), "2000-01-01T00:00:00");
        assert_eq!(timestamp(123_000), "2000-01-01T00:00:00.123Z");
        assert_eq!(timestamp(123_456), "2000-01-01T00:00:00.123456Z");
        assert_eq!(timestamp(i64::MIN), "-infinity");
    }

    #[test]
    fn years_before_the_first_are_written_with_their_era() {
        assert_eq!(with_era("2026-01-31"), "2026-01-31");
        assert_eq!(with_era("0000-12-31"), "0001-12-31 BC");
        assert_eq!(with_era("-000001-02-03T04:05:06"), "0002-02-03T04:05:06 BC");
        assert_eq!(with_era("-x"), "-x");
    }
}
