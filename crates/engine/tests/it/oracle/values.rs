//! Values: how they compare, and what is worked out of them.

use std::cmp::Ordering;

use jiff::civil;
use serde_json::Value;

use super::world::Ty;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Values of a field.
    Field(Ty),
    /// Numbers that a function gives.
    Number,
    /// What a JSON document holds somewhere.
    Json,
    /// Those of what is refused already: everything may be said of it.
    Refused,
}

/// The operators on text.
const TEXT: [&str; 14] = [
    "_ieq",
    "_nieq",
    "_contains",
    "_ncontains",
    "_icontains",
    "_nicontains",
    "_starts_with",
    "_nstarts_with",
    "_istarts_with",
    "_nistarts_with",
    "_ends_with",
    "_nends_with",
    "_iends_with",
    "_niends_with",
];

/// Whether an operator says something of such values.
pub(super) fn takes(kind: Kind, operator: &str) -> bool {
    if kind == Kind::Refused {
        return true;
    }
    let textual = matches!(kind, Kind::Json) || matches!(kind, Kind::Field(ty) if ty.is_textual());
    let json = kind == Kind::Field(Ty::Json);
    match operator {
        "_null" | "_nnull" => true,
        "_eq" | "_neq" | "_in" | "_nin" => !json,
        "_lt" | "_lte" | "_gt" | "_gte" | "_between" | "_nbetween" => {
            !json && kind != Kind::Field(Ty::Boolean)
        }
        "_empty" | "_nempty" => textual || json,
        _ => textual && TEXT.contains(&operator),
    }
}

/// The steps of `a.b[0]`.
pub(super) fn json_path(text: &str) -> Vec<String> {
    let steps = text.trim().split(['.', '[', ']']);
    steps.filter(|step| !step.is_empty()).map(str::to_owned).collect()
}

/// What JSON holds at a path.
pub(super) fn inside(value: &Value, path: &[String]) -> Value {
    path.iter()
        .try_fold(value, |value, step| match value {
            Value::Object(members) => members.get(step),
            Value::Array(entries) => entries.get(step.parse::<usize>().ok()?),
            _ => None,
        })
        .cloned()
        .unwrap_or_default()
}

/// A part of a date or a time, or the length of a JSON array.
pub(super) fn part(function: &str, value: &Value) -> Value {
    if function == "count" {
        return value
            .as_array()
            .map_or(Value::Null, |entries| entries.len().into());
    }
    let Some(text) = value.as_str() else {
        return Value::Null;
    };
    let text = text.trim_end_matches('Z');
    let date = text
        .split('T')
        .next()
        .and_then(|date| date.parse::<civil::Date>().ok());
    let time = text
        .rsplit('T')
        .next()
        .and_then(|time| time.parse::<civil::Time>().ok());
    let of_date = |part: fn(civil::Date) -> i64| date.map(part);
    let of_time = |part: fn(civil::Time) -> i64| time.map(part);
    let part = match function {
        "year" => of_date(|date| date.year().into()),
        "month" => of_date(|date| date.month().into()),
        "week" => of_date(|date| date.iso_week_date().week().into()),
        "day" => of_date(|date| date.day().into()),
        "weekday" => of_date(|date| date.weekday().to_sunday_zero_offset().into()),
        "hour" => of_time(|time| time.hour().into()),
        "minute" => of_time(|time| time.minute().into()),
        _ => of_time(|time| time.second().into()),
    };
    part.map_or(Value::Null, Value::from)
}

/// NULL, the empty text, and for JSON what is empty there.
pub(super) fn is_empty(value: &Value, kind: Kind) -> bool {
    let json = matches!(kind, Kind::Json | Kind::Field(Ty::Json));
    match value {
        Value::Null => true,
        // Inside JSON a text is a text; a whole document is the JSON of one.
        Value::String(text) if kind == Kind::Json => ["", "\"\"", "[]", "{}"].contains(&text.as_str()),
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => json && entries.is_empty(),
        Value::Object(members) => json && members.is_empty(),
        _ => false,
    }
}

/// How two values compare; `None`: one of them is NULL.
pub(super) fn compare(left: &Value, right: &Value, kind: Kind) -> Option<Ordering> {
    if left.is_null() || right.is_null() {
        return None;
    }
    match kind {
        Kind::Field(Ty::Date) => Some(day(left).cmp(&day(right))),
        Kind::Field(Ty::DateTime) => Some(civil(left).cmp(&civil(right))),
        Kind::Field(ty) if !ty.is_numeric() && ty != Ty::Boolean => Some(text(left).cmp(&text(right))),
        Kind::Field(Ty::BigInteger) => Some(whole(left)?.cmp(&whole(right)?)),
        Kind::Field(_) | Kind::Number | Kind::Refused => number(left)?.partial_cmp(&number(right)?),
        Kind::Json => {
            let numbers = (json_number(left), json_number(right));
            match numbers {
                (Some(left), Some(right)) => left.partial_cmp(&right),
                // Every number is before every text.
                (Some(_), None) => Some(Ordering::Less),
                (None, Some(_)) => Some(Ordering::Greater),
                (None, None) => Some(text(left).cmp(&text(right))),
            }
        }
    }
}

/// As `compare`, with NULL before everything.
pub(super) fn order(left: &Value, right: &Value, kind: Kind) -> Ordering {
    compare(left, right, kind).unwrap_or_else(|| right.is_null().cmp(&left.is_null()))
}

/// The day of a date or a moment.
fn day(value: &Value) -> String {
    text(value).chars().take(10).collect()
}

/// A date and a time without zone, of what may have one.
fn civil(value: &Value) -> String {
    let text = text(value);
    text.trim_end_matches('Z').trim_end_matches(".000").to_owned()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn whole(value: &Value) -> Option<i128> {
    text(value).parse().ok()
}

pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        value => text(value).parse().ok(),
    }
}

fn json_number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(_) | Value::Number(_) => number(value),
        _ => None,
    }
}

fn fold(text: &str) -> String {
    text.to_lowercase().to_uppercase().to_lowercase()
}

/// The operators on text.
pub(super) fn text_matches(tested: &Value, operator: &str, argument: &Value) -> bool {
    if tested.is_null() {
        return false;
    }
    let (tested, piece) = match tested {
        Value::Bool(truth) => (u8::from(*truth).to_string(), text(argument)),
        tested => (text(tested), text(argument)),
    };
    let name = operator.trim_start_matches('_');
    let (negated, name) = match name.strip_prefix('n') {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    let (tested, piece, name) = match name.strip_prefix('i') {
        Some(rest) => (fold(&tested), fold(&piece), rest),
        None => (tested, piece, name),
    };
    let found = match name {
        "contains" => tested.contains(&piece),
        "starts_with" => tested.starts_with(&piece),
        "ends_with" => tested.ends_with(&piece),
        _ => tested == piece,
    };
    found != negated
}

/// Whether a text stands somewhere in a value, or is that number.
pub(super) fn is_found(value: &Value, ty: Ty, sought: &str) -> Option<bool> {
    if ty.is_textual() {
        return Some(!value.is_null() && fold(&text(value)).contains(&fold(sought)));
    }
    let readable = match ty {
        Ty::Integer | Ty::BigInteger => sought.parse::<i64>().is_ok(),
        Ty::Decimal | Ty::Float => sought.parse::<f64>().is_ok(),
        Ty::Uuid => sought.len() == 36,
        _ => false,
    };
    let sought = Value::from(sought);
    readable.then(|| compare(value, &sought, Kind::Field(ty)) == Some(Ordering::Equal))
}
