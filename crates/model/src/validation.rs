//! Rules that written values must satisfy: the filter language, evaluated on a record in memory.
//!
//! A rule (`directus_fields.validation`, `directus_permissions.validation`) is a filter such as
//! `{"_and": [{"title": {"_regex": "^[A-Z]"}}]}`. Variables are replaced before it comes here. A field that is not
//! part of the record is not tested, unless the rule itself demands it (`_nnull`, `_nempty`, `_submitted`) of a whole
//! record. Regular expressions run in linear time and know no look-around.

use std::cmp::Ordering;

use bigdecimal::BigDecimal;
use serde_json::{Map, Value, json};

use crate::Record;
use crate::error::FAILED_VALIDATION;
use crate::operator::Operator;
use crate::{Operator as O, Problem};

/// Patterns are compiled to at most so many bytes.
const PATTERN_SIZE: usize = 1 << 20;

/// What of the record is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// A new item: what is missing has no value.
    Whole,
    /// A change: what is missing stays as it is.
    Part,
}

/// How a rule is meant.
#[derive(Clone, Copy)]
struct Meant {
    extent: Extent,
    /// Whether null passes a test of what a value must be, as what is missing does.
    null_passes: bool,
}

/// Everything in `record` that breaks `rule`, each with the field as its path, worded as the REST dialect does. No value
/// is as good as one that passes, unless the rule demands one.
#[must_use]
pub fn failures(rule: &Value, record: &Record, extent: Extent) -> Vec<Problem> {
    let meant = Meant {
        extent,
        null_passes: true,
    };
    of_rule(rule, record, meant)
}

/// The same for a rule that limits what may be written: null passes a test of what a value must be only where the test
/// names it.
#[must_use]
pub fn strict_failures(rule: &Value, record: &Record, extent: Extent) -> Vec<Problem> {
    let meant = Meant {
        extent,
        null_passes: false,
    };
    of_rule(rule, record, meant)
}

fn of_rule(rule: &Value, record: &Record, meant: Meant) -> Vec<Problem> {
    let Some(members) = rule.as_object() else {
        return Vec::new();
    };
    let each = members.iter().flat_map(|(name, value)| match name.as_str() {
        "_and" | "$and" => rules(value)
            .flat_map(|rule| of_rule(rule, record, meant))
            .collect(),
        "_or" | "$or" => {
            let branches: Vec<_> = rules(value).map(|rule| of_rule(rule, record, meant)).collect();
            if branches.iter().any(Vec::is_empty) {
                Vec::new()
            } else {
                branches.into_iter().flatten().collect()
            }
        }
        field => of_field(field, value, record, meant),
    });
    each.collect()
}

