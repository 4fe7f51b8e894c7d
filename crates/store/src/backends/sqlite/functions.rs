//! Functions and the collation that statements need and SQLite lacks. They never appear in a file's schema.
//!
//! To add a function: a row in [`register`], and its case in `tests/it`.

use std::borrow::Cow;

use jiff::civil;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};
use serde_json::Value as Json;

use super::decimal::{self, Sum};
use crate::folding::fold;
use crate::geometry::Shape;

/// Whether a text has a piece at a place.
type Matches = fn(&str, &str) -> bool;

/// Whether two shapes meet.
type Meets = fn(&Shape, &Shape) -> bool;

/// Makes all of them known to a connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_collation(c"loggia_decimal", decimal::compare)?;
    let pieces: [(_, Matches); 6] = [
        (c"loggia_starts", |text, piece| text.starts_with(piece)),
        (c"loggia_ends", |text, piece| text.ends_with(piece)),
        (c"loggia_contains_folded", |text, piece| {
            fold(text).contains(&*fold(piece))
        }),
        (c"loggia_starts_folded", |text, piece| {
            fold(text).starts_with(&*fold(piece))
        }),
        (c"loggia_ends_folded", |text, piece| {
            fold(text).ends_with(&*fold(piece))
        }),
        (c"loggia_same_folded", |text, piece| fold(text) == fold(piece)),
    ];
    for (name, matches) in pieces {
        connection.create_scalar_function(name, 2, flags, move |context| {
            let (text, piece) = (text_of(context.get_raw(0)), text_of(context.get_raw(1)));
            Ok(text.zip(piece).map(|(text, piece)| matches(&text, &piece)))
        })?;
    }
    connection.create_scalar_function(c"loggia_part", 2, flags, |context| {
        let name = text_of(context.get_raw(0)).unwrap_or_default();
        Ok(part(&name, context.get_raw(1)))
    })?;
    connection.create_scalar_function(c"loggia_entries", 1, flags, |context| {
        let entries = match text_of(context.get_raw(0)).map(|text| serde_json::from_str(&text)) {
            Some(Ok(Json::Array(entries))) => Some(entries.len() as i64),
            _ => None,
        };
        Ok(entries)
    })?;
    connection.create_scalar_function(c"loggia_json", 2, flags, |context| {
        let (text, path) = (text_of(context.get_raw(0)), text_of(context.get_raw(1)));
        Ok(text
            .zip(path)
            .map_or(Value::Null, |(text, path)| json_value(&text, &path)))
    })?;
    let shapes: [(_, Meets); 2] = [
        (c"loggia_shapes_meet", Shape::meets),
        (c"loggia_boxes_meet", Shape::bounds_meet),
    ];
    for (name, meets) in shapes {
        connection.create_scalar_function(name, 2, flags, move |context| {
            // The second is the same for every row, and is read once.
            let other = context.get_or_create_aux(1, |value| Ok::<_, rusqlite::Error>(shape_of(value)))?;
            let shape = shape_of(context.get_raw(0));
            Ok(shape
                .zip(other.as_ref().as_ref())
                .map(|(shape, other)| meets(&shape, other)))
        })?;
    }
    connection.create_aggregate_function(c"loggia_sum", 1, flags, Exact { mean: false })?;
    connection.create_aggregate_function(c"loggia_avg", 1, flags, Exact { mean: true })
}

/// A value as text: numbers as they are written, bytes not at all.
fn text_of(value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    match value {
        ValueRef::Text(text) => Some(String::from_utf8_lossy(text)),
        ValueRef::Integer(number) => Some(number.to_string().into()),
        ValueRef::Real(number) => Some(number.to_string().into()),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// A value as a shape; whatever is none is like NULL, so that no test of it holds.
fn shape_of(value: ValueRef<'_>) -> Option<Shape> {
    Shape::parse(&text_of(value)?)
}

/// A part of a date or time in UTC: of our own text, of other programs' (`2026-01-31 13:45:00`), and of milliseconds
/// since 1970, as some keep it.
fn part(name: &str, value: ValueRef<'_>) -> Option<i64> {
    let moment = match value {
        ValueRef::Integer(millis) => civil_of(jiff::Timestamp::from_millisecond(millis).ok()?),
        ValueRef::Text(text) => parse_moment(std::str::from_utf8(text).ok()?)?,
        _ => return None,
    };
    match (name, moment) {
        ("year", (Some(date), _)) => Some(date.year().into()),
        ("month", (Some(date), _)) => Some(date.month().into()),
        ("week", (Some(date), _)) => Some(date.iso_week_date().week().into()),
        ("day", (Some(date), _)) => Some(date.day().into()),
        ("weekday", (Some(date), _)) => Some(date.weekday().to_sunday_zero_offset().into()),
        ("hour", (_, Some(time))) => Some(time.hour().into()),
        ("minute", (_, Some(time))) => Some(time.minute().into()),
        ("second", (_, Some(time))) => Some(time.second().into()),
        _ => None,
    }
}

/// A day and a time of day, as far as there are any.
type Moment = (Option<civil::Date>, Option<civil::Time>);

fn civil_of(moment: jiff::Timestamp) -> Moment {
    let civil = moment.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    (Some(civil.date()), Some(civil.time()))
}

fn parse_moment(text: &str) -> Option<Moment> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(civil_of(moment));
    }
    // A date alone must not be read as midnight.
    if text.len() > 10
        && let Ok(civil) = text.parse::<civil::DateTime>()
    {
        return Some((Some(civil.date()), Some(civil.time())));
    }
    if let Ok(date) = text.parse::<civil::Date>() {
        return Some((Some(date), None));
    }
    text.parse::<civil::Time>().ok().map(|time| (None, Some(time)))
}

