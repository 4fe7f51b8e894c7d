//! What is taken back is held against the rules that the same values by hand would be held against, and made ready to be
//! written.

use std::collections::BTreeSet;
use std::sync::Arc;

use loggia_access::Action;
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::schema::Default as ColumnDefault;
use loggia_model::{Collection, Field, Link, Problem, Problems, Record, Scalar};

use super::Conflicts;
use super::rewind::{Rewound, State};
use crate::changes::Recorder;
use crate::changes::images::{self, Happened};
use crate::items::draft::{Draft, Intent};
use crate::items::{conceal, is_stamped, pointing_rightly, stamp};
use crate::query::Resolver;
use crate::{Engine, Error, system};

/// What of a row is written.
pub(super) struct Write {
    /// Columns and values as they are stored.
    pub(super) assign: Vec<(Arc<Field>, Scalar)>,
    /// The same as it would be sent.
    pub(super) sent: Record,
    /// What of it the caller answers for: their permissions must grant it.
    pub(super) given: BTreeSet<String>,
}

/// Makes everything ready that is to be written. Answers what cannot be checked before `relations` are there again.
///
/// # Errors
/// Everything that the caller could not write by hand.
pub(super) async fn prepare(
    engine: &Engine,
    on: &Resolver<'_>,
    tx: &mut Recorder,
    rewound: &mut Rewound,
    (relations, conflicts): (Relations, Conflicts),
) -> Result<Vec<Unchecked>, Error> {
    let (mut drafts, mut problems) = (Vec::new(), Problems::default());
    let (mut wholes, mut pointers) = (Vec::new(), Vec::new());
    for rows in rewound.collections.values_mut() {
        let collection = rows.collection.clone();
        for state in rows.rows.values_mut() {
            let Some(happened) = state.happens() else { continue };
            system::writable(on.grants, &collection)?;
            if happened == Happened::Update && !on.grants.is_admin() {
                stamped(on, &collection, state);
            }
            if happened != Happened::Delete {
                let draft = problems.take(draft(on, &collection, state, happened));
                if let (Some(draft), Some(then)) = (&draft, &state.then) {
                    pointers.extend(problems.take(to_any(on, draft, then)).into_iter().flatten());
                    wholes.push(then.clone());
                }
                drafts.extend(draft);
            }
        }
    }
    problems.or(())?;
    // Permissions follow relations: where these are to come, so is what can be said of them.
    let waits =
        |draft: &Draft| relations == Relations::Follow && draft.collection.name == "directus_permissions";
    let (mut later, mut problems) = (Vec::new(), Problems::default());
    for (draft, whole) in drafts.iter_mut().zip(wholes) {
        if waits(draft) {
            let draft = draft.clone();
            later.push(Unchecked { draft, whole });
        } else {
            problems.extend(check(on, draft, &whole));
        }
    }
    problems.take(conceal(engine.parts().hasher.as_ref(), &mut drafts).await);
    // Administrators see everything: what an item of theirs points to in vain, the database knows, but for relations to
    // any collection. With force these come back as they were, as a target that is gone leaves them.
    if !on.grants.is_admin() {
        problems.extend(pointing_rightly(tx, on, &drafts).await?);
    }
    let forced = on.grants.is_admin() && conflicts == Conflicts::Force;
    if !pointers.is_empty() && !forced {
        let coming = drafts.iter().filter(|draft| draft.intent == Intent::Create);
        pointers.extend(coming.map(Draft::bare));
        problems.extend(pointing_rightly(tx, on, &pointers).await?);
    }
    problems.or(())?;
    let mut drafts = drafts.into_iter();
    for rows in rewound.collections.values_mut() {
        let written = rows.rows.values_mut();
        let written =
            written.filter(|state| matches!(state.happens(), Some(Happened::Create | Happened::Update)));
        for (state, draft) in written.zip(&mut drafts) {
            state.write = Some(Write {
                assign: draft.assigns(),
                sent: draft.sent,
                given: draft.given,
            });
        }
    }
    Ok(later)
}

/// Whether the relations of the schema are there, or will be when the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relations {
    There,
    Follow,
}

/// What is written and waits for its check.
pub(crate) struct Unchecked {
    draft: Draft,
    /// The item as it will be.
    whole: Record,
}

