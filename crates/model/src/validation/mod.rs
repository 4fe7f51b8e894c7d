//! Rules that written values must satisfy: the filter language, evaluated on an item in memory.
//!
//! A rule (`directus_fields.validation`, `directus_permissions.validation`) is a filter such as
//! `{"_and": [{"title": {"_regex": "^[A-Z]"}}]}`. Variables are replaced before it comes here. Values are compared as
//! their fields' types compare them, whatever way either side is written; what cannot be compared passes no test, not
//! even that of what a value must not be. A field that is not written is not tested, unless the rule itself demands it
//! (`_nnull`, `_nempty`, `_submitted`) of a new item. Regular expressions run in linear time and know no look-around.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::FAILED_VALIDATION;
use crate::operator::Operator;
use crate::schema::Default as ColumnDefault;
use crate::{Collection, Field, Operator as O, Problem, Record};

mod tested;

use tested::Tested;
pub use tested::compile;

/// What of the item is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// A new item: what is missing has no value.
    Whole,
    /// A change: what is missing stays as it is.
    #[default]
    Part,
}

/// An item that is to be written, as it will be stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// What of it is there.
    pub extent: Extent,
    /// Its values, in the notation in which they are answered.
    pub values: Record,
    /// Those that nobody sent: defaults, and what the system fills in.
    pub filled: BTreeSet<String>,
    /// Fields that get a value which is not known yet: no test fails of them.
    pub unknown: BTreeSet<String>,
    /// The items that it points to, by field, as far as rules look at them.
    pub related: BTreeMap<String, Related>,
}

/// An item that another one points to.
#[derive(Clone, Debug)]
pub struct Related {
    /// Where it belongs.
    pub collection: Arc<Collection>,
    /// What it is, once everything is written.
    pub item: Candidate,
}

impl PartialEq for Related {
    fn eq(&self, other: &Self) -> bool {
        self.collection.name == other.collection.name && self.item == other.item
    }
}

impl Candidate {
    /// Fills in what a new item gets without being sent, for the fields that `examined` says: constants of columns; what
    /// the database works out itself is not known yet.
    pub fn fill(&mut self, collection: &Collection, mut examined: impl FnMut(&str) -> bool) {
        for field in collection.fields.values() {
            let name = field.name.as_str();
            let Some(column) = field.column.as_ref().filter(|_| examined(name)) else {
                continue;
            };
            if self.values.contains_key(name) || self.unknown.contains(name) {
                continue;
            }
            match &column.default {
                ColumnDefault::Value(value) if !value.is_null() => {
                    self.values.insert(name.to_owned(), field.ty.print(value.clone()));
                }
                ColumnDefault::Now | ColumnDefault::Expression(_) => {
                    self.unknown.insert(name.to_owned());
                }
                _ if column.auto_increment || column.generated => {
                    self.unknown.insert(name.to_owned());
                }
                _ => continue,
            }
            self.filled.insert(name.to_owned());
        }
    }

    /// Whether something that rules look at is not known yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.unknown.is_empty() || self.related.values().any(|related| related.item.is_open())
    }
}

/// Everything in an item that breaks `rule`, each with the field as its path, worded as the REST dialect does. No value
/// is as good as one that passes, unless the rule demands one.
#[must_use]
pub fn failures(rule: &Value, collection: &Collection, item: &Candidate) -> Vec<Problem> {
    let subject = Subject {
        collection,
        item,
        null_passes: true,
    };
    subject.of_rule(rule)
}

/// The same for a rule that limits what may be written: null passes a test of what a value must be only where the test
/// names it.
#[must_use]
pub fn strict_failures(rule: &Value, collection: &Collection, item: &Candidate) -> Vec<Problem> {
    let subject = Subject {
        collection,
        item,
        null_passes: false,
    };
    subject.of_rule(rule)
}

