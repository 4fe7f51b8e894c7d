//! The words for names that do not exist, or that the caller may not know of: the two must look the same.
//!
//! The code is `FORBIDDEN` and the message the REST dialect's own, whoever asks. A caller who may know of the
//! collection is also told the nearest names.

use loggia_access::Action;
use loggia_model::error::{FORBIDDEN, nearest};
use loggia_model::{Collection, Problem};

use super::Resolver;

/// Longer lists of names teach nothing.
const MOST_NAMES: usize = 30;

/// No such collection, or not for this caller.
pub(super) fn collection(on: &Resolver<'_>, name: &str, action: Action) -> Problem {
    let known = on.schema.collection(name).filter(|_| action != Action::Read);
    if let Some(problem) = known.and_then(|known| read_only(on, known)) {
        return problem;
    }
    let reason = format!(
        "You don't have permission to access collection \"{name}\" or it does not exist. Queried in root."
    );
    let problem = Problem::new(&FORBIDDEN, reason.clone()).with("reason", reason);
    let collections = on.schema.collections.values();
    let known: Vec<_> = collections
        .filter(|known| on.may(action, known) && (!known.system || name.starts_with("directus_")))
        .map(|known| known.name.as_str())
        .collect();
    suggest(problem, name, &known, "Collections")
}

/// What is said of a collection whose items nobody can write, to those who may know of it.
pub(crate) fn read_only(on: &Resolver<'_>, collection: &Collection) -> Option<Problem> {
    let why = collection.read_only().filter(|_| on.grants.sees(collection))?;
    let reason = format!("Items of \"{}\" can only be read: it {why}.", collection.name);
    let hint = match collection.is_view() {
        true => "Write to the collections that the view is made of.",
        false => "Write to it with the program that made it, or give the table a primary key of one column.",
    };
    let problem = Problem::new(&FORBIDDEN, reason.clone()).with("reason", reason);
    Some(problem.with("collection", collection.name.as_str()).hint(hint))
}

/// No such field, or not for this caller. `at`: the relational path that led to the collection.
pub(super) fn field(on: &Resolver<'_>, collection: &Collection, name: &str, at: &str) -> Problem {
    let at = if at.is_empty() {
        "root".to_owned()
    } else {
        format!("\"{at}\"")
    };
    let reason = format!(
        "You don't have permission to access field \"{name}\" in collection \"{}\" or it does not exist. Queried in {at}.",
        collection.name
    );
    let problem = Problem::new(&FORBIDDEN, reason.clone()).with("reason", reason);
    if !on.may(Action::Read, collection) {
        return problem;
    }
    let fields = collection.fields.values();
    let known: Vec<_> = fields
        .filter(|field| on.is_known(collection, field))
        .map(|field| field.name.as_str())
        .collect();
    suggest(problem, name, &known, "Fields")
}

/// Adds the nearest name, or the first names there are.
pub(crate) fn suggest(problem: Problem, name: &str, known: &[&str], what: &str) -> Problem {
    if known.is_empty() {
        return problem;
    }
    if let Some(near) = nearest(name, known.iter().copied()) {
        return problem.hint(format!("Did you mean `{near}`?"));
    }
    let more = known.len().saturating_sub(MOST_NAMES);
    let names = known
        .iter()
        .take(MOST_NAMES)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    problem.hint(match more {
        0 => format!("{what}: {names}."),
        more => format!("{what}: {names} and {more} more."),
    })
}
