//! Variables: `$NOW`, `$NOW(-1 day)`, `$CURRENT_USER`, `$CURRENT_ROLE`, `$CURRENT_ROLES`, `$CURRENT_POLICIES`.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use loggia_model::Problem;
use loggia_model::field_types::calendar::timestamp;
use loggia_model::operator::{Argument, Operator, Row};
use serde_json::{Map, Value};

use super::facts::Fact;
use super::{Resolver, invalid};

impl Resolver<'_> {
    /// What a variable stands for (null: nothing); `None`: the text is not a variable but a value.
    pub(super) fn variable(&self, text: &str) -> Result<Option<Value>, Problem> {
        let claims = self.grants.caller().claims();
        Ok(Some(match text {
            "$NOW" => timestamp(self.now).into(),
            "$CURRENT_USER" => claims.user.clone().into(),
            "$CURRENT_ROLE" => claims.role.clone().into(),
            "$CURRENT_ROLES" | "$CURRENT_POLICIES" => {
                return Err(a_list(text));
            }
            _ if self.fact(text).is_some() => match self.fact(text) {
                Some(Fact::One(value)) => value.clone(),
                Some(Fact::Many(_)) => return Err(a_list(text)),
                _ => return Err(invalid(format!("What `{text}` stands for cannot be read."))),
            },
            _ => match text.strip_prefix("$NOW(").and_then(|rest| rest.strip_suffix(')')) {
                Some(adjustment) => timestamp(adjusted(self.now, adjustment)?).into(),
                None if text.starts_with("$CURRENT_") => {
                    let known = "$CURRENT_USER, $CURRENT_ROLE, $CURRENT_ROLES, $CURRENT_POLICIES";
                    return Err(invalid(format!("There is no variable `{text}`."))
                        .hint(format!("Variables: $NOW, $NOW(-1 day), {known}.")));
                }
                None => return Ok(None),
            },
        }))
    }

    /// What a path from the caller's user leads to.
    fn fact(&self, text: &str) -> Option<&Fact> {
        self.facts?.of_variable(text)
    }

    /// What a variable stands for, be it one value or a list.
    fn stands_for(&self, text: &str) -> Option<Value> {
        match self.fact(text) {
            Some(Fact::One(value)) => Some(value.clone()),
            Some(Fact::Many(values)) => Some(Value::Array(values.clone())),
            Some(Fact::Unreadable) => None,
            None => match self.list_variable(text) {
                Some(values) => Some(Value::Array(values)),
                None => self.variable(text).ok().flatten(),
            },
        }
    }

    /// What a variable that stands for several values stands for.
    pub(super) fn list_variable(&self, text: &str) -> Option<Vec<Value>> {
        if let Some(fact) = self.fact(text) {
            return match fact {
                Fact::Many(values) => Some(values.clone()),
                Fact::One(_) | Fact::Unreadable => None,
            };
        }
        let claims = self.grants.caller().claims();
        let keys = match text {
            "$CURRENT_ROLES" => &claims.roles,
            "$CURRENT_POLICIES" => &claims.policies,
            _ => return None,
        };
        Some(keys.iter().map(|key| Value::from(key.as_str())).collect())
    }
}

fn a_list(text: &str) -> Problem {
    invalid(format!("`{text}` stands for a list.")).hint("Use it with _in or _nin.")
}