/// Every test of one value that it does not pass; no value passes all of them.
#[must_use]
pub fn value_failures(field: &Field, tests: &Value, value: &Value) -> Vec<Problem> {
    let tests = tests.as_object().into_iter().flatten();
    let known = tests.filter_map(|(name, argument)| Some((Operator::parse(name)?.operator, argument)));
    let tested = Tested::new(&field.name, Some(field));
    known
        .filter(|_| !value.is_null())
        .filter_map(|(operator, argument)| tested.failure(operator, argument, value))
        .collect()
}

/// Whether values of a field can be compared with another value at all.
#[must_use]
pub fn is_comparable(field: &Field, other: &Value) -> bool {
    Tested::new(&field.name, Some(field)).is_comparable(other)
}

/// The fields that a rule looks at; behind fields that lead to one item, those of that item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined(pub BTreeMap<String, Examined>);

impl Examined {
    /// Adds those of one more rule.
    pub fn add(&mut self, rule: &Value) {
        for (name, value) in rule.as_object().into_iter().flatten() {
            if let "_and" | "$and" | "_or" | "$or" = name.as_str() {
                rules(value).for_each(|rule| self.add(rule));
                continue;
            }
            let beyond = self.0.entry(name.clone()).or_default();
            for (test, argument) in value.as_object().into_iter().flatten() {
                if Operator::parse(test).is_none() {
                    beyond.add(&json!({ test.as_str(): argument }));
                }
            }
        }
    }

    /// Adds those of others.
    pub fn extend(&mut self, other: &Self) {
        for (name, beyond) in &other.0 {
            self.0.entry(name.clone()).or_default().extend(beyond);
        }
    }
}

/// An item that rules are tested on.
#[derive(Clone, Copy)]
struct Subject<'c> {
    collection: &'c Collection,
    item: &'c Candidate,
    /// Whether null passes a test of what a value must be, as what is missing does.
    null_passes: bool,
}

impl Subject<'_> {
    fn of_rule(&self, rule: &Value) -> Vec<Problem> {
        let Some(members) = rule.as_object() else {
            return Vec::new();
        };
        let each = members.iter().flat_map(|(name, value)| match name.as_str() {
            "_and" | "$and" => rules(value).flat_map(|rule| self.of_rule(rule)).collect(),
            "_or" | "$or" => {
                let branches: Vec<_> = rules(value).map(|rule| self.of_rule(rule)).collect();
                if branches.iter().any(Vec::is_empty) {
                    Vec::new()
                } else {
                    branches.into_iter().flatten().collect()
                }
            }
            field => self.of_field(field, value),
        });
        each.collect()
    }

    fn of_field(&self, field: &str, rule: &Value) -> Vec<Problem> {
        let Some(tests) = rule.as_object() else {
            return self.of_test(field, O::Equal, rule).into_iter().collect();
        };
        let mut problems = Vec::new();
        for (name, argument) in tests {
            match (Operator::parse(name), self.item.related.get(field)) {
                (Some(row), _) => problems.extend(self.of_test(field, row.operator, argument)),
                (None, Some(related)) => {
                    let beyond = Subject {
                        collection: &related.collection,
                        item: &related.item,
                        ..*self
                    };
                    let inner = beyond.of_rule(&json!({ name.as_str(): argument }));
                    problems.extend(inner.into_iter().map(|problem| problem.within(field)));
                }
                // It points nowhere, or stays as it is.
                (None, None) => {}
            }
        }
        problems
    }

    /// Why a value fails a test; `None`: it passes.
    fn of_test(&self, field: &str, operator: Operator, argument: &Value) -> Option<Problem> {
        let item = self.item;
        let given = item.values.get(field);
        let sent = (given.is_some() || item.unknown.contains(field)) && !item.filled.contains(field);
        let value = match given {
            Some(value) => value,
            None if item.unknown.contains(field) && (sent || operator != O::Submitted) => return None,
            None if item.extent == Extent::Part => return None,
            None => &Value::Null,
        };
        let wanted = truth(argument).unwrap_or(true);
        let operator = match (operator, wanted) {
            (O::Null, false) => O::NotNull,
            (O::NotNull, false) => O::Null,
            (O::Equal, _) if argument.is_null() => O::Null,
            (O::NotEqual, _) if argument.is_null() => O::NotNull,
            (O::Empty, false) => O::NotEmpty,
            (O::NotEmpty, false) => O::Empty,
            (operator, _) => operator,
        };
        match operator {
            O::Submitted => {
                return (!sent && wanted).then(|| failure(field, "required", "Value is required.", None));
            }
            O::NotNull if value.is_null() => {
                let (ty, text) = match given {
                    Some(_) => ("nnull", "Value can't be null."),
                    None => ("required", "Value is required."),
                };
                return Some(failure(field, ty, text, None));
            }
            O::Null if !value.is_null() => {
                return Some(failure(field, "null", "Value has to be null.", None));
            }
            O::NotEmpty if is_empty(value) => {
                return Some(failure(field, "nempty", "Value can't be empty.", None));
            }
            O::Empty if !is_empty(value) => {
                return Some(failure(field, "empty", "Value has to be empty.", None));
            }
            O::Null | O::NotNull | O::Empty | O::NotEmpty => return None,
            _ if value.is_null() && (self.null_passes || given.is_none()) => return None,
            _ => {}
        }
        let tested = Tested::new(field, self.collection.field(field).map(AsRef::as_ref));
        if value.is_null() {
            tested.null_failure(operator, argument)
        } else {
            tested.failure(operator, argument, value)
        }
    }
}

