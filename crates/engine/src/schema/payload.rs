//! Reads the objects of a body key by key, noting everything that is wrong with them.

use loggia_model::error::{INVALID_PAYLOAD, nearest};
use loggia_model::schema::Default;
use loggia_model::{Collection, Problem, Problems, Record};
use serde_json::Value;

use super::names;

/// An object of a body, and what is wrong with it so far.
pub(super) struct Body<'a> {
    record: &'a Record,
    /// What is wrong so far; paths start at this object.
    pub(super) problems: Problems,
}

/// A member that holds an object.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// Not there (or not an object, which is noted).
    Absent,
    /// null.
    Null,
    /// An object.
    Object(&'a Record),
}

impl<'a> Given<'a> {
    /// The object, if there is one.
    pub(super) fn object(self) -> Option<&'a Record> {
        match self {
            Self::Object(record) => Some(record),
            Self::Absent | Self::Null => None,
        }
    }
}

/// What is wrong with a body.
pub(super) fn invalid(path: &str, message: impl Into<String>) -> Problem {
    Problem::new(&INVALID_PAYLOAD, message).at(path)
}

impl<'a> Body<'a> {
    /// The object that `value` is; members besides `known` are noted.
    pub(super) fn new(value: &'a Value, known: &[&str]) -> Result<Self, Problems> {
        match value.as_object() {
            Some(record) => Ok(Self::of(record, known)),
            None => Err(invalid("", "\"value\" must be of type object.").into()),
        }
    }

    /// As [`Body::new`], of an object.
    pub(super) fn of(record: &'a Record, known: &[&str]) -> Self {
        let mut problems = Problems::default();
        for key in record.keys().filter(|key| !known.contains(&key.as_str())) {
            problems.push(unknown(key, known.iter().copied()));
        }
        Self { record, problems }
    }

    /// The member as it was written, null included.
    pub(super) fn raw(&self, key: &str) -> Option<&'a Value> {
        self.record.get(key)
    }

    /// A text; null counts as absent.
    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        match self.record.get(key)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            _ => self.wrong(key, "a string"),
        }
    }

    /// A text that must be there and not be empty.
    pub(super) fn demanded_text(&mut self, key: &str) -> Option<&'a str> {
        match self.record.get(key) {
            None => {
                self.problems.push(invalid(key, format!("{key:?} is required.")));
                None
            }
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            Some(_) => self.wrong(key, "a non-empty string"),
        }
    }

    /// A truth value; null counts as absent.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.record.get(key)? {
            Value::Null => None,
            Value::Bool(truth) => Some(*truth),
            _ => self.wrong(key, "a boolean"),
        }
    }

    /// A whole number within bounds; null counts as absent.
    pub(super) fn whole(&mut self, key: &str, least: u32, most: u32) -> Option<u32> {
        let value = self.record.get(key)?;
        if value.is_null() {
            return None;
        }
        match value.as_u64().and_then(|number| u32::try_from(number).ok()) {
            Some(number) if (least..=most).contains(&number) => Some(number),
            _ => self.wrong(key, &format!("a whole number from {least} to {most}")),
        }
    }

    /// An object.
    pub(super) fn object(&mut self, key: &str) -> Given<'a> {
        match self.record.get(key) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(Value::Object(record)) => Given::Object(record),
            Some(_) => {
                self.wrong::<()>(key, "an object");
                Given::Absent
            }
        }
    }

    /// A list; null counts as absent.
    pub(super) fn list(&mut self, key: &str) -> Option<&'a [Value]> {
        match self.record.get(key)? {
            Value::Null => None,
            Value::Array(entries) => Some(entries),
            _ => self.wrong(key, "an array"),
        }
    }

    fn wrong<T>(&mut self, key: &str, what: &str) -> Option<T> {
        self.problems
            .push(invalid(key, format!("{key:?} must be {what}.")));
        None
    }
}

/// A member that nobody reads: said, never dropped.
fn unknown<'a>(key: &str, known: impl Iterator<Item = &'a str> + Clone) -> Problem {
    let problem = invalid(&names::cut(key), format!("{} is not allowed.", names::shown(key)));
    match nearest(key, known.clone()) {
        Some(name) => problem.hint(format!("Did you mean {name:?}?")),
        None => problem.hint(format!("Known here: {}.", known.collect::<Vec<_>>().join(", "))),
    }
}

/// The `meta` of a body as values of a system collection: every value checked and in its canonical form; members in
/// `skip` (keys that the address or the body says elsewhere) are left out.
pub(super) fn meta(definition: &Collection, given: &Record, skip: &[&str]) -> (Record, Problems) {
    let mut row = Record::new();
    let mut problems = Problems::default();
    for (key, value) in given {
        if skip.contains(&key.as_str()) {
            continue;
        }
        let column = definition
            .field(key)
            .and_then(|field| Some((field, field.column.as_ref()?)));
        let Some((field, column)) = column else {
            let known = definition.fields.keys().map(String::as_str);
            let known = known.filter(|name| !skip.contains(name));
            problems.push(unknown(key, known.collect::<Vec<_>>().into_iter()));
            continue;
        };
        if value.is_null() {
            match &column.default {
                _ if column.nullable => {
                    row.insert(key.clone(), Value::Null);
                }
                Default::Value(scalar) => {
                    row.insert(key.clone(), field.ty.print(scalar.clone()));
                }
                _ => problems.push(invalid(key, format!("{key:?} can't be null."))),
            }
            continue;
        }
        let allowed = field.choices();
        if allowed.as_ref().is_some_and(|choices| !choices.contains(&value)) {
            let choices: Vec<_> = allowed.into_iter().flatten().map(ToString::to_string).collect();
            problems.push(invalid(
                key,
                format!("{key:?} must be one of [{}].", choices.join(", ")),
            ));
            continue;
        }
        match field.ty.parse(value, column) {
            Ok(scalar) => {
                row.insert(key.clone(), field.ty.print(scalar));
            }
            Err(problem) => problems.push(problem.within(key)),
        }
    }
    (row, problems)
}

/// The texts of a list member such as `special`.
pub(super) fn texts(row: &Record, key: &str) -> Vec<String> {
    let entries = row.get(key).and_then(Value::as_array).map(Vec::as_slice);
    entries
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| entry.as_str().map(str::to_owned))
        .collect()
}

/// The text of a member, if it is one.
pub(super) fn text<'a>(row: &'a Record, key: &str) -> Option<&'a str> {
    row.get(key).and_then(Value::as_str)
}