fn rules(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn of_field(field: &str, rule: &Value, record: &Record, meant: Meant) -> Vec<Problem> {
    let given = record.get(field);
    let Some(tests) = rule.as_object() else {
        return of_test(field, O::Equal, rule, given, meant).into_iter().collect();
    };
    let mut problems = Vec::new();
    for (name, argument) in tests {
        match Operator::parse(name) {
            Some(row) => problems.extend(of_test(field, row.operator, argument, given, meant)),
            // A rule on what a relation leads to: tested where the related item is written with this one.
            None => {
                if let Some(Value::Object(nested)) = given {
                    let mut inner = Map::new();
                    inner.insert(name.clone(), argument.clone());
                    let meant = Meant {
                        extent: Extent::Part,
                        ..meant
                    };
                    let inner = of_rule(&Value::Object(inner), nested, meant);
                    problems.extend(inner.into_iter().map(|problem| problem.within(field)));
                }
            }
        }
    }
    problems
}

/// Why a value fails a test; `None`: it passes.
fn of_test(
    field: &str,
    operator: Operator,
    argument: &Value,
    given: Option<&Value>,
    meant: Meant,
) -> Option<Problem> {
    let wanted = argument.as_bool().unwrap_or(true);
    let operator = match (operator, wanted) {
        (O::Null, false) => O::NotNull,
        (O::NotNull, false) => O::Null,
        (O::Empty, false) => O::NotEmpty,
        (O::NotEmpty, false) => O::Empty,
        (operator, _) => operator,
    };
    let value = match (given, meant.extent) {
        (Some(value), _) => value,
        (None, Extent::Whole) => &Value::Null,
        (None, Extent::Part) => return None,
    };
    match operator {
        O::Submitted => {
            return (given.is_none() && wanted)
                .then(|| failure(field, "required", "Value is required.", None));
        }
        O::NotNull if value.is_null() => {
            let (ty, text) = match given {
                Some(_) => ("nnull", "Value can't be null."),
                None => ("required", "Value is required."),
            };
            return Some(failure(field, ty, text, None));
        }
        O::Null if !value.is_null() => return Some(failure(field, "null", "Value has to be null.", None)),
        O::NotEmpty if is_empty(value) => {
            return Some(failure(field, "nempty", "Value can't be empty.", None));
        }
        O::Empty if !is_empty(value) => return Some(failure(field, "empty", "Value has to be empty.", None)),
        O::Null | O::NotNull | O::Empty | O::NotEmpty => return None,
        _ if value.is_null() && (meant.null_passes || given.is_none()) => return None,
        _ if value.is_null() => return of_null(field, operator, argument),
        _ => {}
    }
    compared(field, operator, argument, value).or_else(|| texts(field, operator, argument, value))
}

/// Why null fails a test of what a value must be; it passes the tests of what a value must not be.
fn of_null(field: &str, operator: Operator, argument: &Value) -> Option<Problem> {
    match operator {
        O::Equal | O::In => compared(field, operator, argument, &Value::Null),
        O::NotEqual
        | O::NotEqualIgnoringCase
        | O::NotIn
        | O::NotBetween
        | O::NotContains
        | O::NotContainsIgnoringCase
        | O::NotStartsWith
        | O::NotStartsWithIgnoringCase
        | O::NotEndsWith
        | O::NotEndsWithIgnoringCase
        | O::NotIntersects
        | O::NotIntersectsBox => None,
        _ => Some(failure(field, "nnull", "Value can't be null.", None)),
    }
}

fn compared(field: &str, operator: Operator, argument: &Value, value: &Value) -> Option<Problem> {
    let order = |other: &Value| order(value, other);
    let shown = |other: &Value| text_of(other);
    let fails = |ty: &'static str, text: String, valid: &Value| {
        Some(failure(field, ty, &text, Some(("valid", valid.clone()))))
    };
    match operator {
        O::Equal if order(argument) != Some(Ordering::Equal) => fails(
            "eq",
            format!("Value has to be \"{}\".", shown(argument)),
            argument,
        ),
        O::NotEqual if order(argument) == Some(Ordering::Equal) => {
            let text = format!("Value can't be \"{}\".", shown(argument));
            Some(failure(field, "neq", &text, Some(("invalid", argument.clone()))))
        }
        O::Less if order(argument) != Some(Ordering::Less) => fails(
            "lt",
            format!("Value has to be less than \"{}\".", shown(argument)),
            argument,
        ),
        O::LessOrEqual if !matches!(order(argument), Some(Ordering::Less | Ordering::Equal)) => {
            let text = format!("Value has to be less than or equal to \"{}\".", shown(argument));
            fails("lte", text, argument)
        }
        O::Greater if order(argument) != Some(Ordering::Greater) => fails(
            "gt",
            format!("Value has to be greater than \"{}\".", shown(argument)),
            argument,
        ),
        O::GreaterOrEqual if !matches!(order(argument), Some(Ordering::Greater | Ordering::Equal)) => {
            let text = format!(
                "Value has to be greater than or equal to \"{}\".",
                shown(argument)
            );
            fails("gte", text, argument)
        }
        O::Between => {
            let (low, high) = (argument.get(0)?, argument.get(1)?);
            compared(field, O::GreaterOrEqual, low, value)
                .or_else(|| compared(field, O::LessOrEqual, high, value))
        }
        O::NotBetween => {
            let inside = matches!(order(argument.get(0)?), Some(Ordering::Greater | Ordering::Equal))
                && matches!(order(argument.get(1)?), Some(Ordering::Less | Ordering::Equal));
            let text = format!(
                "Value can't be between \"{}\" and \"{}\".",
                shown(argument.get(0)?),
                shown(argument.get(1)?)
            );
            inside.then(|| failure(field, "nbetween", &text, Some(("invalid", value.clone()))))
        }
        O::In | O::NotIn => listed(field, operator, argument, value),
        _ => None,
    }
}

fn listed(field: &str, operator: Operator, argument: &Value, value: &Value) -> Option<Problem> {
    let list: Vec<Value> = match argument {
        Value::Array(entries) => entries.clone(),
        Value::String(text) => text.split(',').map(|entry| entry.trim().into()).collect(),
        other => vec![other.clone()],
    };
    let found = list
        .iter()
        .any(|entry| order(value, entry) == Some(Ordering::Equal));
    let shown: Vec<_> = list
        .iter()
        .map(|entry| format!("\"{}\"", text_of(entry)))
        .collect();
    match (operator, found) {
        (O::In, false) => {
            let text = format!("Value has to be one of {}.", shown.join(", "));
            Some(failure(field, "in", &text, Some(("valid", Value::Array(list)))))
        }
        (O::NotIn, true) => {
            let text = format!("Value can't be one of {}.", shown.join(", "));
            Some(failure(
                field,
                "nin",
                &text,
                Some(("invalid", Value::Array(list))),
            ))
        }
        _ => None,
    }
}

