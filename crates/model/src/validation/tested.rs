//! One value and one test: how values are compared.

use std::cmp::Ordering;

use bigdecimal::BigDecimal;
use serde_json::Value;

use super::failure;
use crate::schema::Column;
use crate::{Field, Operator, Operator as O, Problem, Scalar, StorageKind};

/// Patterns are compiled to at most so many bytes.
const PATTERN_SIZE: usize = 1 << 20;

/// A field whose value is tested.
#[derive(Clone, Copy)]
pub(super) struct Tested<'f> {
    name: &'f str,
    /// Its definition and its column, where it has one.
    typed: Option<(&'f Field, &'f Column)>,
}

impl<'f> Tested<'f> {
    pub(super) fn new(name: &'f str, field: Option<&'f Field>) -> Self {
        Self {
            name,
            typed: field.and_then(|field| Some((field, field.column.as_ref()?))),
        }
    }

    /// Why null fails a test of what a value must be; it passes the tests of what a value must not be.
    pub(super) fn null_failure(self, operator: Operator, argument: &Value) -> Option<Problem> {
        match operator {
            O::Equal | O::In => self.compared(operator, argument, &Value::Null),
            O::NotIn => {
                let named = argument
                    .as_array()
                    .is_some_and(|entries| entries.contains(&Value::Null));
                named.then(|| failure(self.name, "nin", "Value can't be null.", None))
            }
            O::NotEqual
            | O::NotEqualIgnoringCase
            | O::NotBetween
            | O::NotContains
            | O::NotContainsIgnoringCase
            | O::NotStartsWith
            | O::NotStartsWithIgnoringCase
            | O::NotEndsWith
            | O::NotEndsWithIgnoringCase
            | O::NotIntersects
            | O::NotIntersectsBox => None,
            _ => Some(failure(self.name, "nnull", "Value can't be null.", None)),
        }
    }

    /// Why a value that is there fails a test.
    pub(super) fn failure(self, operator: Operator, argument: &Value, value: &Value) -> Option<Problem> {
        self.compared(operator, argument, value)
            .or_else(|| self.texts(operator, argument, value))
    }

    fn compared(self, operator: Operator, argument: &Value, value: &Value) -> Option<Problem> {
        let (ty, wording, holds) = match operator {
            O::Equal => {
                let text = format!("Value has to be \"{}\".", text_of(argument));
                ("eq", text, self.order(value, argument) == Some(Ordering::Equal))
            }
            O::NotEqual => {
                let text = format!("Value can't be \"{}\".", text_of(argument));
                let differs = self.differs(value, argument);
                return (!differs)
                    .then(|| failure(self.name, "neq", &text, Some(("invalid", argument.clone()))));
            }
            O::Less => self.ordered("lt", "less than", value, argument, Ordering::is_lt),
            O::LessOrEqual => self.ordered("lte", "less than or equal to", value, argument, Ordering::is_le),
            O::Greater => self.ordered("gt", "greater than", value, argument, Ordering::is_gt),
            O::GreaterOrEqual => self.ordered(
                "gte",
                "greater than or equal to",
                value,
                argument,
                Ordering::is_ge,
            ),
            O::Between | O::NotBetween => return self.range(operator, argument, value),
            O::In | O::NotIn => return self.listed(operator, argument, value),
            _ => return None,
        };
        (!holds).then(|| failure(self.name, ty, &wording, Some(("valid", argument.clone()))))
    }

    /// A test of which of two values is the greater one.
    fn ordered(
        self,
        ty: &'static str,
        words: &str,
        value: &Value,
        argument: &Value,
        holds: fn(Ordering) -> bool,
    ) -> (&'static str, String, bool) {
        let text = format!("Value has to be {words} \"{}\".", text_of(argument));
        // A text that is held against a number is meant as one.
        let textual = self.typed.is_some_and(|(_, column)| column.kind.is_textual());
        let order = if textual && argument.is_number() {
            numbers(value, argument)
        } else {
            self.order(value, argument)
        };
        (ty, text, order.is_some_and(holds))
    }

    fn range(self, operator: Operator, argument: &Value, value: &Value) -> Option<Problem> {
        let Some([low, high]) = argument.as_array().map(Vec::as_slice) else {
            return Some(self.unevaluable("between", argument));
        };
        if operator == O::Between {
            return self
                .compared(O::GreaterOrEqual, low, value)
                .or_else(|| self.compared(O::LessOrEqual, high, value));
        }
        let outside = match (self.order(value, low), self.order(value, high)) {
            (Some(low), Some(high)) => low.is_lt() || high.is_gt(),
            _ => false,
        };
        let (low, high) = (text_of(low), text_of(high));
        let text = format!("Value can't be between \"{low}\" and \"{high}\".");
        (!outside).then(|| failure(self.name, "nbetween", &text, Some(("invalid", value.clone()))))
    }

    fn listed(self, operator: Operator, argument: &Value, value: &Value) -> Option<Problem> {
        let list: Vec<Value> = match argument {
            Value::Array(entries) => entries.clone(),
            Value::String(text) => text.split(',').map(|entry| entry.trim().into()).collect(),
            other => vec![other.clone()],
        };
        let shown: Vec<_> = list
            .iter()
            .map(|entry| format!("\"{}\"", text_of(entry)))
            .collect();
        if operator == O::In {
            let mut entries = list.iter();
            let found = entries.any(|entry| self.order(value, entry) == Some(Ordering::Equal));
            let text = match shown.is_empty() {
                true => "There is no value that it could have.".to_owned(),
                false => format!("Value has to be one of {}.", shown.join(", ")),
            };
            return (!found).then(|| failure(self.name, "in", &text, Some(("valid", Value::Array(list)))));
        }
        let none = list.iter().all(|entry| self.differs(value, entry));
        let text = format!("Value can't be one of {}.", shown.join(", "));
        (!none).then(|| failure(self.name, "nin", &text, Some(("invalid", Value::Array(list)))))
    }

