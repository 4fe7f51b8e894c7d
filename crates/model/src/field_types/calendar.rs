//! Dates and times (ISO 8601 as profiled by RFC 3339).

use jiff::civil::{self, DateTimeRound, TimeRound};
use jiff::tz::TimeZone;
use jiff::{RoundMode, Unit};
use serde_json::Value;

use super::{FieldType, mismatch};
use crate::schema::Column;
use crate::{Problem, Scalar, StorageKind};

/// `date`: a day.
#[derive(Debug)]
pub(super) struct Date;

/// What of a second is kept without a zone: as much as every database does.
const KEPT: Unit = Unit::Microsecond;

/// `time`: a time of day, no zone.
#[derive(Debug)]
pub(super) struct Time;

/// `dateTime`: a day and a time, no zone.
#[derive(Debug)]
pub(super) struct DateTime;

/// `timestamp`: a moment, kept in UTC with milliseconds.
#[derive(Debug)]
pub(super) struct Timestamp;

macro_rules! calendar_type {
    ($type:ident, $name:literal, $summary:literal, $parse:expr) => {
        impl FieldType for $type {
            fn name(&self) -> &'static str {
                $name
            }
            fn summary(&self) -> &'static str {
                $summary
            }
            fn storage(&self) -> Option<StorageKind> {
                Some(StorageKind::$type)
            }
            fn parse(&self, value: &Value, _: &Column) -> Result<Scalar, Problem> {
                let parse: fn(&str) -> Option<String> = $parse;
                value
                    .as_str()
                    .filter(|text| !is_leap_second(text))
                    .and_then(parse)
                    .map(Scalar::Text)
                    .ok_or_else(|| mismatch(self, value))
            }
            fn print(&self, scalar: Scalar) -> Value {
                print(scalar)
            }
            fn interface(&self) -> &'static str {
                "datetime"
            }
        }
    };
}

calendar_type!(Date, "date", "a date such as 2026-01-31", |text| {
    Some(civil_of(text)?.date().to_string())
});
calendar_type!(Time, "time", "a time of day such as 13:45:00", |text| {
    let time: civil::Time = text.parse().ok()?;
    let kept = TimeRound::new().smallest(KEPT).mode(RoundMode::Trunc);
    Some(time.round(kept).ok()?.to_string())
});
calendar_type!(
    DateTime,
    "dateTime",
    "a date and time without zone such as 2026-01-31T13:45:00",
    |text| {
        let kept = DateTimeRound::new().smallest(KEPT).mode(RoundMode::Trunc);
        Some(civil_of(text)?.round(kept).ok()?.to_string())
    }
);
calendar_type!(
    Timestamp,
    "timestamp",
    "a moment such as 2026-01-31T13:45:00.000Z",
    |text| {
        let moment = match text.parse::<jiff::Timestamp>() {
            Ok(moment) => moment,
            Err(_) => text
                .parse::<civil::DateTime>()
                .ok()?
                .to_zoned(TimeZone::UTC)
                .ok()?
                .timestamp(),
        };
        Some(timestamp(moment))
    }
);

/// The canonical text of a moment: UTC, milliseconds.
#[must_use]
pub fn timestamp(moment: jiff::Timestamp) -> String {
    format!("{moment:.3}")
}

/// A 61st second cannot be kept, and must not become the 60th silently.
fn is_leap_second(text: &str) -> bool {
    text.match_indices(":60").any(|(at, _)| {
        text[..at].matches(':').count() == 1 && !text[at + 3..].starts_with(|c: char| c.is_ascii_digit())
    })
}

/// With a zone: what a clock in UTC shows then; without: as it is written.
fn civil_of(text: &str) -> Option<civil::DateTime> {
    match text.parse::<jiff::Timestamp>() {
        Ok(moment) => Some(moment.to_zoned(TimeZone::UTC).datetime()),
        Err(_) => text.parse().ok(),
    }
}

/// A number is a moment in milliseconds since 1970, as other systems keep it in SQLite.
fn print(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Text(text) => text.into(),
        Scalar::Int(millis) => {
            jiff::Timestamp::from_millisecond(millis).map_or(Value::Null, |moment| timestamp(moment).into())
        }
        _ => Value::Null,
    }
}