fn texts(field: &str, operator: Operator, argument: &Value, value: &Value) -> Option<Problem> {
    if operator == O::Regex {
        return of_pattern(field, &text_of(argument), value);
    }
    let (text, piece) = (text_of(value), text_of(argument));
    let (low_text, low_piece) = (text.to_lowercase(), piece.to_lowercase());
    let (ty, wording, holds) = match operator {
        O::EqualIgnoringCase => ("ieq", "be", low_text == low_piece),
        O::NotEqualIgnoringCase => ("nieq", "not be", low_text != low_piece),
        O::Contains => ("contains", "contain", text.contains(&piece)),
        O::NotContains => ("ncontains", "not contain", !text.contains(&piece)),
        O::ContainsIgnoringCase => ("icontains", "contain", low_text.contains(&low_piece)),
        O::NotContainsIgnoringCase => ("nicontains", "not contain", !low_text.contains(&low_piece)),
        O::StartsWith => ("starts_with", "start with", text.starts_with(&piece)),
        O::NotStartsWith => ("nstarts_with", "not start with", !text.starts_with(&piece)),
        O::StartsWithIgnoringCase => ("istarts_with", "start with", low_text.starts_with(&low_piece)),
        O::NotStartsWithIgnoringCase => (
            "nistarts_with",
            "not start with",
            !low_text.starts_with(&low_piece),
        ),
        O::EndsWith => ("ends_with", "end with", text.ends_with(&piece)),
        O::NotEndsWith => ("nends_with", "not end with", !text.ends_with(&piece)),
        O::EndsWithIgnoringCase => ("iends_with", "end with", low_text.ends_with(&low_piece)),
        O::NotEndsWithIgnoringCase => ("niends_with", "not end with", !low_text.ends_with(&low_piece)),
        _ => return None,
    };
    let text = format!("Value has to {wording} \"{piece}\".");
    (!holds).then(|| failure(field, ty, &text, Some(("substring", argument.clone()))))
}

fn of_pattern(field: &str, pattern: &str, value: &Value) -> Option<Problem> {
    let wrong = match compile(pattern) {
        Ok(pattern) if pattern.is_match(&text_of(value)) => return None,
        Ok(_) => "Value doesn't have the correct format.",
        Err(_) => "The field's pattern cannot be evaluated, so nothing can be stored in it.",
    };
    let hint = format!("The pattern is {pattern}.");
    Some(failure(field, "regex", wrong, Some(("invalid", value.clone()))).hint(hint))
}

/// A pattern as rules write it: bare, or `/…/flags`.
///
/// # Errors
/// What cannot be compiled: look-around and back references are not known.
pub fn compile(pattern: &str) -> Result<regex::Regex, regex::Error> {
    let (body, flags) = match pattern.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) {
        Some((body, flags)) if flags.chars().all(|flag| "dgimsuy".contains(flag)) => (body, flags),
        _ => (pattern, ""),
    };
    regex::RegexBuilder::new(body)
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'))
        .size_limit(PATTERN_SIZE)
        .build()
}

/// A failed rule as the REST dialect reports it.
#[must_use]
pub fn failure(field: &str, ty: &str, text: &str, more: Option<(&str, Value)>) -> Problem {
    let message = format!("Validation failed for field \"{field}\". {text}");
    let problem = Problem::new(&FAILED_VALIDATION, message)
        .at(field)
        .with("field", field)
        .with("path", json!([]))
        .with("type", ty);
    match more {
        Some((name, value)) => problem.with(name, value),
        None => problem,
    }
}

/// How two values stand to each other: as numbers, moments or text; `None`: not at all.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return Some(left.cmp(&right));
    }
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::String(left), Value::String(right)) => {
            let moments = (left.parse::<jiff::Timestamp>(), right.parse::<jiff::Timestamp>());
            Some(match moments {
                (Ok(left), Ok(right)) => left.cmp(&right),
                _ => left.cmp(right),
            })
        }
        _ => (left == right).then_some(Ordering::Equal),
    }
}

