//! Dates and times on their way to the server and back.
//!
//! The server keeps neither zones nor years before 0. A moment is kept in UTC, in a `datetime` with milliseconds, which
//! tells it from a day and time without zone.

use std::borrow::Cow;

/// The earliest day that the server knows.
const EARLIEST: &str = "0000-01-01";

/// A canonical text as the server reads it. What is earlier than its calendar becomes the first of its days, which is as
/// good in a comparison.
pub(super) fn reachable(text: &str) -> Cow<'_, str> {
    let bare = text.strip_suffix('Z').unwrap_or(text);
    if bare.starts_with('-') {
        return Cow::Borrowed(EARLIEST);
    }
    Cow::Borrowed(bare)
}

/// `YYYY-MM-DD`.
pub(super) fn date(year: u16, month: u8, day: u8) -> String {
    format!("{year:04}-{month:02}-{day:02}")
}

/// `HH:MM:SS`, with the digits behind the second that are needed.
pub(super) fn time(hours: u32, minutes: u8, seconds: u8, micros: u32) -> String {
    format!("{hours:02}:{minutes:02}:{seconds:02}{}", fraction(micros))
}

/// A day and a time without zone, from the parts that the server sends.
pub(super) fn date_time(day: (u16, u8, u8), (hours, minutes, seconds, micros): (u8, u8, u8, u32)) -> String {
    let (year, month, of_month) = day;
    format!(
        "{}T{}",
        date(year, month, of_month),
        time(hours.into(), minutes, seconds, micros)
    )
}

/// A moment in UTC: always with milliseconds, and with microseconds where other programs keep them.
pub(super) fn timestamp(day: (u16, u8, u8), (hours, minutes, seconds, micros): (u8, u8, u8, u32)) -> String {
    let (year, month, of_month) = day;
    let whole = format!(
        "{}T{hours:02}:{minutes:02}:{seconds:02}",
        date(year, month, of_month)
    );
    if micros.is_multiple_of(1_000) {
        format!("{whole}.{:03}Z", micros / 1_000)
    } else {
        format!("{whole}.{micros:06}Z")
    }
}

fn fraction(micros: u32) -> String {
    if micros == 0 {
        return String::new();
    }
    format!(".{micros:06}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_canonical() {
        assert_eq!(date(26, 1, 3), "0026-01-03");
        assert_eq!(time(13, 45, 0, 250_000), "13:45:00.25");
        assert_eq!(time(0, 0, 0, 0), "00:00:00");
        assert_eq!(
            date_time((2026, 1, 31), (1, 2, 3, 4)),
            "2026-01-31T01:02:03.000004"
        );
        assert_eq!(timestamp((2026, 1, 31), (1, 2, 3, 0)), "2026-01-31T01:02:03.000Z");
        assert_eq!(
            timestamp((2026, 1, 31), (1, 2, 3, 4)),
            "2026-01-31T01:02:03.000004Z"
        );
    }

    #[test]
    fn texts_are_as_the_server_reads_them() {
        assert_eq!(reachable("2026-01-31T01:02:03.004Z"), "2026-01-31T01:02:03.004");
        assert_eq!(reachable("-000001-01-31"), "0000-01-01");
        assert_eq!(reachable("13:45:00"), "13:45:00");
    }
}