fn rules(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// true or false, in every way to write it.
#[must_use]
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text == "true" || text == "1" || text.is_empty() => Some(true),
        Value::String(text) if text == "false" || text == "0" => Some(false),
        _ => None,
    }
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

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field_types;
    use crate::schema::Column;

    /// A collection with a field `f` of a type; of none: without fields.
    fn collection(ty: Option<&str>) -> Collection {
        let field = |ty: &str| {
            let ty = field_types::by_name(ty).unwrap();
            let column = Column {
                kind: ty.storage().unwrap(),
                ..Column::default()
            };
            Field {
                collection: "c".to_owned(),
                name: "f".to_owned(),
                ty,
                column: Some(column),
                meta: None,
                system: false,
            }
        };
        Collection {
            name: "c".to_owned(),
            table: None,
            meta: None,
            system: false,
            fields: ty
                .map(|ty| ("f".to_owned(), Arc::new(field(ty))))
                .into_iter()
                .collect(),
            primary: None,
        }
    }

    fn item(values: Value, extent: Extent) -> Candidate {
        Candidate {
            extent,
            values: values.as_object().unwrap().clone(),
            ..Candidate::default()
        }
    }

    fn types(rule: Value, record: Value, extent: Extent) -> Vec<String> {
        let problems = failures(&rule, &collection(None), &item(record, extent));
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
            let here = collection(None);
            let failed =
                |rule: &Value, extent| strict_failures(rule, &here, &item(json!({"f": null}), extent));
            let on_field = json!({"f": rule});
            for extent in [Extent::Whole, Extent::Part] {
                let got = failed(&on_field, extent);
                let types: Vec<_> = got
                    .iter()
                    .map(|problem| problem.extensions["type"].as_str())
                    .collect();
                let expect: Vec<_> = expect.iter().map(|ty| Some(*ty)).collect();
                assert_eq!(types, expect, "{rule}");
                let missing = strict_failures(&on_field, &here, &item(json!({}), extent));
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
        check(json!({"_nin": ["a", null]}), &["nin"]);
        check(json!({"_ncontains": "nul"}), &[]);
        check(json!({"_null": true}), &[]);
        // As `_nnull`: it is demanded of a new item.
        let not_null = json!({"f": {"_neq": null}});
        for (values, extent, failed) in [
            (json!({"f": null}), Extent::Part, 1),
            (json!({}), Extent::Whole, 1),
            (json!({}), Extent::Part, 0),
            (json!({"f": 1}), Extent::Whole, 0),
        ] {
            let item = item(values, extent);
            assert_eq!(
                strict_failures(&not_null, &collection(None), &item).len(),
                failed,
                "{item:?}"
            );
        }
        let either = json!({"_or": [{"f": {"_eq": 1}}, {"g": {"_eq": 1}}]});
        let record = item(json!({"f": null, "g": 2}), Extent::Part);
        let got = strict_failures(&either, &collection(None), &record);
        assert_eq!(got.len(), 2);
    }

    #[test]
    fn values_are_compared_by_the_type_of_their_field() {
        let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        // Of each type: a value, the same written otherwise, another one, and what is none of the type.
        let table = [
            (
                "boolean",
                json!(true),
                vec![json!("true"), json!(1), json!("1")],
                json!(false),
                json!("yes"),
            ),
            (
                "integer",
                json!(1),
                vec![json!("01"), number("1e0"), number("1.0"), json!("1")],
                json!(2),
                json!("one"),
            ),
            (
                "bigInteger",
                json!("9007199254740993"),
                vec![number("9007199254740993")],
                json!(1),
                json!(true),
            ),
            (
                "decimal",
                number("1.50"),
                vec![number("1.5"), json!("1.5"), number("15e-1")],
                json!(2),
                json!("x"),
            ),
            (
                "float",
                number("0.5"),
                vec![json!("0.50"), number("5e-1")],
                json!(2),
                json!("x"),
            ),
            ("string", json!("01"), vec![json!("01")], json!("1"), json!([])),
            (
                "text",
                json!("2026-01-01T00:00:00Z"),
                vec![],
                json!("2026-01-01T00:00:00.000Z"),
                json!({}),
            ),
            (
                "date",
                json!("2026-01-31"),
                vec![json!("2026-01-31T01:00:00+01:00")],
                json!("2026-02-01"),
                json!("soon"),
            ),
            (
                "time",
                json!("13:45:00"),
                vec![json!("13:45")],
                json!("13:46:00"),
                json!("noon"),
            ),
            (
                "dateTime",
                json!("2026-01-31T00:00:00"),
                vec![json!("2026-01-31"), json!("2026-01-31T01:00:00+01:00")],
                json!("2026-02-01T00:00:00"),
                json!("x"),
            ),
            (
                "timestamp",
                json!("2026-01-01T00:00:00.000Z"),
                vec![json!("2026-01-01T02:00:00+02:00"), json!("2026-01-01")],
                json!("2026-01-01T02:00:00.000Z"),
                json!("x"),
            ),
            (
                "uuid",
                json!("3fa85f64-5717-4562-b3fc-2c963f66afa6"),
                vec![json!("3FA85F64-5717-4562-B3FC-2C963F66AFA6")],
                json!("4fa85f64-5717-4562-b3fc-2c963f66afa6"),
                json!("x"),
            ),
            ("binary", json!("AAEC/w=="), vec![], json!("AAEC"), json!("?")),
            (
                "csv",
                json!(["a", "b"]),
                vec![json!("a,b"), json!("\"a\",b")],
                json!("b,a"),
                json!({}),
            ),
            (
                "json",
                json!({"a": 1, "b": 2}),
                vec![json!({"b": 2, "a": number("1.0")})],
                json!({"a": 1}),
                Value::Null,
            ),
        ];
        let passes = |ty: &str, tests: Value, value: &Value| {
            let here = collection(Some(ty));
            let item = item(json!({"f": value}), Extent::Part);
            strict_failures(&json!({"f": tests}), &here, &item).is_empty()
        };
        for (ty, value, same, other, none) in table {
            let check = |tests: Value, expect: bool| {
                assert_eq!(passes(ty, tests.clone(), &value), expect, "{ty} {value} {tests}");
            };
            for same in same.iter().chain([&value]) {
                check(json!({"_eq": same}), true);
                check(json!({"_in": [same, other]}), true);
                check(json!({"_neq": same}), false);
                check(json!({"_nin": [other, same]}), false);
                check(json!({"_lt": same}), false);
                check(json!({"_gt": same}), false);
                if ty != "json" {
                    check(json!({"_nbetween": [same, same]}), false);
                    check(json!({"_between": [same, same]}), true);
                    check(json!({"_lte": same, "_gte": same}), true);
                }
            }
            check(json!({"_eq": other}), false);
            check(json!({"_neq": other}), true);
            check(json!({"_nin": [other]}), true);
            check(json!({"_neq": null, "_nin": [null]}), true);
            if none.is_null() {
                continue;
            }
            // What is none of its type can neither be held to be the same nor to be another.
            for operator in ["_eq", "_neq", "_lt", "_lte", "_gt", "_gte"] {
                check(json!({operator: none}), false);
            }
            check(json!({"_nin": [[none]]}), false);
            check(json!({"_nbetween": [none, other]}), false);
            check(json!({"_between": [other, none]}), false);
        }
        assert!(passes("string", json!({"_gte": 10, "_lt": 100}), &json!("9e1")));
        assert!(!passes("string", json!({"_gte": 10}), &json!("ten")));
        assert!(passes(
            "csv",
            json!({"_starts_with": "a", "_contains": "a,b"}),
            &json!(["a", "b"])
        ));
        assert!(!passes("csv", json!({"_ncontains": "a,b"}), &json!(["a", "b"])));
        assert!(!passes("string", json!({"_ncontains": ["a"]}), &json!("b")));
        assert!(!passes("integer", json!({"_nbetween": [1]}), &json!(5)));
        assert!(!passes(
            "decimal",
            json!({"_neq": number("1e999999999")}),
            &json!(5)
        ));
    }

    #[test]
    fn what_is_not_known_yet_fails_no_test_and_what_nobody_sent_was_not_submitted() {
        let check = |rule: Value, item: &Candidate, expect: &[&str]| {
            let problems = strict_failures(&rule, &collection(Some("integer")), item);
            let types: Vec<_> = problems
                .iter()
                .map(|problem| problem.extensions["type"].clone())
                .collect();
            assert_eq!(types, expect, "{rule}");
        };
        let open = Candidate {
            extent: Extent::Whole,
            unknown: BTreeSet::from(["f".to_owned()]),
            ..Candidate::default()
        };
        for rule in [
            json!({"_eq": 1}),
            json!({"_neq": 1}),
            json!({"_nnull": true}),
            json!({"_submitted": true}),
        ] {
            check(json!({"f": rule}), &open, &[]);
        }
        let filled = Candidate {
            filled: BTreeSet::from(["f".to_owned()]),
            ..open.clone()
        };
        check(json!({"f": {"_submitted": true}}), &filled, &["required"]);
        check(json!({"f": {"_nnull": true}}), &filled, &[]);
        assert!(open.is_open());
        let related = Related {
            collection: Arc::new(collection(Some("integer"))),
            item: item(json!({"f": 5}), Extent::Whole),
        };
        let pointing = Candidate {
            values: json!({"f": 1}).as_object().unwrap().clone(),
            related: BTreeMap::from([("f".to_owned(), related)]),
            ..Candidate::default()
        };
        check(json!({"f": {"f": {"_eq": 5}, "_eq": 1}}), &pointing, &[]);
        check(json!({"f": {"f": {"_eq": 6}}}), &pointing, &["eq"]);
        check(
            json!({"f": {"f": {"_null": true}, "_eq": 2}}),
            &pointing,
            &["null", "eq"],
        );
        let mut examined = Examined::default();
        examined.add(&json!({"_or": [{"f": {"f": {"_eq": 6}}}, {"g": 1}, {"f": {"h": {"i": 1}, "_eq": 3}}]}));
        let names: Vec<_> = examined.0.keys().collect();
        assert_eq!(names, ["f", "g"]);
        assert_eq!(examined.0["f"].0.keys().collect::<Vec<_>>(), ["f", "h"]);
        assert_eq!(examined.0["f"].0["h"].0.keys().collect::<Vec<_>>(), ["i"]);
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
