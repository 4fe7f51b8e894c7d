//! What validation says of an item, read plainly: on values as they are stored, all of which are known.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::conditions::Evaluation;
use super::copy::{Copy, Link};
use super::values::{self, Kind, takes};
use super::world::{Row, Ty, Who, values};

/// What becomes of an item, as far as it is written.
#[derive(Clone, Debug)]
pub(super) struct Proposed {
    pub(super) collection: String,
    /// New: what is missing has no value.
    pub(super) whole: bool,
    pub(super) values: Row,
    /// What somebody chose: the caller, or a preset.
    pub(super) chosen: BTreeSet<String>,
    /// What it points to is not known yet: nothing is said of that.
    pub(super) open: bool,
}

/// Whether an item passes a rule, in a world as it is by now.
pub(super) fn passes(rule: &Value, item: &Proposed, now: &Copy, who: &Who) -> bool {
    let Some(members) = rule.as_object() else {
        return true;
    };
    members.iter().all(|(name, value)| match name.as_str() {
        "_and" => several(value).iter().all(|rule| passes(rule, item, now, who)),
        "_or" => several(value).iter().any(|rule| passes(rule, item, now, who)),
        field => on_field(field, value, item, now, who),
    })
}

fn several(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn on_field(name: &str, tests: &Value, item: &Proposed, now: &Copy, who: &Who) -> bool {
    let Some(table) = now.table(&item.collection) else {
        return false;
    };
    let Some(field) = table.field(name) else {
        return false;
    };
    let Some(tests) = tests.as_object() else {
        return test(field.ty, "_eq", tests, name, item, who);
    };
    tests.iter().all(|(operator, argument)| {
        if operator.starts_with('_') {
            return test(field.ty, operator, argument, name, item, who);
        }
        let Some(value) = item.values.get(name).filter(|_| !item.open) else {
            return true;
        };
        let Some(Link::One(relation, target)) = now.link(table, name) else {
            return false;
        };
        let mut values: Row = target
            .fields
            .iter()
            .map(|field| (field.name.clone(), Value::Null))
            .collect();
        let there = target.rows.iter().find(|row| row.values["id"] == *value);
        if let Some(there) = there.filter(|_| relation.field == name) {
            values.extend(there.values.clone());
        }
        let beyond = Proposed {
            collection: target.name.clone(),
            whole: true,
            chosen: values.keys().cloned().collect(),
            values,
            open: false,
        };
        passes(&json!({ operator.as_str(): argument }), &beyond, now, who)
    })
}

fn test(ty: Ty, operator: &str, argument: &Value, name: &str, item: &Proposed, who: &Who) -> bool {
    let given = item.values.get(name);
    let Some(value) = given.or(item.whole.then_some(&Value::Null)) else {
        return true;
    };
    let truth = argument.as_bool() == Some(true);
    match operator {
        "_submitted" => return !truth || item.chosen.contains(name),
        "_null" => return value.is_null() == truth,
        "_nnull" => return value.is_null() != truth,
        "_empty" => return is_empty(value) == truth,
        "_nempty" => return is_empty(value) != truth,
        "_eq" | "_neq" if argument.is_null() => return value.is_null() == (operator == "_eq"),
        _ if given.is_none() => return true,
        _ => {}
    }
    let nobody = Copy {
        tables: Vec::new(),
        relations: Vec::new(),
    };
    let on = Evaluation::new(&nobody, who);
    let kind = Kind::Field(ty);
    let equal = |argument: &Value| {
        let argument = canonical(ty, argument);
        values::compare(value, &argument, kind) == Some(std::cmp::Ordering::Equal)
    };
    match operator {
        "_in" | "_nin" => {
            let nulls = argument
                .as_array()
                .is_some_and(|entries| entries.contains(&Value::Null));
            let entries = on.entries(argument);
            // Literal nulls are there; variables that stand for nothing are not.
            let nothing = entries.iter().filter(|entry| entry.is_none()).count() > 0;
            let entries: Vec<_> = entries.into_iter().flatten().collect();
            if operator == "_in" {
                return entries.iter().any(equal) || (nulls && value.is_null());
            }
            let named = nulls && value.is_null();
            !(nothing || named || entries.iter().any(equal))
        }
        "_between" | "_nbetween" => {
            let ends: Option<Vec<_>> = on.entries(argument).into_iter().collect();
            let Some([low, high]) = ends.as_deref() else {
                return false;
            };
            if value.is_null() {
                return operator == "_nbetween";
            }
            let order = |end: &Value| values::compare(value, &canonical(ty, end), kind);
            match (order(low), order(high)) {
                (Some(low), Some(high)) => (low.is_ge() && high.is_le()) == (operator == "_between"),
                _ => false,
            }
        }
        _ => {
            let Some(argument) = on.replaced(argument) else {
                return false;
            };
            if value.is_null() {
                return operator == "_neq" || operator.starts_with("_n");
            }
            match operator {
                "_eq" => equal(&argument),
                "_neq" => !equal(&argument),
                "_lt" | "_lte" | "_gt" | "_gte" => {
                    let order = values::compare(value, &canonical(ty, &argument), kind);
                    order.is_some_and(|order| match operator {
                        "_lt" => order.is_lt(),
                        "_lte" => order.is_le(),
                        "_gt" => order.is_gt(),
                        _ => order.is_ge(),
                    })
                }
                _ => takes(kind, operator) && values::text_matches(value, operator, &argument),
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Other ways to write a value.
pub(super) fn spellings(ty: Ty, value: &Value) -> Vec<Value> {
    let number = |text: String| serde_json::from_str::<Value>(&text).ok();
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let all = match ty {
        Ty::Integer | Ty::BigInteger => vec![
            Some(json!(text)),
            Some(json!(format!("{sign}0{digits}"))),
            number(format!("{text}.0")),
            number(format!("{text}e0")),
        ],
        Ty::Decimal => vec![
            Some(json!(format!("{sign}0{digits}"))),
            number(format!("{text}e0")),
        ],
        Ty::Float => vec![Some(json!(text)), number(format!("{text}e0"))],
        Ty::Boolean => vec![
            Some(json!(text)),
            Some(json!(i32::from(text == "true"))),
            Some(json!(i32::from(text == "true").to_string())),
        ],
        Ty::Date => vec![Some(json!(format!("{text}T10:20:30Z")))],
        Ty::Time => vec![Some(json!(format!("{text}.000")))],
        Ty::DateTime => vec![Some(json!(format!("{text}Z"))), Some(json!(format!("{text}.0")))],
        Ty::Timestamp => vec![text.parse::<jiff::Timestamp>().ok().map(|moment| {
            let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
            json!(
                moment
                    .to_zoned(zone)
                    .strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")
                    .to_string()
            )
        })],
        Ty::Uuid => vec![Some(json!(text.to_uppercase()))],
        Ty::Json if value.is_object() || value.is_array() => vec![Some(json!(text))],
        Ty::String | Ty::Text | Ty::Json | Ty::Alias => Vec::new(),
    };
    all.into_iter().flatten().collect()
}

/// A value as it is stored, whatever way it is written.
pub(super) fn canonical(ty: Ty, raw: &Value) -> Value {
    let known = values(ty);
    let same = known
        .iter()
        .find(|value| *value == raw || spellings(ty, value).contains(raw));
    if let Some(same) = same {
        return same.clone();
    }
    match (ty, raw) {
        // Keys of items, which are no values of the list.
        (Ty::Integer | Ty::BigInteger, Value::String(text)) => {
            text.parse::<i64>().map_or(raw.clone(), Value::from)
        }
        (Ty::String | Ty::Text, Value::Number(number)) => number.to_string().into(),
        _ => raw.clone(),
    }
}
