//! What is asked about the items of one collection, as it was written: names are not resolved yet.
//!
//! [`Query::from_json`] reads the members that the REST dialect documents, from a JSON object; a query string becomes
//! such an object first. Where a member is an object or a list, it may also come as JSON inside a string. The engine
//! resolves a query against the schema.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::error::{INVALID_QUERY, nearest};
use crate::{Problem, Problems, json};

/// What is asked. The default asks for all fields of the first page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Which fields, as dotted paths (`title`, `author.name`, `*.*`, `blocks.item:text.body`, `year(date)`).
    /// `None`: `*`.
    pub fields: Option<Vec<String>>,
    /// Which items: an object of the filter language.
    pub filter: Option<Value>,
    /// Text that an item must hold somewhere.
    pub search: Option<String>,
    /// Sort keys; a leading `-` turns the order round.
    pub sort: Vec<String>,
    /// At most so many items; `-1`: all. Never less than that.
    pub limit: Option<i64>,
    /// Skip so many items.
    pub offset: Option<u64>,
    /// Which page of `limit` items, from 1; 0 is taken as 1. Not together with `offset`.
    pub page: Option<u64>,
    /// Figures: function to fields (`*`: rows).
    pub aggregate: IndexMap<String, Vec<String>>,
    /// Figures for each combination of values of these fields.
    pub group_by: Vec<String>,
    /// Queries on what relational fields lead to, by field or alias; each may be deep itself.
    pub deep: IndexMap<String, Query>,
    /// Other names for fields: alias to field.
    pub alias: IndexMap<String, String>,
    /// Which counts come with the items.
    pub meta: Meta,
    /// `false`: wildcards leave out the way back to the parent.
    pub backlink: Option<bool>,
    /// The kind of file to answer with; REST only.
    pub export: Option<String>,
    /// The content version; there is only the main one.
    pub version: Option<String>,
    /// Whether the content version comes unmerged.
    pub version_raw: Option<bool>,
}

/// The counts that can come with a page of items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// How many items the caller can read at all.
    pub total_count: bool,
    /// How many of them match the filter and the search.
    pub filter_count: bool,
}

/// Every member, by the name it has on the wire.
pub const MEMBERS: [&str; 16] = [
    "fields",
    "filter",
    "search",
    "sort",
    "limit",
    "offset",
    "page",
    "aggregate",
    "groupBy",
    "deep",
    "alias",
    "meta",
    "backlink",
    "export",
    "version",
    "versionRaw",
];

/// The members that a deep query can have, without their `_`.
const DEEP_MEMBERS: [&str; 8] = [
    "fields", "filter", "search", "sort", "limit", "offset", "page", "alias",
];

/// Deep queries nest at most so far; relations of real schemas end long before.
const MAX_DEEP: usize = 20;

impl Query {
    /// Reads a query from a JSON object.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path: `INVALID_QUERY`.
    pub fn from_json(value: &Value) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        let value = reader.unpacked(value, "");
        let Some(members) = value.as_object() else {
            reader.problems.push(expected("an object", &value, ""));
            return Err(reader.problems);
        };
        let mut query = Self::default();
        for (name, value) in members {
            if !value.is_null() {
                reader.member(&mut query, name, value);
            }
        }
        reader.consistent(&query, "");
        reader.problems.or(query)
    }

    /// Whether it says which items: by a filter that is not empty, or by a search.
    #[must_use]
    pub fn selects(&self) -> bool {
        let empty = |filter: &Value| filter.as_object().is_none_or(Map::is_empty);
        self.filter.as_ref().is_some_and(|filter| !empty(filter))
            || self.search.as_ref().is_some_and(|text| !text.is_empty())
    }
}

#[derive(Default)]
struct Reader {
    problems: Problems,
}