/// What the rules of system collections say.
pub(crate) fn rules_of(on: &Resolver<'_>, unchecked: &mut [Unchecked]) -> Problems {
    let mut problems = Problems::default();
    for Unchecked { draft, whole } in unchecked {
        problems.extend(check(on, draft, whole));
    }
    problems
}

fn check(on: &Resolver<'_>, draft: &mut Draft, whole: &Record) -> Problems {
    let mut problems = Problems::default();
    if !draft.collection.system {
        return problems;
    }
    let (collection, item) = (draft.collection.name.clone(), draft.key_text());
    let mut found = system::check(on, draft);
    if draft.intent == Intent::Update && found.0.is_empty() {
        found = system::check_changed(on, draft, whole);
    }
    for problem in found.0 {
        problems.push(
            problem
                .with("collection", collection.as_str())
                .with("item", item.as_str()),
        );
    }
    problems
}

/// Where an item (`then`: the whole of it) would point by relations to any collection, as far as the caller answers for
/// that.
///
/// # Errors
/// That it may not point into that collection.
fn to_any(on: &Resolver<'_>, draft: &Draft, then: &Record) -> Result<Vec<Draft>, Problems> {
    let (mut pointers, mut problems) = (Vec::new(), Problems::default());
    for field in draft.collection.fields.values() {
        let Some(Link::ToAny { relation, targets }) = on.schema.link(&draft.collection.name, &field.name)
        else {
            continue;
        };
        let beside = relation.one_collection_field.as_deref().unwrap_or_default();
        let value = |name: &str| then.get(name).filter(|value| !value.is_null());
        let given = draft.given.contains(&field.name) || draft.given.contains(beside);
        let key = value(&field.name).filter(|_| given);
        let key = key.and_then(|key| images::scalar(field, key));
        let (Some(key), Some(named)) = (key, value(beside).map(images::text)) else {
            continue;
        };
        let targets: Vec<_> = targets
            .into_iter()
            .filter(|target| on.grants.sees(target))
            .collect();
        match targets.iter().find(|target| target.name == named) {
            Some(target) => pointers.push(draft.pointing(field, key, target.clone())),
            None => {
                let known: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
                let hint = format!(
                    "Write it by hand: `{beside}` can be one of: {}.",
                    known.join(", ")
                );
                let message = format!("`{}` cannot point into the collection `{named}`.", field.name);
                let problem = Problem::new(&INVALID_PAYLOAD, message).at(draft.at(beside));
                let problem = problem
                    .with("collection", draft.collection.name.as_str())
                    .with("item", draft.key_text());
                problems.push(problem.hint(hint));
            }
        }
    }
    problems.or(pointers)
}

/// What every change of an item fills in, whatever is changed.
fn stamped(on: &Resolver<'_>, collection: &Collection, state: &mut State) {
    let Some(then) = &mut state.then else { return };
    for field in collection.fields.values() {
        let Some(column) = &field.column else { continue };
        if let Some(scalar) = stamp(on, field, column, false) {
            then.insert(field.name.clone(), field.ty.print(scalar));
        }
    }
}

fn draft(
    on: &Resolver<'_>,
    collection: &Arc<Collection>,
    state: &State,
    happened: Happened,
) -> Result<Draft, Problem> {
    let (intent, sent) = match (happened, &state.then) {
        (Happened::Create, Some(then)) => (Intent::Create, then.clone()),
        _ => (Intent::Update, state.changed()),
    };
    let given = sent.iter().filter(|(name, value)| {
        let Some(field) = collection.field(name) else {
            return false;
        };
        match intent {
            // The rest of an item that comes back comes with it.
            Intent::Create => {
                !value.is_null()
                    && !is_stamped(field)
                    && on.grants.may_touch(Action::Read, collection, field)
                    && !is_default(field, value)
            }
            Intent::Update | Intent::Either => on.grants.is_admin() || !is_stamped(field),
        }
    });
    let given = given.map(|(name, _)| name.clone()).collect();
    Draft::again(on, collection, intent, state.key.clone(), sent, given)
}

/// Whether a new item has this value without anybody's doing.
fn is_default(field: &Field, value: &serde_json::Value) -> bool {
    match field.column.as_ref().map(|column| &column.default) {
        Some(ColumnDefault::Value(default)) => field.ty.print(default.clone()) == *value,
        _ => false,
    }
}
