//! Variables in permissions, by their text alone: what they stand for is worked out by whoever compiles.

use std::collections::BTreeSet;

use serde_json::Value;

/// How often what a permission says changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Varies {
    /// It says the same for everybody.
    #[default]
    Never,
    /// It names the caller: `$CURRENT_USER`, `$CURRENT_ROLE`, `$CURRENT_ROLES`, `$CURRENT_POLICIES`.
    ByCaller,
    /// It names the time, or what is stored of the caller: `$NOW`, `$CURRENT_USER.path`, `$CURRENT_ROLE.path`.
    ByMoment,
}

/// What a path from the caller's user starts with, and what to put before it to start at the row of the user.
const PATHS: [(&str, &str); 2] = [("$CURRENT_USER.", ""), ("$CURRENT_ROLE.", "role.")];

/// How often a value changes. Lists may be written as text (`a,$NOW`), so variables are found anywhere in it.
pub(crate) fn varies(value: &Value) -> Varies {
    match value {
        Value::String(text) if !text.contains('$') => Varies::Never,
        Value::String(text) if text.contains("$NOW") => Varies::ByMoment,
        Value::String(text) if PATHS.iter().any(|(start, _)| text.contains(start)) => Varies::ByMoment,
        Value::String(text) if text.contains("$CURRENT_") => Varies::ByCaller,
        Value::Array(entries) => entries.iter().map(varies).max().unwrap_or_default(),
        Value::Object(members) => members.values().map(varies).max().unwrap_or_default(),
        _ => Varies::Never,
    }
}

/// Collects what must be known of the caller's user.
pub(crate) fn user_paths(value: &Value, paths: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            for (start, before) in PATHS {
                for (at, _) in text.match_indices(start) {
                    let rest = &text[at + start.len()..];
                    let end = rest.find(|c: char| !(c.is_alphanumeric() || "_.-".contains(c)));
                    let path = &rest[..end.unwrap_or(rest.len())];
                    paths.insert(format!("{before}{path}"));
                }
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| user_paths(entry, paths)),
        Value::Object(members) => members.values().for_each(|value| user_paths(value, paths)),
        _ => {}
    }
}

/// A variable that nothing was put in place of.
#[must_use]
pub fn left_over(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => (text.starts_with("$NOW") || text.starts_with("$CURRENT_")).then_some(text),
        Value::Array(entries) => entries.iter().find_map(left_over),
        Value::Object(members) => members.values().find_map(left_over),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_found_wherever_they_stand() {
        let check = |value: Value, expect: Varies, paths: &[&str]| {
            assert_eq!(varies(&value), expect, "{value}");
            let mut found = BTreeSet::new();
            user_paths(&value, &mut found);
            assert!(found.iter().eq(paths), "{value}: {found:?}");
        };
        check(json!(null), Varies::Never, &[]);
        check(json!({"price": {"_eq": "$5"}}), Varies::Never, &[]);
        check(json!({"owner": {"_eq": "$CURRENT_USER"}}), Varies::ByCaller, &[]);
        check(
            json!({"_or": [{"role": {"_in": "$CURRENT_ROLES"}}, {"a": {"_eq": 1}}]}),
            Varies::ByCaller,
            &[],
        );
        check(json!({"due": {"_lt": "$NOW(-1 day)"}}), Varies::ByMoment, &[]);
        check(
            json!({"_and": [{"d": {"_eq": "$CURRENT_USER.department.head"}}, {"r": {"_in": "x,$CURRENT_ROLE.name"}}]}),
            Varies::ByMoment,
            &["department.head", "role.name"],
        );
    }
}