impl Reader {
    fn member(&mut self, query: &mut Query, name: &str, value: &Value) {
        match name {
            "aggregate" => query.aggregate = self.aggregate(value),
            "groupBy" => query.group_by = self.texts(value, name),
            "deep" => query.deep = self.deep(value, name, 0),
            "meta" => query.meta = self.meta(value),
            "backlink" => query.backlink = self.truth(value, name),
            "export" => query.export = self.text(value, name),
            "version" => query.version = self.text(value, name),
            "versionRaw" => query.version_raw = self.truth(value, name),
            _ => {
                if !self.shared_member(query, name, value, name) {
                    self.unknown(name, name, &MEMBERS, "query parameter");
                }
            }
        }
    }

    /// The members that a root and a deep query share; `false`: the name is none of them.
    fn shared_member(&mut self, query: &mut Query, name: &str, value: &Value, path: &str) -> bool {
        match name {
            "fields" => query.fields = Some(self.fields(value, path)),
            "filter" => query.filter = self.filter(value, path),
            "search" => query.search = self.text(value, path),
            "sort" => query.sort = self.texts(value, path),
            "limit" => query.limit = self.limit(value, path),
            "offset" => query.offset = self.count(value, path),
            "page" => query.page = self.count(value, path),
            "alias" => query.alias = self.alias(value, path),
            _ => return false,
        }
        true
    }

