//! Variables: `$NOW`, `$NOW(-1 day)`, `$CURRENT_USER`, `$CURRENT_ROLE`, `$CURRENT_ROLES`, `$CURRENT_POLICIES`.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use loggia_model::Problem;
use loggia_model::field_types::calendar::timestamp;
use loggia_model::operator::{Argument, Operator};
use serde_json::Value;

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
                _ => return Err(a_list(text)),
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
            None => match self.list_variable(text) {
                Some(values) => Some(Value::Array(values)),
                None => self.variable(text).ok().flatten(),
            },
        }
    }

    /// What a variable that stands for several values stands for.
    pub(super) fn list_variable(&self, text: &str) -> Option<Vec<Value>> {
        if let Some(fact) = self.fact(text) {
            return Some(match fact {
                Fact::Many(values) => values.clone(),
                Fact::One(Value::Null) => Vec::new(),
                Fact::One(value) => vec![value.clone()],
            });
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

/// A rule with its variables replaced by what they stand for now; what cannot be replaced stays.
pub(crate) fn substituted(on: &Resolver<'_>, rule: &Value) -> Value {
    match rule {
        Value::String(text) if text.starts_with('$') => on.stands_for(text).unwrap_or_else(|| rule.clone()),
        Value::Array(entries) => spread(on, entries.iter().cloned()),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let takes_list = Operator::parse(name)
                    .is_some_and(|row| matches!(row.argument, Argument::List | Argument::Range));
                let value = match value {
                    Value::String(text) if takes_list && text.contains('$') => {
                        spread(on, text.split(',').map(|entry| Value::from(entry.trim())))
                    }
                    value => substituted(on, value),
                };
                (name.clone(), value)
            });
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// A list with its variables replaced; those that stand for lists are spread out.
fn spread(on: &Resolver<'_>, entries: impl Iterator<Item = Value>) -> Value {
    let entries = entries.flat_map(|entry| {
        let values = entry.as_str().and_then(|text| on.list_variable(text));
        values.unwrap_or_else(|| vec![substituted(on, &entry)])
    });
    entries.collect()
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
