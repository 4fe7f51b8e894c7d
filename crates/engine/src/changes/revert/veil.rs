//! Of what is to be taken back, what the caller sees now: whoever is no administrator takes that back, and the rest is
//! not there for them. So nothing that they are told, nor whether they are refused, depends on what they do not see.
//!
//! - An item that they do not see is as one that is gone.
//! - A field that they do not see, or that the system fills in by itself, is none of theirs.
//! - Whether they would see an item that comes back shows when it is there again: [`super::apply`] looks.

use std::collections::HashSet;

use loggia_access::Action;
use loggia_model::Problem;

use crate::changes::images::Happened;
use crate::changes::seen::{Place, Seen};
use crate::items::is_stamped;
use crate::query::Resolver;
use crate::{Engine, Error};

use super::NotRestored;
use super::load::{Done, Loaded};

/// Leaves of what was loaded what the caller sees, and answers what that is.
///
/// # Errors
/// The one answer for changes of which the caller sees nothing.
pub(super) async fn narrow(engine: &Engine, on: &Resolver<'_>, loaded: &mut Loaded) -> Result<Seen, Error> {
    let entries = loaded.entries.iter();
    let entries = entries.map(|done| (done.collection.as_str(), done.item.as_str()));
    let missing = loaded.changes.iter().flat_map(|change| &change.missing);
    let missing = missing.filter_map(|part| Some((part.collection.as_deref()?, part.item.as_deref()?)));
    let seen = Seen::of(engine, on.schema, on.grants, entries.chain(missing)).await?;
    let coming: HashSet<(String, String)> = loaded
        .entries
        .iter()
        .filter(|done| done.happened == Happened::Delete && !seen.is_there(&done.collection, &done.item))
        .map(|done| (done.collection.clone(), done.item.clone()))
        .collect();
    loaded.entries.retain_mut(|done| keeps(on, &seen, &coming, done));
    for change in &mut loaded.changes {
        change.missing.retain(|part| tells(on, &seen, part));
    }
    let left: HashSet<&str> = loaded.entries.iter().map(|done| done.change.as_str()).collect();
    loaded
        .changes
        .retain(|change| !change.missing.is_empty() || left.contains(change.id.as_str()));
    if loaded.changes.is_empty() {
        return Err(Problem::forbidden().into());
    }
    Ok(seen)
}

/// Whether the caller sees anything of an entry; what they do not see of it goes.
fn keeps(on: &Resolver<'_>, seen: &Seen, coming: &HashSet<(String, String)>, done: &mut Done) -> bool {
    let Some(granted) = seen.granted(&done.collection) else {
        return false;
    };
    let Some(collection) = on.schema.collection(&done.collection) else {
        return false;
    };
    let place = Place {
        entry: done.entry,
        change: &done.change,
        collection: &done.collection,
    };
    if done.happened == Happened::Delete {
        let columns = collection.fields.keys().cloned().collect();
        seen.narrow(place, &columns, &mut done.before, &mut done.after);
        return true;
    }
    let comes = coming.contains(&(done.collection.clone(), done.item.clone()));
    let fields = match seen.fields(&done.collection, &done.item) {
        _ if comes => granted,
        Some(fields) => fields,
        None => return false,
    };
    seen.narrow(place, fields, &mut done.before, &mut done.after);
    if done.happened == Happened::Create {
        return true;
    }
    let theirs = |name: &String| collection.field(name).is_none_or(|field| !is_stamped(field));
    done.before.retain(|name, _| theirs(name));
    done.after.retain(|name, _| theirs(name));
    !done.before.is_empty() || !done.after.is_empty()
}

/// Whether the caller may know that something is not on record.
fn tells(on: &Resolver<'_>, seen: &Seen, part: &NotRestored) -> bool {
    let collection = part.collection.as_deref();
    let Some(collection) = collection.and_then(|name| on.schema.collection(name)) else {
        return false;
    };
    on.grants.may(Action::Read, collection)
        && part
            .item
            .as_ref()
            .is_none_or(|item| seen.fields(&collection.name, item).is_some())
}
