//! Query strings of the REST dialect: bracket syntax to the JSON object of a query.
//!
//! `filter[title][_eq]=x&fields=id,title&sort=-id&deep[tags][_limit]=3` becomes
//! `{"filter":{"title":{"_eq":"x"}},"fields":"id,title","sort":"-id","deep":{"tags":{"_limit":"3"}}}`, which is what
//! [`Query::from_json`] takes, as it takes what the body of a SEARCH request carries under `query`.
//!
//! A pure function with caps on length, members, nesting and positions. Names are not judged here: an unknown
//! parameter goes on to the query, which knows all names and suggests the nearest.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use indexmap::IndexMap;
use loggia_model::error::INVALID_QUERY;
#[cfg(doc)]
use loggia_model::query::Query;
use loggia_model::{Problem, Problems};
use serde_json::{Map, Value};

use crate::answer::Refusal;

/// The longest query string, in bytes.
pub const MAX_LENGTH: usize = 64 * 1024;
/// The most `name=value` pairs.
pub const MAX_PAIRS: usize = 2_000;
/// The most brackets in one name.
pub const MAX_DEPTH: usize = 32;
/// The highest position of a list (`[_in][999]`).
pub const MAX_POSITION: usize = 1_000;
/// The parameter that carries a credential and is no part of the query.
pub const ACCESS_TOKEN: &str = "access_token";

/// The query of a request, from its query string.
#[derive(Clone, Debug)]
pub struct QueryString(pub Map<String, Value>);

impl<S: Sync> FromRequestParts<S> for QueryString {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Ok(Self(parse(parts.uri.query().unwrap_or_default())?))
    }
}

/// Reads a raw query string (without `?`) as the JSON object of a query. `access_token` is left out.
///
/// # Errors
/// `INVALID_QUERY`, one problem for each pair that cannot be read, with the name as its path.
pub fn parse(raw: &str) -> Result<Map<String, Value>, Problems> {
    let mut problems = Problems::default();
    let mut root = Node::default();
    for (name, value) in pairs(raw)? {
        if name == ACCESS_TOKEN {
            continue;
        }
        let placed = steps(&name).and_then(|steps| root.place(&steps, value, &name));
        problems.take(placed);
    }
    let mut query = Map::new();
    for (name, node) in root.members {
        if let Some(value) = problems.take(member(&name, node).map_err(|found| found.within(&name))) {
            query.insert(name, value);
        }
    }
    problems.or(query)
}

/// The decoded `name=value` pairs of a raw query string, in order.
///
/// # Errors
/// `INVALID_QUERY` when it is too long, has too many pairs, or is not UTF-8 once decoded.
pub fn pairs(raw: &str) -> Result<Vec<(String, String)>, Problems> {
    if raw.len() > MAX_LENGTH {
        return Err(Problem::new(
            &INVALID_QUERY,
            format!("The query string has more than {MAX_LENGTH} bytes."),
        )
        .hint("Send the query as JSON in the body of a SEARCH request.")
        .into());
    }
    let parts: Vec<&str> = raw.split('&').filter(|part| !part.is_empty()).collect();
    if parts.len() > MAX_PAIRS {
        return Err(Problem::new(
            &INVALID_QUERY,
            format!("The query string has more than {MAX_PAIRS} parameters."),
        )
        .hint("Send the query as JSON in the body of a SEARCH request.")
        .into());
    }
    let mut problems = Problems::default();
    let mut pairs = Vec::with_capacity(parts.len());
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match (decode(name), decode(value)) {
            (Some(name), Some(value)) => pairs.push((name, value)),
            (name, _) => problems.push(
                Problem::new(
                    &INVALID_QUERY,
                    "A parameter is not percent-encoded UTF-8 (RFC 3986).",
                )
                .at(name.unwrap_or_default()),
            ),
        }
    }
    problems.or(pairs)
}