/// A value with its variables replaced by what they stand for now; what cannot be replaced stays.
pub(crate) fn substituted(on: &Resolver<'_>, value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('$') => on.stands_for(text).unwrap_or_else(|| value.clone()),
        Value::Array(entries) => entries.iter().map(|entry| substituted(on, entry)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| (name.clone(), substituted(on, value)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// A rule on values that are written, in the same way. Against a variable that stands for nothing no test is passed,
/// neither that of what a value must be nor that of what it must not be.
pub(crate) fn substituted_rule(on: &Resolver<'_>, rule: &Value) -> Value {
    let Some(members) = rule.as_object() else {
        return rule.clone();
    };
    let members = members.iter().map(|(name, value)| {
        let value = match (name.as_str(), value) {
            ("_and" | "$and" | "_or" | "$or", Value::Array(rules)) => {
                rules.iter().map(|rule| substituted_rule(on, rule)).collect()
            }
            (_, tests) => substituted_tests(on, tests),
        };
        (name.clone(), value)
    });
    Value::Object(members.collect())
}

/// What stands behind a field: tests, conditions on what it leads to, or a value.
fn substituted_tests(on: &Resolver<'_>, tests: &Value) -> Value {
    const NONE_OF_NOTHING: &str = "_in";
    let Some(members) = tests.as_object() else {
        return match substituted(on, tests) {
            Value::Null if !tests.is_null() => serde_json::json!({ NONE_OF_NOTHING: [] }),
            value => value,
        };
    };
    let mut replaced = Map::new();
    let mut nothing = false;
    for (name, argument) in members {
        match Operator::parse(name) {
            Some(row) => match substituted_argument(on, row, argument) {
                Some(argument) => {
                    replaced.insert(name.clone(), argument);
                }
                None => nothing = true,
            },
            None => {
                replaced.insert(name.clone(), substituted_tests(on, argument));
            }
        }
    }
    if nothing {
        replaced.insert(NONE_OF_NOTHING.to_owned(), Value::Array(Vec::new()));
    }
    Value::Object(replaced)
}

/// `None`: a variable in it stands for nothing, and the test needs it.
fn substituted_argument(on: &Resolver<'_>, row: &Row, argument: &Value) -> Option<Value> {
    let entries = match (row.argument, argument) {
        (Argument::List | Argument::Range, Value::String(text)) if text.contains('$') => {
            text.split(',').map(|entry| Value::from(entry.trim())).collect()
        }
        (Argument::List | Argument::Range, Value::Array(entries)) => entries.clone(),
        _ => {
            let replaced = substituted(on, argument);
            return (!replaced.is_null() || argument.is_null()).then_some(replaced);
        }
    };
    let mut replaced = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(values) = entry.as_str().and_then(|text| on.list_variable(text)) {
            replaced.extend(values);
            continue;
        }
        match substituted(on, &entry) {
            // One of several that a value may be is not there; the others are.
            Value::Null if !entry.is_null() && row.operator == Operator::In => {}
            Value::Null if !entry.is_null() => return None,
            value => replaced.push(value),
        }
    }
    Some(Value::Array(replaced))
}

/// A moment moved by `-1 day`, `+2 months`, `1y`.
fn adjusted(now: Timestamp, adjustment: &str) -> Result<Timestamp, Problem> {
    let wrong = || {
        invalid(format!("`$NOW({adjustment})` is no moment."))
            .hint("Write a whole number and a unit: $NOW(-1 day), $NOW(+2 hours), $NOW(-3 months).")
    };
    let text = adjustment.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ' '));
    let number: String = text[..text.len() - unit.len()]
        .chars()
        .filter(|c| *c != ' ')
        .collect();
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let span = Span::new();
    let span = match unit.trim().to_ascii_lowercase().as_str() {
        "y" | "yr" | "yrs" | "year" | "years" => span.try_years(number),
        "month" | "months" | "mth" | "mths" | "mo" => span.try_months(number),
        "w" | "week" | "weeks" => span.try_weeks(number),
        "d" | "day" | "days" => span.try_days(number),
        "h" | "hr" | "hrs" | "hour" | "hours" => span.try_hours(number),
        "m" | "min" | "mins" | "minute" | "minutes" => span.try_minutes(number),
        "s" | "sec" | "secs" | "second" | "seconds" => span.try_seconds(number),
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => span.try_milliseconds(number),
        _ => return Err(wrong()),
    };
    let moved = span.and_then(|span| now.to_zoned(TimeZone::UTC).checked_add(span));
    moved.map(|moment| moment.timestamp()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_moved_by_calendar_units() {
        let now: Timestamp = "2026-03-31T12:00:00Z".parse().unwrap();
        let check = |adjustment: &str, expect: &str| {
            let got = adjusted(now, adjustment).map_or_else(|_| "refused".to_owned(), timestamp);
            assert_eq!(got, expect, "{adjustment}");
        };
        check("-1 day", "2026-03-30T12:00:00.000Z");
        check("+1 month", "2026-04-30T12:00:00.000Z");
        check("- 2 years", "2024-03-31T12:00:00.000Z");
        check("90m", "2026-03-31T13:30:00.000Z");
        check("1 fortnight", "refused");
        check("day", "refused");
        check("99999999999999 years", "refused");
        check("", "refused");
    }
}