fn number(value: &Value) -> Option<BigDecimal> {
    let text = match value {
        Value::Number(number) => number.as_str(),
        Value::String(text) => text,
        _ => return None,
    };
    // Longer ones are text that happens to be all digits.
    (text.len() <= 60 && !text.contains(['e', 'E']))
        .then(|| text.parse().ok())
        .flatten()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(rule: Value, record: Value, extent: Extent) -> Vec<String> {
        let problems = failures(&rule, record.as_object().unwrap(), extent);
        problems
            .iter()
            .map(|problem| {
                format!(
                    "{} {}",
                    problem.path,
                    problem.extensions["type"].as_str().unwrap()
                )
            })
            .collect()
    }

    #[test]
    fn rules_are_tested_one_by_one() {
        let check = |rule: Value, value: Value, expect: &[&str]| {
            let got = types(json!({"f": rule}), json!({"f": value}), Extent::Part);
            let expect: Vec<_> = expect.iter().map(|ty| format!("f {ty}")).collect();
            assert_eq!(got, expect, "{rule} {value}");
        };
        check(json!({"_gt": 5}), json!(6), &[]);
        check(json!({"_gt": 5}), json!(5), &["gt"]);
        check(json!({"_gte": "5", "_lt": 10}), json!("4"), &["gte"]);
        check(json!({"_between": [1, 3]}), json!(4), &["lte"]);
        check(json!({"_between": [1, 3]}), json!(0), &["gte"]);
        check(json!({"_nbetween": [1, 3]}), json!(2), &["nbetween"]);
        check(json!({"_in": ["a", "b"]}), json!("c"), &["in"]);
        check(json!({"_nin": "a,b"}), json!("b"), &["nin"]);
        check(json!({"_regex": "^[A-Z]+$"}), json!("ABC"), &[]);
        check(json!({"_regex": "/^abc$/i"}), json!("ABC"), &[]);
        check(json!({"_regex": "^[A-Z]+$"}), json!("abc"), &["regex"]);
        check(json!({"_regex": "(?=a)"}), json!("a"), &["regex"]);
        check(json!({"_contains": "q"}), json!("x"), &["contains"]);
        check(json!({"_istarts_with": "AB"}), json!("abc"), &[]);
        check(json!({"_nempty": true}), json!(""), &["nempty"]);
        check(json!({"_nnull": true}), json!(null), &["nnull"]);
        check(json!({"_null": true}), json!(1), &["null"]);
        check(json!({"_gt": 5}), json!(null), &[]);
        check(json!({"_eq": 1.0}), json!("1"), &[]);
        check(
            json!({"_lt": "2026-01-01T00:00:00Z"}),
            json!("2026-01-01T01:00:00+02:00"),
            &[],
        );
        check(json!(3), json!(4), &["eq"]);
    }

    #[test]
    fn null_fails_strictly_what_a_value_must_be() {
        let check = |rule: Value, expect: &[&str]| {
            let record = json!({"f": null});
            let failed = |rule: &Value, extent| strict_failures(rule, record.as_object().unwrap(), extent);
            let on_field = json!({"f": rule});
            for extent in [Extent::Whole, Extent::Part] {
                let got = failed(&on_field, extent);
                let types: Vec<_> = got
                    .iter()
                    .map(|problem| problem.extensions["type"].as_str())
                    .collect();
                let expect: Vec<_> = expect.iter().map(|ty| Some(*ty)).collect();
                assert_eq!(types, expect, "{rule}");
                let missing = strict_failures(&on_field, &Record::new(), extent);
                assert_eq!(missing, [], "{rule}: what is missing is not tested");
            }
        };
        check(json!({"_eq": "draft"}), &["eq"]);
        check(json!("draft"), &["eq"]);
        check(json!({"_eq": null}), &[]);
        check(json!({"_in": ["a", "b"]}), &["in"]);
        check(json!({"_in": ["a", null]}), &[]);
        check(json!({"_lt": 5}), &["nnull"]);
        check(json!({"_between": [1, 5]}), &["nnull"]);
        check(json!({"_contains": "nul"}), &["nnull"]);
        check(json!({"_regex": "null"}), &["nnull"]);
        check(json!({"_neq": "draft"}), &[]);
        check(json!({"_nin": ["a"]}), &[]);
        check(json!({"_ncontains": "nul"}), &[]);
        check(json!({"_null": true}), &[]);
        let either = json!({"_or": [{"f": {"_eq": 1}}, {"g": {"_eq": 1}}]});
        let record = json!({"f": null, "g": 2});
        let got = strict_failures(&either, record.as_object().unwrap(), Extent::Part);
        assert_eq!(got.len(), 2);
    }

    #[test]
    fn rules_combine_and_missing_fields_are_left_alone() {
        let rule = json!({"_and": [{"a": {"_gt": 1}}, {"b": {"_nnull": true}}]});
        assert_eq!(types(rule.clone(), json!({"a": 0}), Extent::Part), ["a gt"]);
        assert_eq!(
            types(rule, json!({"a": 0}), Extent::Whole),
            ["a gt", "b required"]
        );
        let rule = json!({"_or": [{"a": {"_eq": 1}}, {"a": {"_eq": 2}}]});
        assert_eq!(
            types(rule.clone(), json!({"a": 2}), Extent::Part),
            [] as [&str; 0]
        );
        assert_eq!(types(rule, json!({"a": 3}), Extent::Part), ["a eq", "a eq"]);
    }
}