    /// JSON that came inside a string, where it is an object or an array.
    fn unpacked<'v>(&mut self, value: &'v Value, path: &str) -> Cow<'v, Value> {
        let packed = match value {
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => text,
            other => return Cow::Borrowed(other),
        };
        match json::read(packed.as_bytes()) {
            Ok(value) => Cow::Owned(value),
            Err(json::Error::Syntax(_)) => Cow::Borrowed(value),
            Err(repeated) => {
                self.refuse(repeated, path);
                // What else is wrong is said as well.
                serde_json::from_str(packed).map_or(Cow::Borrowed(value), Cow::Owned)
            }
        }
    }

    fn refuse(&mut self, error: json::Error, path: &str) {
        let problems = error.problems(&INVALID_QUERY, "The text");
        self.problems.extend(match path.is_empty() {
            true => problems,
            false => problems.within(path),
        });
    }

    fn consistent(&mut self, query: &Query, prefix: &str) {
        if query.offset.is_some_and(|offset| offset > 0) && query.page.is_some_and(|page| page > 1) {
            let problem = invalid("Both `offset` and `page` say where to start.")
                .at(format!("{prefix}page"))
                .hint("Send one of them.");
            self.problems.push(problem);
        }
        if query.limit == Some(-1) && query.page.is_some_and(|page| page > 1) {
            let problem = invalid("There is only one page when `limit` is -1.")
                .at(format!("{prefix}page"))
                .hint("Send a limit of at least 1.");
            self.problems.push(problem);
        }
    }

    /// `{relation: {_limit: 3, relation: {…}}}`.
    fn deep(&mut self, value: &Value, path: &str, depth: usize) -> IndexMap<String, Query> {
        let value = self.unpacked(value, path);
        let Some(members) = value.as_object() else {
            self.problems
                .push(expected("an object of relational fields", &value, path));
            return IndexMap::new();
        };
        if depth >= MAX_DEEP {
            let text = format!("`deep` nests at most {MAX_DEEP} levels.");
            self.problems.push(invalid(text).at(path));
            return IndexMap::new();
        }
        let entries = members.iter().map(|(name, value)| {
            let path = format!("{path}.{name}");
            (name.clone(), self.deep_entry(value, &path, depth))
        });
        entries.collect()
    }

    fn deep_entry(&mut self, value: &Value, path: &str, depth: usize) -> Query {
        let mut query = Query::default();
        let value = self.unpacked(value, path);
        let Some(members) = value.as_object() else {
            self.problems.push(expected(
                "an object with members such as _filter, _sort and _limit",
                &value,
                path,
            ));
            return query;
        };
        let mut nested = Map::new();
        for (name, value) in members {
            let at = format!("{path}.{name}");
            match name.strip_prefix('_') {
                Some(member) => {
                    if !value.is_null() && !self.shared_member(&mut query, member, value, &at) {
                        let known = DEEP_MEMBERS.map(|member| format!("_{member}"));
                        let known: Vec<_> = known.iter().map(String::as_str).collect();
                        self.unknown(name, &at, &known, "member of a deep query");
                    }
                }
                None => {
                    nested.insert(name.clone(), value.clone());
                }
            }
        }
        if !nested.is_empty() {
            query.deep = self.deep(&Value::Object(nested), path, depth + 1);
        }
        self.consistent(&query, &format!("{path}._"));
        query
    }

    /// Texts, or objects of nested lists as the official SDK writes them: `["id", {"author": ["name"]}]`.
    fn fields(&mut self, value: &Value, path: &str) -> Vec<String> {
        let value = self.unpacked(value, path);
        let mut fields = Vec::new();
        match &*value {
            Value::String(text) => fields.extend(split(text)),
            Value::Array(entries) => {
                for (i, entry) in entries.iter().enumerate() {
                    self.field(entry, "", &format!("{path}[{i}]"), 0, &mut fields);
                }
            }
            other => self.problems.push(expected(
                "field names, as an array or comma-separated",
                other,
                path,
            )),
        }
        fields
    }

    fn field(&mut self, entry: &Value, prefix: &str, path: &str, depth: usize, fields: &mut Vec<String>) {
        match entry {
            Value::String(text) => fields.extend(split(text).map(|name| format!("{prefix}{name}"))),
            Value::Object(members) if depth < MAX_DEEP => {
                for (name, nested) in members {
                    let Some(nested) = nested.as_array() else {
                        self.problems
                            .push(expected("an array of field names", nested, path));
                        continue;
                    };
                    for (i, entry) in nested.iter().enumerate() {
                        let path = format!("{path}.{name}[{i}]");
                        self.field(entry, &format!("{prefix}{name}."), &path, depth + 1, fields);
                    }
                }
            }
            other => self.problems.push(expected("a field name", other, path)),
        }
    }

    fn filter(&mut self, value: &Value, path: &str) -> Option<Value> {
        let value = match value {
            Value::String(text) => match json::read(text.as_bytes()) {
                Ok(value) => value,
                Err(json::Error::Syntax(error)) => {
                    let problem = invalid(format!("The filter is not JSON: {error}."))
                        .at(path)
                        .hint("Write it as {\"field\": {\"_eq\": \"value\"}}.");
                    self.problems.push(problem);
                    return None;
                }
                Err(repeated) => {
                    self.refuse(repeated, path);
                    return None;
                }
            },
            other => other.clone(),
        };
        if value.is_object() {
            return Some(value);
        }
        self.problems.push(expected(
            "a filter object such as {\"field\": {\"_eq\": \"value\"}}",
            &value,
            path,
        ));
        None
    }

    fn text(&mut self, value: &Value, path: &str) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            other => {
                self.problems.push(expected("a text", other, path));
                None
            }
        }
    }

    /// An array of texts, or texts with commas between them.
    fn texts(&mut self, value: &Value, path: &str) -> Vec<String> {
        let value = self.unpacked(value, path);
        match &*value {
            Value::String(text) => split(text).collect(),
            Value::Array(entries) => {
                let mut texts = Vec::new();
                for (i, entry) in entries.iter().enumerate() {
                    match entry {
                        Value::String(text) => texts.extend(split(text)),
                        other => {
                            let path = format!("{path}[{i}]");
                            self.problems.push(expected("a field name", other, &path));
                        }
                    }
                }
                texts
            }
            other => {
                self.problems.push(expected(
                    "field names, as an array or comma-separated",
                    other,
                    path,
                ));
                Vec::new()
            }
        }
    }

    fn integer(&mut self, value: &Value, path: &str, least: i64) -> Option<i64> {
        let number = match value {
            Value::Number(number) => number.as_str().parse().ok(),
            Value::String(text) => text.trim().parse::<i64>().ok(),
            _ => None,
        };
        match number {
            Some(number) if number >= least => Some(number),
            Some(_) => {
                let name = path.rsplit(['.', '_']).next().unwrap_or(path);
                let text = format!("`{name}` must be at least {least}.");
                self.problems.push(invalid(text).at(path));
                None
            }
            None => {
                self.problems.push(expected("a whole number", value, path));
                None
            }
        }
    }

    fn limit(&mut self, value: &Value, path: &str) -> Option<i64> {
        self.integer(value, path, -1)
    }

    fn count(&mut self, value: &Value, path: &str) -> Option<u64> {
        self.integer(value, path, 0)
            .and_then(|number| u64::try_from(number).ok())
    }

    fn truth(&mut self, value: &Value, path: &str) -> Option<bool> {
        match value {
            Value::Bool(truth) => Some(*truth),
            Value::String(text) if text == "true" || text.is_empty() || text == "1" => Some(true),
            Value::String(text) if text == "false" || text == "0" => Some(false),
            other => {
                self.problems.push(expected("true or false", other, path));
                None
            }
        }
    }

    fn alias(&mut self, value: &Value, path: &str) -> IndexMap<String, String> {
        let value = self.unpacked(value, path);
        let Some(members) = value.as_object() else {
            self.problems
                .push(expected("an object of alias to field", &value, path));
            return IndexMap::new();
        };
        let mut aliases = IndexMap::new();
        for (alias, field) in members {
            let at = format!("{path}.{alias}");
            if alias.contains(['.', ':', '(', '*']) || alias.starts_with(['_', '$', '-']) || alias.is_empty()
            {
                let problem = invalid(format!("`{alias}` cannot be an alias.")).at(at).hint(
                    "An alias is a plain name: no `.`, `:`, `(` or `*`, and no `_`, `$` or `-` in front.",
                );
                self.problems.push(problem);
            } else if let Some(field) = field.as_str() {
                aliases.insert(alias.clone(), field.to_owned());
            } else {
                self.problems.push(expected("a field name", field, &at));
            }
        }
        aliases
    }

    fn aggregate(&mut self, value: &Value) -> IndexMap<String, Vec<String>> {
        let value = self.unpacked(value, "aggregate");
        let Some(members) = value.as_object() else {
            self.problems.push(expected(
                "an object of function to fields such as {\"count\": [\"*\"]}",
                &value,
                "aggregate",
            ));
            return IndexMap::new();
        };
        let entries = members.iter().map(|(function, fields)| {
            let path = format!("aggregate.{function}");
            (function.clone(), self.texts(fields, &path))
        });
        entries.collect()
    }

    fn meta(&mut self, value: &Value) -> Meta {
        let mut meta = Meta::default();
        for (i, name) in self.texts(value, "meta").iter().enumerate() {
            match name.as_str() {
                "*" => {
                    meta.total_count = true;
                    meta.filter_count = true;
                }
                "total_count" => meta.total_count = true,
                "filter_count" => meta.filter_count = true,
                other => {
                    let known = ["total_count", "filter_count", "*"];
                    self.unknown(other, &format!("meta[{i}]"), &known, "count");
                }
            }
        }
        meta
    }

    fn unknown(&mut self, name: &str, path: &str, known: &[&str], what: &str) {
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("Known: {}.", known.join(", ")),
        };
        let problem = invalid(format!("There is no {what} `{name}`."))
            .at(path)
            .hint(hint);
        self.problems.push(problem);
    }
}

