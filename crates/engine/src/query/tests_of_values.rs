//! What a single value is tested for: operators, and their arguments parsed by the field's type.

use loggia_model::filter::{Operand, Place, Test};
use loggia_model::operator::{Argument, Operator, Row};
use loggia_model::query::describe;
use loggia_model::schema::Column;
use loggia_model::{Field, Filter, Scalar, StorageKind, field_types};
use serde_json::Value;

use super::{Resolution, further, unknown};

/// The most positions of a shape that values are compared with: it is compared with every row's.
const POSITIONS: usize = 5_000;

/// What the tested values are.
#[derive(Clone, Copy)]
pub(super) enum Tested<'a> {
    /// Those of a column.
    Field(&'a Field),
    /// Whole numbers that a function works out.
    Number,
    /// Whatever a JSON document holds there.
    Json,
}

impl Tested<'_> {
    fn type_name(self) -> &'static str {
        match self {
            Self::Field(field) => field.ty.name(),
            Self::Number => "integer",
            Self::Json => "json",
        }
    }

    fn takes(self, operator: Operator) -> bool {
        match self {
            Self::Field(field) => field
                .column
                .as_ref()
                .is_some_and(|column| operator.applies_to(column.kind)),
            Self::Number => operator.applies_to(StorageKind::Integer),
            Self::Json => operator.applies_to(StorageKind::Integer) || operator.applies_to(StorageKind::Text),
        }
    }

    fn operators(self) -> Vec<&'static str> {
        let rows = loggia_model::operator::OPERATORS.iter();
        rows.filter(|row| self.takes(row.operator))
            .map(|row| row.name)
            .collect()
    }
}

/// A parsed argument.
enum Parsed {
    /// Canonical.
    Scalar(Scalar),
    /// A variable that stands for nothing: no comparison with it holds.
    Nothing,
}

