//! What a tool is made of.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use loggia_access::{Action, Caller, Grants};
use loggia_engine::Engine;
use loggia_model::error::{self, Kind};
use loggia_model::{Collection, Problem, Problems, Record, Schema};
use serde_json::{Map, Value};

use crate::bounds::Bounds;
use crate::catalogue::{Annotations, BoxFuture, CallContext, CallError, ToolResult};

/// One tool. It has no state: everything it needs comes with the [`Call`].
pub trait Tool: Sync {
    /// Unique, `[a-z0-9_-]{1,40}`.
    fn name(&self) -> &'static str;

    /// For people.
    fn title(&self) -> &'static str;

    /// For models: what it does on this surface and when to use it. Costs context in every conversation: be brief.
    fn description(&self, surface: &Surface) -> Cow<'static, str>;

    /// How careful to be with it on this surface.
    fn annotations(&self, surface: &Surface) -> Annotations;

    /// Whether it can ever succeed on this surface. A tool that cannot is not listed.
    fn offered(&self, surface: &Surface) -> bool;

    /// The arguments, as [`crate::schemas`] reads them.
    fn input(&self, surface: &Surface) -> Value;

    /// Where in [`Tool::input`] names of collections stand, as a JSON Pointer, and which names may. They are listed
    /// where they are few; what a call names is for [`Tool::examine`], which has more to say.
    fn names(&self, surface: &Surface) -> Option<(&'static str, Vec<Arc<str>>)> {
        let _ = surface;
        None
    }

    /// What it answers, as [`crate::schemas`] reads it.
    fn output(&self) -> Value;

    /// What is wrong with the arguments beyond their shape: companions that are missing, names that do not exist.
    /// Asked even where the shape is wrong, so that everything is said at once; a member of a wrong type is not its
    /// business.
    fn examine(&self, call: &Call<'_>, given: &Map<String, Value>) -> Problems {
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

/// What a caller gets to see of the tools; everything that their schemas depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surface {
    /// Whether the caller may change the schema.
    pub schema_rights: bool,
    /// What is switched on for this connection.
    pub switches: Switches,
    /// The names of the collections that the caller may know of, in order.
    pub known: Vec<Arc<str>>,
    /// The collections of the project whose items may be created, read, updated and deleted somewhere.
    pub reach: [Vec<Arc<str>>; 4],
}

/// What can be done with items, in the order in which tools list it.
pub(crate) const ITEM_ACTIONS: [Action; 4] = [Action::Create, Action::Read, Action::Update, Action::Delete];

/// What is switched on for a connection, whoever calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts, each asked for on its own"
)]
pub struct Switches {
    /// Whether the address of the connection lets writes through.
    pub address_writes: bool,
    /// Whether the token lets writes through, rather than only proposing them.
    pub token_writes: bool,
    /// Whether assistants may delete.
    pub deletes: bool,
    /// Whether guidance is offered.
    pub guidance: bool,
}

impl Switches {
    /// Whether anything may be written.
    #[must_use]
    pub fn writes(self) -> bool {
        self.address_writes && self.token_writes
    }

    /// Whether an action may be done at all.
    #[must_use]
    pub fn lets(self, action: Action) -> bool {
        match action {
            Action::Read => true,
            Action::Delete => self.writes() && self.deletes,
            _ => self.writes(),
        }
    }
}

impl Surface {
    /// What these grants let a caller see.
    #[must_use]
    pub fn of(grants: &Grants, schema: &Schema, schema_rights: bool, switches: Switches) -> Self {
        let seen = schema.collections.values().filter(|one| grants.sees(one));
        let seen: Vec<_> = seen
            .map(|one| (Arc::<str>::from(one.name.as_str()), one))
            .collect();
        let reach = ITEM_ACTIONS.map(|action| {
            let own = seen
                .iter()
                .filter(|(_, one)| !one.system && one.primary.is_some());
            let may = own.filter(|(_, one)| grants.may(action, one));
            may.map(|(name, _)| name.clone()).collect()
        });
        Self {
            schema_rights,
            switches,
            known: seen.into_iter().map(|(name, _)| name).collect(),
            reach,
        }
    }

    /// The actions on items that can succeed somewhere. Who makes collections has them before there are any.
    pub(crate) fn item_actions(&self) -> Vec<Action> {
        let reached = ITEM_ACTIONS.into_iter().zip(&self.reach);
        reached
            .filter(|(action, reach)| {
                self.switches.lets(*action) && (self.schema_rights || !reach.is_empty())
            })
            .map(|(action, _)| action)
            .collect()
    }

    /// The collections of the project whose items an action may touch somewhere.
    pub(crate) fn reach(&self, action: Action) -> &[Arc<str>] {
        let place = ITEM_ACTIONS.iter().position(|known| *known == action);
        place.map_or(&[], |place| &self.reach[place])
    }

    /// The actions of a tool that reads, creates, updates and deletes definitions.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let all = ITEM_ACTIONS.into_iter();
        all.filter(|action| self.switches.lets(*action)).collect()
    }

    /// How careful to be with a tool of [`Surface::actions`].
    pub(crate) fn annotations(&self) -> Annotations {
        careful(&self.actions())
    }
}

/// How careful to be with a tool that has these actions. An update overwrites, so it counts as destructive.
pub(crate) fn careful(actions: &[Action]) -> Annotations {
    let read_only = actions.iter().all(|action| *action == Action::Read);
    Annotations {
        read_only,
        destructive: actions.contains(&Action::Update) || actions.contains(&Action::Delete),
        idempotent: read_only,
        open_world: false,
    }
}

/// The names of actions, as a schema lists them.
pub(crate) fn action_names(actions: &[Action]) -> Value {
    actions.iter().map(|action| action.name()).collect()
}

/// What the argument `reason` of a tool that writes is for.
pub(crate) const REASON: &str = "Why, in a few words: kept with the change.";

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
    /// Who asks, with what is recorded of the call.
    pub caller: &'a Caller,
    /// How the call came.
    pub context: &'a CallContext,
    /// What the caller may do, as far as names go.
    pub grants: &'a Grants,
    /// What the caller sees of the tools.
    pub surface: &'a Surface,
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
        let problems = companions(&arguments, "delete", &needed, &[("data", "Leave it out.")]);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["keys", "collection", "data"]);
    }
}