/// The texts between commas that are not inside brackets: a function's arguments stay together.
fn split(text: &str) -> impl Iterator<Item = String> {
    let mut depth = 0_usize;
    let parts: Vec<String> = text
        .split(move |character| {
            match character {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            character == ',' && depth == 0
        })
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect();
    parts.into_iter()
}

fn invalid(message: impl Into<String>) -> Problem {
    let message = message.into();
    let reason = message.trim_end_matches('.').to_owned();
    Problem::new(&INVALID_QUERY, message).with("reason", reason)
}

fn expected(what: &str, got: &Value, path: &str) -> Problem {
    invalid(format!("Expected {what}; got {}.", describe(got))).at(path)
}

/// A value in the words of an error, cut short.
#[must_use]
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 40 => format!("the text {text:?}"),
        Value::String(_) => "a long text".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_given_twice_inside_a_text_are_refused() {
        let check = |query: Value, expect: &[&str]| {
            let problems = Query::from_json(&query).unwrap_err();
            let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
            assert_eq!(paths, expect, "{query}: {problems}");
            assert!(problems.to_string().contains("more than once"), "{problems}");
        };
        check(
            json!({"filter": r#"{"a": {"_gt": 1, "_gt": 2}}"#}),
            &["filter.a._gt"],
        );
        check(
            json!({"deep": r#"{"tags": {"_limit": 1, "_limit": 2}}"#}),
            &["deep.tags._limit"],
        );
        check(
            json!({"alias": r#"{"a": "b", "a": "c"}"#, "aggregate": r#"{"count": "*", "count": "id"}"#}),
            &["alias.a", "aggregate.count"],
        );
        check(json!(r#"{"limit": 1, "limit": 2}"#), &["limit"]);
    }

    #[test]
    fn every_member_is_read() {
        let query = Query::from_json(&json!({
            "fields": "id, year(date) ,author.name,json(data, a.b)",
            "filter": "{\"id\": {\"_eq\": 1}}",
            "search": 12,
            "sort": ["-name", "id,year(date)"],
            "limit": "-1",
            "offset": 3,
            "aggregate": "{\"count\": \"*\"}",
            "groupBy": ["status"],
            "deep": {"tags": {"_limit": 2, "_sort": "name", "tag": {"_filter": {"x": 1}}}},
            "alias": {"t": "title"},
            "meta": "*",
            "backlink": "false",
        }))
        .unwrap();
        assert_eq!(
            query.fields.unwrap(),
            ["id", "year(date)", "author.name", "json(data, a.b)"]
        );
        assert_eq!(query.filter, Some(json!({"id": {"_eq": 1}})));
        assert_eq!(query.search.as_deref(), Some("12"));
        assert_eq!(query.sort, ["-name", "id", "year(date)"]);
        assert_eq!((query.limit, query.offset), (Some(-1), Some(3)));
        assert_eq!(query.aggregate["count"], ["*"]);
        assert_eq!(query.deep["tags"].limit, Some(2));
        assert_eq!(query.deep["tags"].deep["tag"].filter, Some(json!({"x": 1})));
        assert!(query.meta.total_count && query.meta.filter_count);
        assert_eq!(query.backlink, Some(false));
    }

    #[test]
    fn fields_may_nest_as_objects() {
        let query =
            Query::from_json(&json!({"fields": ["id", {"author": ["name", {"role": ["id"]}]}]})).unwrap();
        assert_eq!(query.fields.unwrap(), ["id", "author.name", "author.role.id"]);
    }

    #[test]
    fn every_problem_comes_with_its_path() {
        let check = |query: Value, expect: &[&str]| {
            let problems = Query::from_json(&query).expect_err(&query.to_string());
            let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
            assert_eq!(paths, expect, "{query}");
            assert!(
                problems
                    .0
                    .iter()
                    .all(|problem| problem.code.name == "INVALID_QUERY")
            );
        };
        check(json!([]), &[""]);
        check(
            json!({"limit": "abc", "offset": -1, "page": 1.5, "sort": 5}),
            &["limit", "offset", "page", "sort"],
        );
        check(json!({"limit": -2}), &["limit"]);
        check(json!({"limit": 99_999_999_999_999_999_999_f64}), &["limit"]);
        check(json!({"filtr": {}}), &["filtr"]);
        check(json!({"filter": "{"}), &["filter"]);
        check(json!({"filter": []}), &["filter"]);
        check(json!({"fields": [1]}), &["fields[0]"]);
        check(json!({"deep": {"tags": {"_limits": 1}}}), &["deep.tags._limits"]);
        check(json!({"deep": {"a": {"b": {"_page": -1}}}}), &["deep.a.b._page"]);
        check(json!({"alias": {"a.b": "title"}}), &["alias.a.b"]);
        check(json!({"meta": "total"}), &["meta[0]"]);
        check(json!({"offset": 1, "page": 2}), &["page"]);
    }

    #[test]
    fn an_unknown_member_is_answered_with_the_nearest() {
        let problems = Query::from_json(&json!({"filters": {}})).expect_err("unknown");
        assert_eq!(problems.0[0].hint.as_deref(), Some("Did you mean `filter`?"));
    }
}