impl Resolution<'_> {
    /// `{"_gte": 1, "_lt": 5}`, or a bare value that stands for `_eq`.
    pub(super) fn tests(
        &mut self,
        operand: &Operand,
        tested: Tested<'_>,
        value: &Value,
        path: &str,
    ) -> Filter {
        let Some(members) = value.as_object() else {
            if value.is_array() {
                let message = format!("Expected a value or operators; got {}.", describe(value));
                self.problem(path, message, "Use _in for one of several values.");
                return Filter::Nothing;
            }
            return self.test(operand, tested, Operator::parse("_eq"), "_eq", value, path);
        };
        let mut filter = Filter::All;
        for (name, value) in members {
            let path = further(path, name);
            self.conditions += 1;
            filter = filter.and(self.test(operand, tested, Operator::parse(name), name, value, &path));
        }
        filter
    }

    fn test(
        &mut self,
        operand: &Operand,
        tested: Tested<'_>,
        row: Option<&'static Row>,
        name: &str,
        value: &Value,
        path: &str,
    ) -> Filter {
        let Some(row) = row.filter(|row| tested.takes(row.operator)) else {
            self.wrong_operator(tested, row, name, path);
            return Filter::Nothing;
        };
        let test = match row.argument {
            Argument::Truth => self.truth_test(row, value, path),
            Argument::Text => self.text_test(row.operator, value, path),
            Argument::List => self.list_test(tested, row.operator, value, path),
            Argument::Range => self.range_test(tested, row.operator, value, path),
            Argument::Value => self.value_test(tested, row, value, path),
            Argument::Geometry => self.shape_test(row.operator, value, path),
        };
        let known = |test| Filter::Test {
            operand: operand.clone(),
            test,
        };
        test.map_or_else(|| self.with_nothing(), known)
    }

    /// A comparison with a variable that stands for nothing: neither it nor its opposite holds.
    fn with_nothing(&self) -> Filter {
        if self.negated {
            Filter::All
        } else {
            Filter::Nothing
        }
    }

    fn wrong_operator(&mut self, tested: Tested<'_>, row: Option<&Row>, name: &str, path: &str) {
        let ty = tested.type_name();
        if row.is_some_and(|row| matches!(row.operator, Operator::Regex | Operator::Submitted)) {
            let message = format!("`{name}` is for the validation of written values, not for filters.");
            self.problem(path, message, "Use _contains, _starts_with or _ends_with.");
            return;
        }
        let message = format!("\"{ty}\" field type does not contain the \"{name}\" filter operator.");
        let known = tested.operators();
        let known: Vec<_> = known
            .iter()
            .copied()
            .chain(["_json"].into_iter().filter(|_| ty == "json"))
            .collect();
        let problem = super::invalid(message).at(path);
        let problem = match row {
            Some(_) => problem.hint(format!("Operators for {ty}: {}.", known.join(", "))),
            None => unknown::suggest(problem, name, &known, "Operators"),
        };
        self.problems.push(problem);
    }

    fn truth_test(&mut self, row: &Row, value: &Value, path: &str) -> Option<Test> {
        let truth = match value {
            Value::Bool(truth) => *truth,
            Value::String(text) if text == "true" || text == "1" || text.is_empty() => true,
            Value::String(text) if text == "false" || text == "0" => false,
            other => {
                let message = format!("\"{}\" has to be a boolean; got {}.", row.name, describe(other));
                self.problem(path, message, "Write true or false.");
                return None;
            }
        };
        Some(match (row.operator, truth) {
            (Operator::Null, true) | (Operator::NotNull, false) => Test::Null,
            (Operator::Null, false) | (Operator::NotNull, true) => Test::NotNull,
            (Operator::Empty, true) | (Operator::NotEmpty, false) => Test::Empty,
            _ => Test::NotEmpty,
        })
    }

    fn text_test(&mut self, operator: Operator, value: &Value, path: &str) -> Option<Test> {
        let value = match self.replaced(value, path)? {
            Value::Null if !value.is_null() => return None,
            value => value,
        };
        let piece = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            other => {
                self.problem(path, format!("Expected a text; got {}.", describe(other)), "");
                return None;
            }
        };
        use Operator as O;
        let (at, ignore_case, negated) = match operator {
            O::EqualIgnoringCase => (Place::Whole, true, false),
            O::NotEqualIgnoringCase => (Place::Whole, true, true),
            O::NotContains => (Place::Anywhere, false, true),
            O::ContainsIgnoringCase => (Place::Anywhere, true, false),
            O::NotContainsIgnoringCase => (Place::Anywhere, true, true),
            O::StartsWith => (Place::Start, false, false),
            O::NotStartsWith => (Place::Start, false, true),
            O::StartsWithIgnoringCase => (Place::Start, true, false),
            O::NotStartsWithIgnoringCase => (Place::Start, true, true),
            O::EndsWith => (Place::End, false, false),
            O::NotEndsWith => (Place::End, false, true),
            O::EndsWithIgnoringCase => (Place::End, true, false),
            O::NotEndsWithIgnoringCase => (Place::End, true, true),
            _ => (Place::Anywhere, false, false),
        };
        Some(Test::Text {
            at,
            piece,
            ignore_case,
            negated,
        })
    }

    /// A shape of any kind, whatever the kind of the field's; as JSON, or as JSON in a text.
    fn shape_test(&mut self, operator: Operator, value: &Value, path: &str) -> Option<Test> {
        let read = value.as_str().and_then(|text| serde_json::from_str(text).ok());
        let value = read.as_ref().unwrap_or(value);
        let shape = match field_types::of_column(StorageKind::Geometry, &[]).parse(value, &Column::default())
        {
            Ok(Scalar::Text(shape)) => shape,
            Ok(_) => return None,
            Err(problem) => {
                let hint = r#"Write {"type": "Point", "coordinates": [longitude, latitude]}, or another shape of GeoJSON."#;
                self.problem(path, problem.message, hint);
                return None;
            }
        };
        let count = positions(value);
        if count > POSITIONS {
            let message = format!("The shape has {count} positions; at most {POSITIONS} are allowed.");
            self.problem(path, message, "Simplify it, or compare bounding boxes.");
            return None;
        }
        Some(Test::Intersects {
            shape,
            boxes: matches!(operator, Operator::IntersectsBox | Operator::NotIntersectsBox),
            negated: matches!(operator, Operator::NotIntersects | Operator::NotIntersectsBox),
        })
    }

    fn value_test(&mut self, tested: Tested<'_>, row: &Row, value: &Value, path: &str) -> Option<Test> {
        if value.is_null() {
            return match row.operator {
                Operator::Equal => Some(Test::Null),
                Operator::NotEqual => Some(Test::NotNull),
                _ => {
                    let message = format!("Nothing can be compared with null by `{}`.", row.name);
                    self.problem(path, message, "Use _null or _nnull.");
                    None
                }
            };
        }
        let scalar = match self.scalar(tested, value, path)? {
            Parsed::Scalar(scalar) => scalar,
            Parsed::Nothing => return None,
        };
        Some(match row.operator {
            Operator::NotEqual => Test::NotEqual(scalar),
            Operator::Less => Test::Less(scalar),
            Operator::LessOrEqual => Test::LessOrEqual(scalar),
            Operator::Greater => Test::Greater(scalar),
            Operator::GreaterOrEqual => Test::GreaterOrEqual(scalar),
            _ => Test::Equal(scalar),
        })
    }

    fn list_test(
        &mut self,
        tested: Tested<'_>,
        operator: Operator,
        value: &Value,
        path: &str,
    ) -> Option<Test> {
        let entries = self.entries(value, path)?;
        let entries = self.spread(entries);
        let most = self.on.limits.in_list;
        if entries.len() > most {
            let message = format!(
                "The list has {} values; at most {most} are allowed.",
                entries.len()
            );
            self.problem(path, message, "Split the request.");
            return None;
        }
        let mut scalars = Vec::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            let path = format!("{path}[{i}]");
            if entry.is_null() {
                self.problem(
                    &path,
                    "null is not a value to look for in a list.",
                    "Use _null beside it, inside _or.",
                );
                continue;
            }
            match self.scalar(tested, entry, &path) {
                Some(Parsed::Scalar(scalar)) => scalars.push(scalar),
                // One value less to be found; but what is not found must be said of all of them.
                Some(Parsed::Nothing) if self.negated == (operator == Operator::In) => return None,
                Some(Parsed::Nothing) | None => {}
            }
        }
        Some(match operator {
            Operator::NotIn => Test::NotIn(scalars),
            _ => Test::In(scalars),
        })
    }

    fn range_test(
        &mut self,
        tested: Tested<'_>,
        operator: Operator,
        value: &Value,
        path: &str,
    ) -> Option<Test> {
        let entries = self.entries(value, path)?;
        let [low, high] = entries.as_slice() else {
            let message = format!("Expected two values; got {}.", entries.len());
            self.problem(path, message, "Write it as [low, high].");
            return None;
        };
        let low = self.scalar(tested, low, &format!("{path}[0]"));
        let high = self.scalar(tested, high, &format!("{path}[1]"));
        match (low?, high?) {
            (Parsed::Scalar(low), Parsed::Scalar(high)) => Some(match operator {
                Operator::NotBetween => Test::NotBetween(low, high),
                _ => Test::Between(low, high),
            }),
            _ => None,
        }
    }

    /// An array, or values with commas between them.
    fn entries(&mut self, value: &Value, path: &str) -> Option<Vec<Value>> {
        let entries = match value {
            Value::Array(entries) => entries.clone(),
            Value::String(text) if text.trim_start().starts_with('[') => match serde_json::from_str(text) {
                Ok(Value::Array(entries)) => entries,
                _ => {
                    self.problem(path, "Expected an array of values.", "");
                    return None;
                }
            },
            Value::String(text) => text.split(',').map(|entry| Value::from(entry.trim())).collect(),
            Value::Number(_) | Value::Bool(_) => vec![value.clone()],
            Value::Null | Value::Object(_) => {
                let message = format!("Expected an array of values; got {}.", describe(value));
                self.problem(path, message, "");
                return None;
            }
        };
        Some(entries)
    }

    /// Variables that stand for lists are spread out.
    fn spread(&self, entries: Vec<Value>) -> Vec<Value> {
        let spread = entries.into_iter().flat_map(|entry| {
            match entry.as_str().and_then(|text| self.on.list_variable(text)) {
                Some(values) => values,
                None => vec![entry],
            }
        });
        spread.collect()
    }

    /// What a variable stands for; any other value as it is.
    fn replaced(&mut self, value: &Value, path: &str) -> Option<Value> {
        let Some(text) = value.as_str().filter(|text| text.starts_with('$')) else {
            return Some(value.clone());
        };
        match self.on.variable(text) {
            Ok(found) => Some(found.unwrap_or_else(|| value.clone())),
            Err(problem) => {
                self.problems.push(problem.at(path));
                None
            }
        }
    }

    fn scalar(&mut self, tested: Tested<'_>, value: &Value, path: &str) -> Option<Parsed> {
        let value = match self.replaced(value, path)? {
            Value::Null if !value.is_null() => return Some(Parsed::Nothing),
            value => value,
        };
        let parsed = match tested {
            Tested::Field(field) => {
                let bare = Column {
                    kind: field
                        .column
                        .as_ref()
                        .map_or(StorageKind::Text, |column| column.kind),
                    ..Column::default()
                };
                field.ty.parse(&value, &bare).map_err(|problem| problem.message)
            }
            Tested::Number => {
                number(&value).ok_or_else(|| format!("Expected a whole number; got {}.", describe(&value)))
            }
            Tested::Json => json(&value).ok_or_else(|| {
                format!(
                    "Expected a text, number or truth value; got {}.",
                    describe(&value)
                )
            }),
        };
        match parsed {
            Ok(scalar) => Some(Parsed::Scalar(scalar)),
            Err(message) => {
                self.problems.push(super::invalid(message).at(path));
                None
            }
        }
    }
}

/// How many positions a shape has.
fn positions(value: &Value) -> usize {
    match value {
        Value::Array(entries) if entries.first().is_some_and(Value::is_number) => 1,
        Value::Array(entries) => entries.iter().map(positions).sum(),
        Value::Object(members) => ["coordinates", "geometries"]
            .iter()
            .filter_map(|name| members.get(*name))
            .map(positions)
            .sum(),
        _ => 0,
    }
}

fn number(value: &Value) -> Option<Scalar> {
    match value {
        Value::Number(number) => number.as_str().parse().ok().map(Scalar::Int),
        Value::String(text) => text.trim().parse().ok().map(Scalar::Int),
        _ => None,
    }
}

fn json(value: &Value) -> Option<Scalar> {
    match value {
        Value::String(text) => Some(Scalar::Text(text.clone())),
        Value::Bool(truth) => Some(Scalar::Bool(*truth)),
        Value::Number(number) => match number.as_str().parse() {
            Ok(whole) => Some(Scalar::Int(whole)),
            Err(_) => number.as_f64().map(Scalar::Real),
        },
        _ => None,
    }
}
