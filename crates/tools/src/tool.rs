//! What a tool is made of.

use std::sync::{Arc, OnceLock};

use loggia_engine::Engine;
use loggia_model::error::{self, Kind};
use loggia_model::{Collection, Problem, Problems, Record};
use serde_json::{Map, Value};

use crate::bounds::Bounds;
use crate::catalogue::{Annotations, BoxFuture, CallContext, CallError, ToolResult};

/// One tool. It has no state: everything it needs comes with the [`Call`].
pub trait Tool: Sync {
    /// Unique, `[a-z0-9_-]{1,40}`.
    fn name(&self) -> &'static str;

    /// For people.
    fn title(&self) -> &'static str;

    /// For models: what it does and when to use it. Costs context in every conversation: be brief.
    fn description(&self) -> &'static str;

    /// How careful to be with it on this surface.
    fn annotations(&self, surface: &Surface) -> Annotations;

    /// Whether it can ever succeed on this surface. A tool that cannot is not listed.
    fn offered(&self, surface: &Surface) -> bool;

    /// The arguments, as [`crate::schemas`] reads them.
    fn input(&self, surface: &Surface) -> Value;

    /// What it answers, as [`crate::schemas`] reads it.
    fn output(&self) -> Value;

    /// Does it. The arguments have been checked against [`Tool::input`].
    ///
    /// # Errors
    /// Whatever the model can recover from.
    fn run<'a>(
        &'a self,
        call: Call<'a>,
        arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>>;
}

/// What a caller gets to see of the tools; everything that their schemas depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts, each asked for on its own"
)]
pub struct Surface {
    /// Whether the caller may change the schema.
    pub schema_rights: bool,
    /// Whether the caller may reach items of any collection.
    pub items: bool,
    /// Whether anything may be written.
    pub writes: bool,
    /// Whether anything may be deleted.
    pub deletes: bool,
    /// Whether guidance is offered.
    pub guidance: bool,
}

impl Surface {
    /// The actions of a tool that reads, creates, updates and deletes.
    #[must_use]
    pub(crate) fn actions(&self) -> &'static [&'static str] {
        match (self.writes, self.deletes) {
            (false, _) => &["read"],
            (true, false) => &["create", "read", "update"],
            (true, true) => &["create", "read", "update", "delete"],
        }
    }

    /// How careful to be with such a tool. An update overwrites, so it counts as destructive.
    #[must_use]
    pub(crate) fn annotations(&self) -> Annotations {
        Annotations {
            read_only: !self.writes,
            destructive: self.writes,
            idempotent: !self.writes,
            open_world: false,
        }
    }
}

/// What a tool only reads, wherever it is called.
pub(crate) const READS: Annotations = Annotations {
    read_only: true,
    destructive: false,
    idempotent: true,
    open_world: false,
};

/// One call: who asks, of what, and how long the answer may be.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The use cases.
    pub engine: &'a Engine,
    /// Who asks.
    pub context: &'a CallContext,
    /// What the caller may do, as far as names go.
    pub grants: &'a loggia_access::Grants,
    /// What the caller sees of the tools.
    pub surface: Surface,
    /// Where people reach this server, without a slash at the end.
    pub public_url: &'a str,
    /// How long the answer may be.
    pub bounds: Bounds,
    /// What the caller knows of the data model, as a short text; worked out when it is first asked for.
    pub hash: &'a OnceLock<String>,
}

