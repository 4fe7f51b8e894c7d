//! What is taken back is held against the rules that the same values by hand would be held against, and made ready to be
//! written.

use std::collections::BTreeSet;
use std::sync::Arc;

use loggia_access::Action;
use loggia_model::schema::Default as ColumnDefault;
use loggia_model::{Collection, Field, Problem, Problems, Record, Scalar};

use super::rewind::{Rewound, State};
use crate::changes::Recorder;
use crate::changes::images::Happened;
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
    relations: Relations,
) -> Result<Vec<Draft>, Error> {
    let (mut drafts, mut problems) = (Vec::new(), Problems::default());
    for rows in rewound.collections.values_mut() {
        let collection = rows.collection.clone();
        for state in rows.rows.values_mut() {
            let Some(happened) = state.happens() else { continue };
            system::writable(on.grants, &collection)?;
            if happened == Happened::Update && !on.grants.is_admin() {
                stamped(on, &collection, state);
            }
            if happened != Happened::Delete {
                drafts.extend(problems.take(draft(on, &collection, state, happened)));
            }
        }
    }
    problems.or(())?;
    // Permissions follow relations: where these are to come, so is what can be said of them.
    let waits =
        |draft: &Draft| relations == Relations::Follow && draft.collection.name == "directus_permissions";
    let later = drafts.iter().filter(|draft| waits(draft)).cloned().collect();
    let mut problems = check(on, drafts.iter_mut().filter(|draft| !waits(draft)));
    problems.take(conceal(engine.parts().hasher.as_ref(), &mut drafts).await);
    // Administrators see everything: what an item of theirs points to in vain, the database knows.
    if !on.grants.is_admin() {
        problems.extend(pointing_rightly(tx, on, &drafts).await?);
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

/// What the rules of system collections say.
pub(crate) fn rules_of(on: &Resolver<'_>, drafts: &mut [Draft]) -> Problems {
    check(on, drafts.iter_mut())
}

fn check<'d>(on: &Resolver<'_>, drafts: impl IntoIterator<Item = &'d mut Draft>) -> Problems {
    let mut problems = Problems::default();
    for draft in drafts.into_iter().filter(|draft| draft.collection.system) {
        let (collection, item) = (draft.collection.name.clone(), draft.key_text());
        for problem in system::check(on, draft).0 {
            problems.push(
                problem
                    .with("collection", collection.as_str())
                    .with("item", item.as_str()),
            );
        }
    }
    problems
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