    fn texts(self, operator: Operator, argument: &Value, value: &Value) -> Option<Problem> {
        if operator == O::Regex {
            return self.of_pattern(&text_of(argument), value);
        }
        let (text, piece) = (self.text(value), text_of(argument));
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
        if matches!(argument, Value::Null | Value::Array(_) | Value::Object(_)) {
            return Some(self.unevaluable(ty, argument));
        }
        let text = format!("Value has to {wording} \"{piece}\".");
        (!holds).then(|| failure(self.name, ty, &text, Some(("substring", argument.clone()))))
    }

    fn of_pattern(self, pattern: &str, value: &Value) -> Option<Problem> {
        let wrong = match compile(pattern) {
            Ok(pattern) if pattern.is_match(&self.text(value)) => return None,
            Ok(_) => "Value doesn't have the correct format.",
            Err(_) => "The field's pattern cannot be evaluated, so nothing can be stored in it.",
        };
        let hint = format!("The pattern is {pattern}.");
        let problem = failure(self.name, "regex", wrong, Some(("invalid", value.clone())));
        Some(problem.hint(hint))
    }

    /// A rule that says nothing that could be tested.
    fn unevaluable(self, ty: &str, argument: &Value) -> Problem {
        let text = "The rule cannot be evaluated, so nothing passes it.";
        failure(self.name, ty, text, Some(("valid", argument.clone())))
    }

    /// A value as text operators see it: as it is stored.
    fn text(self, value: &Value) -> String {
        match self.scalar(value) {
            Some(Scalar::Text(text)) if value.is_array() => text,
            _ => text_of(value),
        }
    }

    fn scalar(self, value: &Value) -> Option<Scalar> {
        let (field, column) = self.typed?;
        let bare = Column {
            kind: column.kind,
            ..Column::default()
        };
        field.ty.parse(value, &bare).ok()
    }

    /// Whether there is anything to be found out by comparing with a value.
    pub(super) fn is_comparable(self, other: &Value) -> bool {
        match self.typed.map(|(_, column)| column.kind) {
            _ if other.is_null() => false,
            Some(StorageKind::Integer | StorageKind::BigInteger | StorageKind::Decimal) => {
                number(other).is_some()
            }
            None | Some(StorageKind::Json | StorageKind::Geometry) => true,
            Some(_) => self.scalar(other).is_some(),
        }
    }

    /// Whether two values are known to differ: what cannot be compared is not.
    fn differs(self, value: &Value, other: &Value) -> bool {
        // Something is never nothing.
        if other.is_null() && !value.is_null() {
            return true;
        }
        let documents = self
            .typed
            .is_none_or(|(_, column)| matches!(column.kind, StorageKind::Json | StorageKind::Geometry));
        match self.order(value, other) {
            Some(order) => order.is_ne(),
            None => documents && !same(value, other),
        }
    }

    /// How two values stand to each other, by the type of the field; `None`: not at all.
    fn order(self, left: &Value, right: &Value) -> Option<Ordering> {
        if left.is_null() || right.is_null() {
            return (left.is_null() && right.is_null()).then_some(Ordering::Equal);
        }
        let Some((_, column)) = self.typed else {
            return untyped(left, right);
        };
        match column.kind {
            StorageKind::Integer | StorageKind::BigInteger | StorageKind::Decimal => numbers(left, right),
            StorageKind::Json | StorageKind::Geometry => json_order(left, right),
            _ => match (self.scalar(left)?, self.scalar(right)?) {
                (Scalar::Bool(left), Scalar::Bool(right)) => Some(left.cmp(&right)),
                (Scalar::Real(left), Scalar::Real(right)) => left.partial_cmp(&right),
                (Scalar::Text(left), Scalar::Text(right)) => {
                    Some(self.canonical(left).cmp(&self.canonical(right)))
                }
                (Scalar::Bytes(left), Scalar::Bytes(right)) => Some(left.cmp(&right)),
                _ => None,
            },
        }
    }

    /// A list of texts can be written in several ways that are the same.
    fn canonical(self, text: String) -> String {
        let Some((field, _)) = self.typed.filter(|(field, _)| field.ty.name() == "csv") else {
            return text;
        };
        match self.scalar(&field.ty.print(Scalar::Text(text.clone()))) {
            Some(Scalar::Text(canonical)) => canonical,
            _ => text,
        }
    }
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

/// How two values of no known type stand to each other: as numbers, moments or text; `None`: not at all.
fn untyped(left: &Value, right: &Value) -> Option<Ordering> {
    if let Some(order) = numbers(left, right) {
        return Some(order);
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
        _ => json_order(left, right),
    }
}

fn numbers(left: &Value, right: &Value) -> Option<Ordering> {
    Some(number(left)?.cmp(&number(right)?))
}

/// A number, however it is written; `None` also for one that takes too long to write out.
fn number(value: &Value) -> Option<BigDecimal> {
    const MOST_CHARACTERS: usize = 1_000;
    let text = match value {
        Value::Number(number) => number.as_str(),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    let number: BigDecimal = (text.len() <= MOST_CHARACTERS).then(|| text.parse().ok())??;
    (number.fractional_digit_count().unsigned_abs() <= MOST_CHARACTERS as u64).then_some(number)
}

/// Documents are the same or different; single values also have an order.
fn json_order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => numbers(left, right),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => same(left, right).then_some(Ordering::Equal),
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => numbers(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let mut members = left.iter();
            left.len() == right.len()
                && members.all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