impl Call<'_> {
    /// The Studio's page of an item.
    #[must_use]
    pub(crate) fn item_url(&self, collection: &str, key: &Value) -> String {
        let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        format!(
            "{}/admin/content/{}/{}",
            self.public_url,
            encoded(collection),
            encoded(&key)
        )
    }

    /// The Studio's page of a collection.
    #[must_use]
    pub(crate) fn collection_url(&self, collection: &str) -> String {
        format!("{}/admin/content/{}", self.public_url, encoded(collection))
    }

    /// What the engine refused, in the words of a tool; paths start at `argument`, unless that is empty. A failure of
    /// ours goes to the log, with its cause, under the request's key.
    pub(crate) fn refused(&self, argument: &str, error: &loggia_engine::Error) -> CallError {
        let problems = error.problems();
        let ours = |problem: &Problem| matches!(problem.code.kind, Kind::Internal | Kind::Unavailable);
        if problems.0.iter().any(ours) {
            let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
            let cause = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
            tracing::error!(request_id = &*self.context.request_id, cause, "a tool failed");
        }
        let placed = |problem: Problem| match argument.is_empty() || problem.path.is_empty() {
            true => problem,
            false => problem.within(argument),
        };
        Problems(problems.0.into_iter().map(placed).collect()).into()
    }

    /// The answer to the name of a collection that the caller cannot use.
    pub(crate) fn unknown_collection(&self, name: &str, path: &str) -> Problem {
        let schema = self.engine.schema();
        let known = loggia_access::may_read(self.grants, &schema);
        let near = error::nearest(name, known.map(|collection| collection.name.as_str()));
        let name: String = name.chars().take(60).collect();
        let problem = Problem::new(
            &error::FORBIDDEN,
            format!("There is no collection `{name}`, or you may not use it."),
        );
        problem.at(path).hint(match near {
            Some(near) => format!("Did you mean `{near}`?"),
            None => "Call `schema` without keys: it lists the collections.".to_owned(),
        })
    }

    /// A collection that the caller may know of.
    ///
    /// # Errors
    /// As [`Call::unknown_collection`].
    pub(crate) fn collection(&self, name: &str, path: &str) -> Result<Arc<Collection>, Problem> {
        let schema = self.engine.schema();
        match schema.collection(name) {
            Some(collection) if self.grants.sees(collection) => Ok(collection.clone()),
            _ => Err(self.unknown_collection(name, path)),
        }
    }
}

/// Percent-encodes a segment of a path (RFC 3986, unreserved characters stay).
fn encoded(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

/// The members of an argument that has been checked to be an object, or to be absent.
pub(crate) fn object(arguments: &mut Map<String, Value>, name: &str) -> Option<Record> {
    match arguments.shift_remove(name) {
        Some(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// The entries of an argument that has been checked to be an array, or to be absent.
pub(crate) fn array(arguments: &mut Map<String, Value>, name: &str) -> Option<Vec<Value>> {
    match arguments.shift_remove(name) {
        Some(Value::Array(entries)) => Some(entries),
        _ => None,
    }
}

/// An argument that has been checked to be a text, or to be absent.
pub(crate) fn text(arguments: &mut Map<String, Value>, name: &str) -> Option<String> {
    match arguments.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// An argument that is one object or an array of objects, as an array; `None`: absent.
pub(crate) fn objects(arguments: &mut Map<String, Value>, name: &str) -> Option<Vec<Record>> {
    match arguments.shift_remove(name)? {
        Value::Object(one) => Some(vec![one]),
        Value::Array(entries) => Some(
            entries
                .into_iter()
                .filter_map(|entry| match entry {
                    Value::Object(object) => Some(object),
                    _ => None,
                })
                .collect(),
        ),
        _ => None,
    }
}

/// Companions of an action: what it needs, and what it cannot use.
///
/// # Errors
/// Everything that is missing or superfluous, each with the reason given.
pub(crate) fn companions(
    arguments: &Map<String, Value>,
    action: &str,
    needed: &[(&str, &str)],
    unused: &[(&str, &str)],
) -> Result<(), Problems> {
    let mut problems = Problems::default();
    let absent = |name: &str| match arguments.get(name) {
        None => true,
        Some(Value::Array(entries)) => entries.is_empty(),
        Some(_) => false,
    };
    for (name, why) in needed.iter().filter(|(name, _)| absent(name)) {
        let message = format!("The action `{action}` needs `{name}`.");
        problems.push(
            Problem::new(&error::INVALID_PAYLOAD, message)
                .at(*name)
                .hint(*why),
        );
    }
    for (name, why) in unused.iter().filter(|(name, _)| arguments.contains_key(*name)) {
        let message = format!("The action `{action}` has no use for `{name}`.");
        problems.push(
            Problem::new(&error::INVALID_PAYLOAD, message)
                .at(*name)
                .hint(*why),
        );
    }
    problems.or(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn segments_are_percent_encoded() {
        let check = |given: &str, expect: &str| assert_eq!(encoded(given), expect);
        check("posts", "posts");
        check("a/b ü", "a%2Fb%20%C3%BC");
        check("../x?y#z", "..%2Fx%3Fy%23z");
    }

    #[test]
    fn companions_are_demanded_and_refused_all_at_once() {
        let Value::Object(arguments) = json!({"keys": [], "data": {}, "field": "x"}) else {
            panic!("an object")
        };
        let needed = [("keys", "Name them."), ("collection", "Which?")];
        let problems = companions(&arguments, "delete", &needed, &[("data", "Leave it out.")]).unwrap_err();
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["keys", "collection", "data"]);
    }
}
