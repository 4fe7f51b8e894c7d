//! What a tool is made of.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use loggia_access::{Caller, Grants};
use loggia_engine::Engine;
use loggia_model::error::{self, Kind};
use loggia_model::{Collection, Problem, Problems, Record};
use serde_json::{Map, Value};

use crate::bounds::Bounds;
use crate::catalogue::{Annotations, BoxFuture, CallContext, CallError, SchemaProfile, ToolResult};
use crate::surface::Surface;

/// One tool. It has no state: everything it needs comes with the [`Call`].
pub trait Tool: Sync {
    /// Unique, `[a-z0-9_-]{1,40}`.
    fn name(&self) -> &'static str;

    /// For people: the name, written as words.
    fn title(&self) -> String {
        let words = self.name().replace(['-', '_'], " ");
        let first = words.chars().next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(words.chars().skip(1)).collect()
    }

    /// For models: what it does on this surface and when to use it. Costs context in every conversation: be brief.
    fn description(&self, surface: &Surface) -> Cow<'static, str>;

    /// How careful to be with it on this surface; by itself, as with what reads and writes definitions.
    fn annotations(&self, surface: &Surface) -> Annotations {
        surface.annotations()
    }

    /// Whether it can ever succeed on this surface. A tool that cannot is not listed.
    fn offered(&self, surface: &Surface) -> bool;

    /// The arguments, as [`crate::schemas`] reads them.
    fn input(&self, surface: &Surface) -> Value;

    /// Puts names that the caller may use into the arguments as they are listed. What a call names is not held against
    /// them: that is for [`Tool::examine`] and the engine, which have more to say.
    fn list_names(&self, surface: &Surface, input: &mut Value, profile: SchemaProfile) {
        let _ = (surface, input, profile);
    }

    /// What it answers on this surface, as [`crate::schemas`] reads it.
    fn output(&self, surface: &Surface) -> Value;

    /// What is wrong with the arguments beyond their shape: companions that are missing, names that do not exist.
    /// Asked even where the shape is wrong, so that everything is said at once; a member of a wrong type is not its
    /// business.
    fn examine(&self, call: &Call<'_>, given: &Map<String, Value>) -> Problems {
        let _ = (call, given);
        Problems::default()
    }

    /// What the engine would say of the names in the arguments. Asked only where something else is wrong already, so that
    /// it is said together.
    fn foresee(&self, call: &Call<'_>, given: &Map<String, Value>) -> Problems {
        let _ = (call, given);
        Problems::default()
    }

    /// Does it. The arguments have been checked against [`Tool::input`] and by [`Tool::examine`].
    ///
    /// # Errors
    /// Whatever the model can recover from.
    fn run<'a>(
        &'a self,
        call: Call<'a>,
        arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>>;
}

/// What the argument `reason` of a tool that writes is for.
pub(crate) const REASON: &str = "Why, in a few words: kept with the change.";

/// One call: who asks, of what, and how long the answer may be.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The use cases.
    pub engine: &'a Engine,
    /// Who asks, with what is recorded of the call.
    pub caller: &'a Caller,
    /// How the call came.
    pub context: &'a CallContext,
    /// What the caller may do, as far as names go.
    pub grants: &'a Grants,
    /// What the caller sees of the tools.
    pub surface: &'a Surface,
    /// How long the answer may be.
    pub bounds: Bounds,
    /// What the caller knows of the data model, as a short text; worked out when it is first asked for.
    pub hash: &'a OnceLock<String>,
}

impl Call<'_> {
    /// What the engine refused, in the words of a tool; paths start at `argument`, unless that is empty.
    pub(crate) fn refused(&self, argument: &str, error: &loggia_engine::Error) -> CallError {
        let placed = |problem: Problem| match argument.is_empty() || problem.path.is_empty() {
            true => problem,
            false => problem.within(argument),
        };
        Problems(self.told(error).0.into_iter().map(placed).collect()).into()
    }

    /// What the engine refused. A failure of ours goes to the log, with its cause, under the request's key.
    pub(crate) fn told(&self, error: &loggia_engine::Error) -> Problems {
        let problems = error.problems();
        let ours = |problem: &Problem| matches!(problem.code.kind, Kind::Internal | Kind::Unavailable);
        if problems.0.iter().any(ours) {
            let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
            let cause = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
            tracing::error!(request_id = &*self.context.request_id, cause, "a tool failed");
        }
        problems
    }

    /// The answer to the name of a collection that the caller cannot use.
    pub(crate) fn unknown_collection(&self, name: &str, path: &str) -> Problem {
        let near = error::nearest(name, self.surface.known.iter().map(|known| &**known));
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

/// The entries of an argument that is one object or an array of them, each with its path, whatever else may be wrong.
pub(crate) fn entries<'a>(given: &'a Map<String, Value>, name: &str) -> Vec<(String, &'a Value)> {
    match given.get(name) {
        Some(Value::Array(entries)) => {
            let placed = entries.iter().enumerate();
            placed.map(|(i, entry)| (format!("{name}[{i}]"), entry)).collect()
        }
        Some(one) => vec![(name.to_owned(), one)],
        None => Vec::new(),
    }
}

/// Companions of an action: everything that is missing, and what it cannot use, each with the reason given.
pub(crate) fn companions(
    arguments: &Map<String, Value>,
    action: &str,
    needed: &[(&str, &str)],
    unused: &[(&str, &str)],
) -> Problems {
    let mut problems = Problems::default();
    for (name, why) in needed {
        let message = match arguments.get(*name) {
            None => format!("The action `{action}` needs `{name}`."),
            Some(Value::Array(entries)) if entries.is_empty() => {
                format!("`{name}` is empty: there is nothing to {action}.")
            }
            Some(_) => continue,
        };
        let problem = Problem::new(&error::INVALID_PAYLOAD, message);
        problems.push(problem.at(*name).hint(*why));
    }
    for (name, why) in unused.iter().filter(|(name, _)| arguments.contains_key(*name)) {
        let message = format!("The action `{action}` has no use for `{name}`.");
        let problem = Problem::new(&error::INVALID_PAYLOAD, message);
        problems.push(problem.at(*name).hint(*why));
    }
    problems
}

/// The text that an argument is, whatever else may be wrong; empty where it is none.
pub(crate) fn peek<'a>(given: &'a Map<String, Value>, name: &str) -> &'a str {
    given.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn companions_are_demanded_and_refused_all_at_once() {
        let Value::Object(arguments) = json!({"keys": [], "data": {}, "field": "x"}) else {
            panic!("an object")
        };
        let needed = [("keys", "Name them."), ("collection", "Which?")];
        let problems = companions(&arguments, "delete", &needed, &[("data", "Leave it out.")]);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["keys", "collection", "data"]);
    }
}
