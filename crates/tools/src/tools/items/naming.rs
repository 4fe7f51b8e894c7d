//! Names of fields that the engine would refuse, for calls that do not get that far.

use loggia_access::Action;
use loggia_model::error::{INVALID_PAYLOAD, INVALID_QUERY, nearest};
use loggia_model::{Code, Collection, Problem, Problems};
use serde_json::{Map, Value};

use crate::tool::{Call, entries, peek};

/// What may stand beside the fields of an item that is changed.
const REV: &str = "_rev";

/// Every name in `data`, `query.fields` and `query.sort` that is none of a field that the caller may use there. Only
/// plain names: what is made of several is for the engine.
pub(super) fn unknown(call: &Call<'_>, collection: &Collection, given: &Map<String, Value>) -> Problems {
    let mut problems = Problems::default();
    let by: &[Action] = match peek(given, "action") {
        "create" => &[Action::Create],
        // The one item of a singleton may not be there yet.
        "update" if collection.is_singleton() => &[Action::Update, Action::Create],
        "update" => &[Action::Update],
        _ => &[],
    };
    if !by.is_empty() {
        let known = Known::of(call, collection, by, &INVALID_PAYLOAD);
        for (path, item) in entries(given, "data") {
            let names = item.as_object().into_iter().flat_map(Map::keys);
            for name in names.filter(|name| *name != REV) {
                problems.take(known.check(name, &format!("{path}.{name}")));
            }
        }
    }
    if let Some(query) = given.get("query").and_then(Value::as_object) {
        let known = Known::of(call, collection, &[Action::Read], &INVALID_QUERY);
        let aliases = query.get("alias").and_then(Value::as_object);
        let aliased = |name: &str| aliases.is_some_and(|aliases| aliases.contains_key(name));
        let texts = |member| {
            let entries = entries(query, member).into_iter();
            entries.filter_map(|(path, entry)| Some((path, entry.as_str()?)))
        };
        let sorted = texts("sort").map(|(path, name)| (path, name.strip_prefix('-').unwrap_or(name)));
        for (path, name) in texts("fields").chain(sorted) {
            if is_plain(name) && !aliased(name) {
                problems.take(known.check(name, &format!("query.{path}")));
            }
        }
    }
    problems
}

/// Neither a path, nor a function, nor a wildcard, nor something that every item has.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['.', '(', '*', ':', ',', '$', '?']) && name != REV
}

/// The fields that one of some actions may touch.
struct Known<'a> {
    collection: &'a Collection,
    names: Vec<&'a str>,
    code: &'static Code,
}

impl<'a> Known<'a> {
    fn of(call: &Call<'_>, collection: &'a Collection, by: &[Action], code: &'static Code) -> Self {
        let may = |action: &Action, field| call.grants.may_touch(*action, collection, field);
        let fields = collection.fields.values();
        let fields = fields.filter(|field| by.iter().any(|action| may(action, field)));
        Self {
            collection,
            names: fields.map(|field| field.name.as_str()).collect(),
            code,
        }
    }

    fn check(&self, name: &str, path: &str) -> Result<(), Problem> {
        if self.names.contains(&name) {
            return Ok(());
        }
        let message = format!(
            "There is no field \"{name}\" in collection \"{}\".",
            self.collection.name
        );
        let problem = Problem::new(self.code, message).at(path);
        Err(match nearest(name, self.names.iter().copied()) {
            Some(near) => problem.hint(format!("Did you mean `{near}`?")),
            None => problem,
        })
    }
}