/// Percent-decoding with `+` for a space, as forms do (WHATWG URL, `application/x-www-form-urlencoded`). A `%` that
/// no two hexadecimal digits follow stands for itself.
fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| Some(hex(*bytes.get(at + 1)?)? << 4 | hex(*bytes.get(at + 2)?)?))
            .flatten();
        match escaped {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// `filter[title][_eq]` to `filter`, `title`, `_eq`.
fn steps(name: &str) -> Result<Vec<&str>, Problem> {
    let wrong = |message: String| Err(Problem::new(&INVALID_QUERY, message).at(name));
    let Some((first, mut rest)) = name
        .find('[')
        .map(|at| name.split_at(at))
        .or(Some((name, "")))
        .filter(|(first, _)| !first.is_empty())
    else {
        return wrong("A parameter has no name.".to_owned());
    };
    let mut steps = vec![first];
    while !rest.is_empty() {
        let Some((step, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) else {
            return wrong("The brackets of a parameter's name do not match.".to_owned());
        };
        steps.push(step);
        rest = after;
        if steps.len() > MAX_DEPTH {
            return wrong(format!("A parameter's name has more than {MAX_DEPTH} levels."));
        }
    }
    Ok(steps)
}

/// What was written under one name.
#[derive(Default)]
struct Node {
    /// Values written right here (`a=1&a=2`, `a[]=1`).
    values: Vec<String>,
    /// What was written inside.
    members: IndexMap<String, Node>,
}

impl Node {
    fn place(&mut self, steps: &[&str], value: String, name: &str) -> Result<(), Problem> {
        let both = || {
            Err(
                Problem::new(&INVALID_QUERY, "A parameter has a value and members at once.")
                    .at(name)
                    .hint("Give either one value or members in brackets."),
            )
        };
        match steps {
            [] | [""] => {
                if !self.members.is_empty() {
                    return both();
                }
                self.values.push(value);
                Ok(())
            }
            [step, rest @ ..] => {
                if !self.values.is_empty() {
                    return both();
                }
                // `a[][b]=1`: each one is a new entry of the list.
                let step = if step.is_empty() {
                    self.members.len().to_string()
                } else {
                    (*step).to_owned()
                };
                self.members.entry(step).or_default().place(rest, value, name)
            }
        }
    }

    /// As JSON, every value a text.
    fn into_value(self) -> Result<Value, Problem> {
        let is_list = !self.members.is_empty() && self.members.keys().all(|step| is_position(step));
        if is_list {
            let mut entries = BTreeMap::new();
            for (step, node) in self.members {
                let position: Option<usize> = step.parse().ok();
                let Some(position) = position.filter(|position| *position <= MAX_POSITION) else {
                    return Err(Problem::new(
                        &INVALID_QUERY,
                        format!("A list has no position above {MAX_POSITION}."),
                    )
                    .at(format!("[{step}]")));
                };
                let entry = node
                    .into_value()
                    .map_err(|found| found.within(&format!("[{step}]")))?;
                entries.insert(position, entry);
            }
            return Ok(Value::Array(entries.into_values().collect()));
        }
        if !self.members.is_empty() {
            let mut object = Map::new();
            for (step, node) in self.members {
                let value = node.into_value().map_err(|found| found.within(&step))?;
                object.insert(step, value);
            }
            return Ok(Value::Object(object));
        }
        let mut values = self.values;
        Ok(match (values.len(), values.pop()) {
            (1, Some(value)) => Value::String(value),
            (_, last) => values.into_iter().chain(last).map(Value::String).collect(),
        })
    }
}

fn is_position(step: &str) -> bool {
    !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit())
}

/// Texts below filter operators are read as what the operator takes. Everything else stays text: the query knows what
/// each of its members may be, and reads JSON, numbers and comma-separated names itself.
fn member(name: &str, node: Node) -> Result<Value, Problem> {
    let mut value = node.into_value()?;
    match name {
        "filter" => operands(&mut value),
        "deep" => nested(&mut value),
        _ => {}
    }
    Ok(value)
}

/// `1,2` to a list; `[1,2]` is read as JSON.
fn list(value: Value) -> Value {
    match value {
        Value::String(text) if text.trim_start().starts_with('[') => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        Value::String(text) if text.is_empty() => Value::Array(Vec::new()),
        Value::String(text) => text.split(',').map(Value::from).collect(),
        other => other,
    }
}

fn truth(value: Value) -> Value {
    match value.as_str() {
        Some("" | "true" | "1") => Value::Bool(true),
        Some("false" | "0") => Value::Bool(false),
        _ => value,
    }
}

/// Reads the texts below operators that take lists or truth values; the others are left for the field's type.
fn operands(filter: &mut Value) {
    match filter {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                match name.as_str() {
                    "_in" | "_nin" | "_between" | "_nbetween" if value.is_string() => {
                        *value = list(value.take());
                    }
                    "_null" | "_nnull" | "_empty" | "_nempty" => *value = truth(value.take()),
                    _ => operands(value),
                }
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(operands),
        _ => {}
    }
}

/// The same in the filters of `deep`.
fn nested(deep: &mut Value) {
    let Value::Object(members) = deep else { return };
    for (name, value) in members.iter_mut() {
        match name.as_str() {
            "_filter" => operands(value),
            name if name.starts_with('_') => {}
            _ => nested(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use loggia_model::query::Query;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn bracket_syntax_becomes_the_json_of_a_query() {
        let check = |raw: &str, expect: Value| {
            let query = parse(raw).unwrap_or_else(|problems| panic!("{raw}: {problems}"));
            assert_eq!(Value::Object(query), expect, "{raw}");
        };
        check("", json!({}));
        check("&&", json!({}));
        check("fields=id,title", json!({"fields": "id,title"}));
        check(
            "fields[]=id&fields[]=author.name",
            json!({"fields": ["id", "author.name"]}),
        );
        check("fields[1]=b&fields[0]=a", json!({"fields": ["a", "b"]}));
        check("fields=a&fields=b", json!({"fields": ["a", "b"]}));
        check("fields=", json!({"fields": ""}));
        check(
            "fields=item:heading.title",
            json!({"fields": "item:heading.title"}),
        );
        check(
            "limit=5&offset=10&page=2",
            json!({"limit": "5", "offset": "10", "page": "2"}),
        );
        check("search=caf%C3%A9+noir", json!({"search": "café noir"}));
        check("search=100%25%20%zz", json!({"search": "100% %zz"}));
        check("filter[title][_eq]=x", json!({"filter": {"title": {"_eq": "x"}}}));
        check(
            "filter%5Btitle%5D%5B_eq%5D=x",
            json!({"filter": {"title": {"_eq": "x"}}}),
        );
        check("filter[title]=x", json!({"filter": {"title": "x"}}));
        check(
            "filter[a][name][_contains]=a%26b",
            json!({"filter": {"a": {"name": {"_contains": "a&b"}}}}),
        );
        check(
            "filter[year(date)][_eq]=2024",
            json!({"filter": {"year(date)": {"_eq": "2024"}}}),
        );
        check(
            "filter[id][_in]=1,2",
            json!({"filter": {"id": {"_in": ["1", "2"]}}}),
        );
        check(
            "filter[id][_in][]=1&filter[id][_in][]=2",
            json!({"filter": {"id": {"_in": ["1", "2"]}}}),
        );
        check(
            "filter[id][_in][1]=b&filter[id][_in][0]=a",
            json!({"filter": {"id": {"_in": ["a", "b"]}}}),
        );
        check(
            "filter[id][_in]=[1,2]",
            json!({"filter": {"id": {"_in": [1, 2]}}}),
        );
        check("filter[id][_in]=", json!({"filter": {"id": {"_in": []}}}));
        check("filter[a][_null]=true", json!({"filter": {"a": {"_null": true}}}));
        check("filter[a][_nnull]", json!({"filter": {"a": {"_nnull": true}}}));
        check(
            "filter[a][_between]=1,9",
            json!({"filter": {"a": {"_between": ["1", "9"]}}}),
        );
        check(
            "filter[_or][0][a][_eq]=1&filter[_or][1][b][_eq]=2",
            json!({"filter": {"_or": [{"a": {"_eq": "1"}}, {"b": {"_eq": "2"}}]}}),
        );
        check(
            "filter={\"id\":{\"_eq\":1}}",
            json!({"filter": "{\"id\":{\"_eq\":1}}"}),
        );
        check(
            "deep[a][_limit]=3&deep[a][_sort]=-a,b&deep[a][tags][_filter][x][_in]=1,2",
            json!({"deep": {"a": {"_limit": "3", "_sort": "-a,b", "tags": {"_filter": {"x": {"_in": ["1", "2"]}}}}}}),
        );
        check(
            "aggregate[count]=*&groupBy=a,b",
            json!({"aggregate": {"count": "*"}, "groupBy": "a,b"}),
        );
        check(
            "aggregate[sum]=a,b&aggregate[max][]=c",
            json!({"aggregate": {"sum": "a,b", "max": "c"}}),
        );
        check("alias[x]=y", json!({"alias": {"x": "y"}}));
        check("access_token=secret&search=x", json!({"search": "x"}));
        check("nonsense[a]=1", json!({"nonsense": {"a": "1"}}));
        check("a[][b]=1&a[][b]=2", json!({"a": [{"b": "1"}, {"b": "2"}]}));
    }

    #[test]
    fn the_query_takes_what_is_read() {
        let raw = "fields=id,author.name&filter={\"n\":{\"_eq\":9007199254740993}}&sort=-date,title&limit=-1&meta=*\
             &deep[tags][_limit]=3&deep[tags][_filter]={\"x\":1}&aggregate[count]=*&groupBy[]=a&alias[x]=y&search=t";
        let query = Query::from_json(&Value::Object(parse(raw).unwrap())).unwrap();
        assert_eq!(query.fields.unwrap(), ["id", "author.name"]);
        assert_eq!(
            query.filter.unwrap().to_string(),
            "{\"n\":{\"_eq\":9007199254740993}}"
        );
        assert_eq!(query.sort, ["-date", "title"]);
        assert_eq!(query.limit, Some(-1));
        assert!(query.meta.total_count && query.meta.filter_count);
        assert_eq!(query.deep["tags"].limit, Some(3));
        assert_eq!(query.deep["tags"].filter, Some(json!({"x": 1})));
        assert_eq!(query.aggregate["count"], ["*"]);
        assert_eq!(query.group_by, ["a"]);
        assert_eq!(query.alias["x"], "y");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let check = |raw: &str, path: &str, message: &str| {
            let problems = parse(raw).expect_err(raw);
            assert_eq!(problems.0[0].path, path, "{raw}");
            assert!(problems.0[0].message.contains(message), "{raw}: {problems}");
            assert_eq!(problems.0[0].code, &INVALID_QUERY);
        };
        let high = "99999999999999999999999";
        check("filter[a=1", "filter[a", "brackets");
        check("filter[a]b=1", "filter[a]b", "brackets");
        check("[a]=1", "[a]", "no name");
        check("=1", "", "no name");
        check("a=1&a[b]=2", "a[b]", "value and members");
        check("a[b]=2&a=1", "a", "value and members");
        check("a=%ff", "a", "UTF-8");
        check("filter[x][_in][100000]=1", "filter.x._in[100000]", "position");
        check(
            &format!("filter[x][_in][{high}]=1"),
            &format!("filter.x._in[{high}]"),
            "position",
        );
        check(
            &format!("a{}=1", "[b]".repeat(40)),
            &format!("a{}", "[b]".repeat(40)),
            "levels",
        );
        check(&"a=1&".repeat(MAX_PAIRS + 1), "", "parameters");
        check(&"a".repeat(MAX_LENGTH + 1), "", "bytes");
    }

    #[test]
    fn every_problem_is_reported() {
        assert_eq!(parse("b=1&b[c]=2&=x&a[=1").expect_err("three").0.len(), 3);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(raw in ".{0,200}") {
            let _ = parse(&raw);
        }

        #[test]
        fn any_brackets_are_read_or_refused(raw in "([a-c_=&\\[\\]0-9%,{}\":]|filter|deep|_in|_filter|fields){0,60}") {
            let _ = parse(&raw);
        }

        #[test]
        fn texts_come_back_as_they_were_written(text in "\\PC{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let query = parse(&format!("filter[a][_eq]={encoded}")).unwrap();
            prop_assert_eq!(&query["filter"]["a"]["_eq"], &Value::String(text));
        }
    }
}