/// The value at a path (a JSON array of keys and positions) inside JSON: text as text, numbers and truth values as
/// numbers, objects and arrays as JSON.
fn json_value(text: &str, path: &str) -> Value {
    let found = (|| {
        let mut value: Json = serde_json::from_str(text).ok()?;
        let path: Vec<String> = serde_json::from_str(path).ok()?;
        for step in path {
            value = match value {
                Json::Object(mut members) => members.swap_remove(&step)?,
                Json::Array(mut entries) => {
                    let position = step
                        .parse::<usize>()
                        .ok()
                        .filter(|position| *position < entries.len())?;
                    entries.swap_remove(position)
                }
                _ => return None,
            };
        }
        Some(value)
    })();
    match found {
        None | Some(Json::Null) => Value::Null,
        Some(Json::Bool(truth)) => Value::Integer(truth.into()),
        // Not every database can take this character out of JSON.
        Some(Json::String(text)) if text.contains('\0') => Value::Text(text.replace('\0', "\u{fffd}")),
        Some(Json::String(text)) => Value::Text(text),
        Some(Json::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            // There is one zero.
            (None, Some(real)) => Value::Real(real + 0.0),
            (None, None) => Value::Text(number.to_string()),
        },
        Some(nested) => Value::Text(nested.to_string()),
    }
}

/// Sums and means of whole and decimal numbers, without rounding.
struct Exact {
    mean: bool,
}

impl Aggregate<Sum, Value> for Exact {
    fn init(&self, _: &mut Context<'_>) -> Result<Sum> {
        Ok(Sum::default())
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Sum) -> Result<()> {
        match context.get_raw(0) {
            ValueRef::Integer(number) => sum.add_whole(number),
            // As the decimal that it is written as; a large one is whole, and is taken exactly.
            ValueRef::Real(number) if number.abs() >= 1e15 => sum.add_text(&format!("{number:.0}")),
            other => {
                if let Some(text) = text_of(other) {
                    sum.add_text(&text);
                }
            }
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Sum>) -> Result<Value> {
        let Some(sum) = sum else { return Ok(Value::Null) };
        let figure = if self.mean { sum.mean() } else { sum.total() };
        Ok(figure.map_or(Value::Null, Value::Text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_cannot_be_read_meet_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let check = |name: &str, shape: Option<&str>, other: &str, expect: Option<bool>| {
            let answer: Option<bool> = connection
                .query_row(&format!("SELECT {name}(?1, ?2)"), (shape, other), |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!(answer, expect, "{name} {shape:?} {other}");
        };
        let line = r#"{"type":"LineString","coordinates":[[0,0],[2,2]]}"#;
        let point = r#"{"type":"Point","coordinates":[0,1]}"#;
        check("loggia_shapes_meet", Some(line), line, Some(true));
        check("loggia_shapes_meet", Some(line), point, Some(false));
        check("loggia_boxes_meet", Some(line), point, Some(true));
        for name in ["loggia_shapes_meet", "loggia_boxes_meet"] {
            check(name, None, point, None);
            check(name, Some("POINT(0 1)"), point, None);
            check(name, Some(point), "", None);
        }
    }

    #[test]
    fn parts_of_dates_and_times() {
        let check = |name: &str, text: &str, expect: Option<i64>| {
            assert_eq!(
                part(name, ValueRef::Text(text.as_bytes())),
                expect,
                "{name} {text}"
            );
        };
        check("year", "2026-02-03T04:05:06.789Z", Some(2026));
        check("month", "2026-02-03", Some(2));
        check("week", "2027-01-01", Some(53));
        check("weekday", "2026-11-22", Some(0));
        check("hour", "2026-02-03 04:05:06", Some(4));
        check("hour", "2026-02-03", None);
        check("second", "04:05:06", Some(6));
        check("year", "04:05:06", None);
        check("year", "soon", None);
        assert_eq!(part("year", ValueRef::Integer(0)), Some(1970));
    }

    #[test]
    fn values_inside_json() {
        let check = |text: &str, path: &str, expect: Value| {
            assert_eq!(json_value(text, path), expect, "{text} {path}")
        };
        check(
            r#"{"a":{"b":[1,"x",true]}}"#,
            r#"["a","b","1"]"#,
            Value::Text("x".into()),
        );
        check(
            r#"{"a":{"b":[1,"x",true]}}"#,
            r#"["a","b","2"]"#,
            Value::Integer(1),
        );
        check(r#"{"0":1.5}"#, r#"["0"]"#, Value::Real(1.5));
        check(r#"{"a\"b":1}"#, r#"["a\"b"]"#, Value::Integer(1));
        check(r#"{"a":[1]}"#, r#"["a"]"#, Value::Text("[1]".into()));
        check("not json", r#"["a"]"#, Value::Null);
        check(r#"{"a":1}"#, r#"["b"]"#, Value::Null);
    }
}
