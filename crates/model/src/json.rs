//! JSON as callers write it. A name that an object has twice would lose one of its values without a word, whichever is
//! kept; here it is refused, with its place.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::Code;
use crate::{Problem, Problems};

/// Names given twice that are reported, at most.
const MOST: usize = 20;

/// What serde_json calls the one member of a number that keeps its text (`arbitrary_precision`).
const NUMBER: &str = "$serde_json::private::Number";

/// Why a text cannot be taken.
#[derive(Debug)]
pub enum Error {
    /// It is not JSON.
    Syntax(serde_json::Error),
    /// Objects have names twice: the path of each.
    Repeated(Vec<String>),
}

impl Error {
    /// What is wrong, at its place; `what` the text is begins the sentence about JSON that is none.
    #[must_use]
    pub fn problems(self, code: &'static Code, what: &str) -> Problems {
        match self {
            Self::Syntax(error) => Problem::new(code, format!("{what} is not JSON: {error}.")).into(),
            Self::Repeated(paths) => Problems(paths.into_iter().map(|path| repeated(code, path)).collect()),
        }
    }
}

fn repeated(code: &'static Code, path: String) -> Problem {
    Problem::new(code, "The name is given more than once in the same object.")
        .at(path)
        .hint("Give it once: only one of its values could be kept.")
}

/// Reads one JSON text.
///
/// # Errors
/// When it is not JSON, or an object in it has a name twice.
pub fn read(text: &[u8]) -> Result<Value, Error> {
    let found = RefCell::new(Vec::new());
    let mut json = serde_json::Deserializer::from_slice(text);
    let reader = Reader {
        above: None,
        found: &found,
    };
    let read = reader
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value));
    let value = read.map_err(Error::Syntax)?;
    match found.into_inner() {
        repeated if repeated.is_empty() => Ok(value),
        repeated => Err(Error::Repeated(repeated)),
    }
}

/// Where a value stands; paths are only put together when there is something to say of them.
struct Step<'a> {
    above: Option<&'a Self>,
    place: Place<'a>,
}

#[derive(Clone, Copy)]
enum Place<'a> {
    Member(&'a str),
    Entry(usize),
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match (self.place, self.above) {
            (Place::Member(name), Some(_)) => write!(f, ".{name}"),
            (Place::Member(name), None) => f.write_str(name),
            (Place::Entry(i), _) => write!(f, "[{i}]"),
        }
    }
}

/// Makes a value as serde_json does, and notes names that come again.
#[derive(Clone, Copy)]
struct Reader<'a> {
    above: Option<&'a Step<'a>>,
    found: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut json: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        loop {
            let step = Step {
                above: self.above,
                place: Place::Entry(entries.len()),
            };
            let reader = Reader {
                above: Some(&step),
                found: self.found,
            };
            match json.next_element_seed(reader)? {
                Some(entry) => entries.push(entry),
                None => return Ok(Value::Array(entries)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut json: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = json.next_key_seed(Name)? {
            let Some(name) = name else {
                let text: String = json.next_value()?;
                return text
                    .parse::<Number>()
                    .map(Value::Number)
                    .map_err(A::Error::custom);
            };
            let step = Step {
                above: self.above,
                place: Place::Member(&name),
            };
            if members.contains_key(&name) && self.found.borrow().len() < MOST {
                self.found.borrow_mut().push(step.to_string());
            }
            let reader = Reader {
                above: Some(&step),
                found: self.found,
            };
            let value = json.next_value_seed(reader)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

/// The name of a member; `None`: it is a number that follows.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<String>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Option<String>, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<String>, E> {
        Ok((name != NUMBER).then(|| name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::INVALID_PAYLOAD;

    #[test]
    fn everything_is_read_as_it_is_written() {
        for text in [
            "null",
            " [true, false] ",
            r#"{"b": 1, "a": {"": [], "x": {}}, "ü\n\u00e9": "\"\\"}"#,
            "[0, -0, 1.50, 1e400, 12345678901234567890123456789.123456789, -1E-7]",
            r#"[{"a": 1}, {"a": 1}, [{"a": {"a": {"a": 1}}}]]"#,
        ] {
            let expect: Value = serde_json::from_str(text).unwrap();
            let read = read(text.as_bytes()).unwrap();
            assert_eq!(read, expect, "{text}");
            assert_eq!(read.to_string(), expect.to_string());
        }
    }

    #[test]
    fn names_given_twice_are_all_found_with_their_place() {
        let check = |text: &str, expect: &[&str]| match read(text.as_bytes()) {
            Err(Error::Repeated(paths)) => assert_eq!(paths, expect, "{text}"),
            other => panic!("{text}: {other:?}"),
        };
        check(r#"{"a": 1, "a": 1}"#, &["a"]);
        check(r#"{"a": 1, "\u0061": 2}"#, &["a"]);
        check(
            r#"[{"a": 1}, {"b": 1, "a": {"c": 1, "d": [0, {"e": 1, "e": 2}]}, "b": 3}]"#,
            &["[1].a.d[1].e", "[1].b"],
        );
        check(r#"{"": 1, "": 2}"#, &[""]);
        check(
            r#"{"a": {"x": 1, "x": 1}, "a": {"x": 1, "x": 1}}"#,
            &["a.x", "a", "a.x"],
        );
        let many = format!("{{{}\"z\": 1}}", "\"z\": 1,".repeat(1_000));
        assert!(matches!(read(many.as_bytes()), Err(Error::Repeated(paths)) if paths.len() == MOST));
    }

    #[test]
    fn what_is_not_json_is_said_first() {
        for text in [
            "",
            "{",
            r#"{"a": 1, "a": 2"#,
            "1 2",
            "[1,]",
            "{1: 2}",
            "nul",
            "\"\u{1}\"",
            "01",
            "1.",
        ] {
            match read(text.as_bytes()) {
                Err(Error::Syntax(error)) => {
                    let theirs = serde_json::from_str::<Value>(text).unwrap_err();
                    assert_eq!(error.to_string(), theirs.to_string(), "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(matches!(
            read("[".repeat(1_000).as_bytes()),
            Err(Error::Syntax(_))
        ));
        let problems = read(b"[1,").unwrap_err().problems(&INVALID_PAYLOAD, "The body");
        assert!(
            problems.to_string().contains("The body is not JSON: EOF"),
            "{problems}"
        );
    }
}
