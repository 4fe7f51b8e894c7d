//! Checks the filters in metadata where they are defined: a rule that cannot be read would stand against every write.

use loggia_model::error::nearest;
use loggia_model::operator::{OPERATORS, Operator};
use loggia_model::validation::compile;
use loggia_model::{Problem, Problems};
use serde_json::Value;

use super::names;
use super::payload::invalid;

/// How deep rules may nest.
const DEEPEST: usize = 20;

/// The words that join rules.
const JOINING: [&str; 4] = ["_and", "_or", "$and", "$or"];

/// Everything that is wrong with a rule such as `{"_and": [{"slug": {"_regex": "^[a-z]+$"}}]}`; null is no rule.
pub(super) fn check(rule: Option<&Value>) -> Problems {
    let mut problems = Problems::default();
    if let Some(rule) = rule.filter(|rule| !rule.is_null()) {
        joined(rule, 0, &mut problems);
    }
    problems
}

fn joined(rule: &Value, depth: usize, problems: &mut Problems) {
    let Some(members) = rule.as_object() else {
        problems.push(
            invalid("", "A rule must be an object.")
                .hint(r#"For example {"_and": [{"slug": {"_nempty": true}}]}."#),
        );
        return;
    };
    if depth > DEEPEST {
        problems.push(invalid("", format!("Rules are nested more than {DEEPEST} deep.")));
        return;
    }
    for (name, value) in members {
        let mut inner = Problems::default();
        if JOINING.contains(&name.as_str()) {
            match value.as_array() {
                Some(rules) => {
                    for (i, rule) in rules.iter().enumerate() {
                        let mut one = Problems::default();
                        joined(rule, depth + 1, &mut one);
                        inner.extend(one.within(&format!("[{i}]")));
                    }
                }
                None => inner.push(invalid("", "An array of rules must stand here.")),
            }
        } else if is_operator(name) {
            let message = format!("The operator {} needs a field around it.", names::shown(name));
            inner.push(invalid("", message).hint(format!(r#"Write {{"<field>": {{{name:?}: …}}}}."#)));
        } else if looks_like_operator(name, value) {
            inner.push(unknown(name));
        } else {
            tests(value, depth + 1, &mut inner);
        }
        problems.extend(inner.within(&names::cut(name)));
    }
}

/// The tests of one field; members without an operator's name are fields of what it leads to.
fn tests(value: &Value, depth: usize, problems: &mut Problems) {
    let Some(members) = value.as_object() else { return };
    if depth > DEEPEST {
        problems.push(invalid("", format!("Rules are nested more than {DEEPEST} deep.")));
        return;
    }
    for (name, value) in members {
        let mut inner = Problems::default();
        if looks_like_operator(name, value) {
            inner.push(unknown(name));
        } else if Operator::parse(name).is_some_and(|row| row.operator == Operator::Regex) {
            inner.extend(pattern(value));
        } else if !is_operator(name) {
            tests(value, depth + 1, &mut inner);
        }
        problems.extend(inner.within(&names::cut(name)));
    }
}

/// A pattern that cannot be compiled would let nothing be stored.
fn pattern(value: &Value) -> Problems {
    let wrong = value.as_str().is_none_or(|pattern| compile(pattern).is_err());
    let mut problems = Problems::default();
    if wrong {
        let problem = invalid("", "This is not a regular expression that can be evaluated.");
        problems
            .push(problem.hint("Write one such as \"^[a-z]+$\", without look-around and back-references."));
    }
    problems
}

/// Not one of ours, and not a field either: a field of that name would have tests behind it.
fn looks_like_operator(name: &str, value: &Value) -> bool {
    name.starts_with(['_', '$']) && !value.is_object() && !is_operator(name)
}

fn is_operator(name: &str) -> bool {
    Operator::parse(name).is_some() || matches!(name, "_some" | "_none" | "$some" | "$none")
}

fn unknown(name: &str) -> Problem {
    let problem = invalid("", format!("There is no operator {}.", names::shown(name)));
    let known = OPERATORS
        .iter()
        .flat_map(|row| [Some(row.name), row.dollar])
        .flatten();
    match nearest(name, known) {
        Some(near) => problem.hint(format!("Did you mean {near:?}?")),
        None => problem.hint("Operators are _eq, _neq, _in, _gt, _lt, _contains, _regex, _nempty, …"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    fn check(rule: serde_json::Value, expect: &[&str]) {
        let paths: Vec<_> = super::check(Some(&rule))
            .0
            .into_iter()
            .map(|problem| problem.path)
            .collect();
        assert_eq!(paths, expect, "{rule}");
    }

    #[test]
    fn rules_that_can_be_read() {
        check(json!(null), &[]);
        check(json!({}), &[]);
        check(
            json!({"_and": [{"slug": {"_regex": "^[a-z]+$"}}, {"_or": []}]}),
            &[],
        );
        check(
            json!({"author": {"name": {"_nempty": true}}, "_id": {"$eq": 1}, "plain": 5}),
            &[],
        );
        check(
            json!({"area": {"_intersects": {"type": "Point", "coordinates": [1, 2]}}}),
            &[],
        );
    }

    #[test]
    fn rules_that_cannot() {
        check(json!("_eq"), &[""]);
        check(json!({"_eq": 5}), &["_eq"]);
        check(json!({"_and": {"a": 1}}), &["_and"]);
        check(
            json!({"_and": [{"a": {"_regx": "x"}}, 5, {"_nand": []}]}),
            &["_and[0].a._regx", "_and[1]", "_and[2]._nand"],
        );
        check(json!({"a": {"b": {"$like": "x"}}}), &["a.b.$like"]);
        check(
            json!({"a": {"_regex": "("}, "b": {"_regex": "(?=x)"}, "c": {"_regex": 5}}),
            &["a._regex", "b._regex", "c._regex"],
        );
    }

    #[test]
    fn what_was_meant_is_named() {
        let problems = super::check(Some(&json!({"a": {"_regx": "x"}})));
        assert!(
            problems.to_string().contains("Did you mean \"_regex\"?"),
            "{problems}"
        );
    }
}
