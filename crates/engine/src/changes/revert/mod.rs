//! Taking changes back: every entry in reverse, the last first, in one transaction that is a change itself.
//!
//! 1. [`load`]: the changes that are meant and their entries.
//! 2. [`veil`]: of these, what the caller sees now: the rest is not there for them, and stays as it is.
//! 3. [`rewind`]: in memory, what every row would be like; where something else happened since, there is a conflict.
//! 4. [`rules`]: whether the caller could write that by hand.
//! 5. [`apply`]: the rows that differ are written, in an order that keys allow, within the caller's rights.

mod answer;
mod apply;
pub(crate) mod load;
mod rewind;
mod rules;
mod veil;

use indexmap::IndexMap;
use loggia_access::Caller;
use loggia_model::Record;
use loggia_model::error::{DELETES_DISABLED, ITEM_CHANGED, UNPROCESSABLE_CONTENT};
use loggia_model::{Problem, Problems};

use super::Recorder;
use crate::again::{Attempts, Turn};
use crate::items::{Changed, Deletes, Receipt, WriteOptions};
use crate::{Engine, Error, system};
use load::Loaded;
pub(crate) use rules::{Relations, Unchecked, rules_of};

/// What is to be taken back.
#[derive(Clone, Debug)]
pub enum RevertTarget {
    /// These changes.
    Changes(Vec<String>),
    /// Every change that matches: of a user, a token, a client, a request, since a time, until a time.
    Matching(Box<super::ChangeFilter>),
}

/// What to do where something else happened since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflicts {
    /// Nothing is taken back; every conflict is named.
    #[default]
    Refuse,
    /// What is in conflict stays as it is.
    Skip,
    /// It is taken back all the same, and what happened since is lost.
    Force,
}

/// How to take back.
#[derive(Clone, Debug, Default)]
pub struct RevertOptions {
    /// Where something else happened since.
    pub conflicts: Conflicts,
    /// Whether items that were created may go.
    pub deletes: Deletes,
    /// What it is for.
    pub title: Option<String>,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// Something else happened to an item since.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The change that is to be taken back.
    pub change: String,
    /// The collection of the item.
    pub collection: String,
    /// Its key, as text.
    pub item: String,
    /// Its fields that are in conflict; none: the item itself.
    pub fields: Vec<String>,
    /// What is the matter, in words for people.
    pub what: String,
    /// What is in those fields now; `None`: the item is not there.
    pub now: Option<Record>,
}

/// A part of what was taken back that is not as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotRestored {
    /// The change that it belongs to.
    pub change: String,
    /// Where it is; `None`: that is not on record.
    pub collection: Option<String>,
    /// The key of the item, as text; `None`: which items is not on record.
    pub item: Option<String>,
    /// Its fields; none: the items themselves.
    pub fields: Vec<String>,
    /// How many items.
    pub items: u64,
    /// Why, in words for people.
    pub what: String,
}

/// What was taken back.
#[derive(Clone, Debug, Default)]
pub struct Reverted {
    /// The key of the change that took it back; `None`: there was nothing to do.
    pub change: Option<String>,
    /// The changes that were taken back.
    pub reverted: Vec<String>,
    /// How many items changed, by collection.
    pub changed: IndexMap<String, Changed>,
    /// What was left as it is, or overwritten.
    pub conflicts: Vec<Conflict>,
    /// What is not as it was: secrets, which are never kept, and what is not on record.
    pub not_restored: Vec<NotRestored>,
}

/// An answer with more conflicts than this helps nobody.
const MOST_CONFLICTS: usize = 1_000;

impl Engine {
    /// Takes changes back.
    ///
    /// # Errors
    /// The one answer for changes that the caller may not know of; everything that is in conflict; what the caller may
    /// not do; what the database refuses. Then nothing was changed.
    pub async fn revert(
        &self,
        caller: &Caller,
        target: RevertTarget,
        options: &RevertOptions,
    ) -> Result<Reverted, Error> {
        // To say what would happen is no change; the recorder asks again before it commits.
        if !options.dry_run {
            loggia_journal::writes_directly(caller)?;
        }
        let (mut attempts, mut turn) = (Attempts::default(), Turn::of(caller));
        loop {
            let outcome = self.try_revert(&target, options, &mut turn).await;
            if let Some(reverted) = self.unless_again(&mut attempts, outcome).await? {
                return Ok(reverted);
            }
        }
    }

    /// `None`: the schema or the permissions changed before the transaction began, which is kept as `turn`.
    async fn try_revert(
        &self,
        target: &RevertTarget,
        options: &RevertOptions,
        turn: &mut Turn,
    ) -> Result<Option<Reverted>, Error> {
        let caller = &turn.caller.clone();
        let known = self.known();
        let grants = self.grants(caller).await?;
        let Some(ids) = load::which(self, &grants, target).await? else {
            return Err(Problem::forbidden().into());
        };
        if load::definitions(self, &ids).await? {
            // It takes a turn of its own.
            turn.give_up();
            return crate::schema::restore::revert(self, caller, ids, options)
                .await
                .map(Some);
        }
        let schema = self.schema();
        let Some(mut tx) = self.turn(turn, &schema, known).await? else {
            return Ok(None);
        };
        let loaded = load::entries(&mut tx, ids).await?;
        let mut reverted = Reverted::default();
        let (mut tx, _) = self
            .revert_rows(tx, caller, loaded, options, Relations::There, &mut reverted)
            .await?;
        if options.dry_run {
            system::after(&mut tx, system::Written::Rows).await?;
            return Ok(Some(reverted));
        }
        let recorded = self.conclude(tx).await?;
        reverted.change = recorded.change;
        Ok(Some(reverted))
    }

    /// Takes the entries of items back, and leaves the transaction open. Answers what must be held against the rules of
    /// the system when the relations are there that follow. What [`system::after`] says of it is for whoever ends the
    /// transaction to ask.
    pub(crate) async fn revert_rows(
        &self,
        mut tx: Recorder,
        caller: &Caller,
        mut loaded: Loaded,
        options: &RevertOptions,
        relations: Relations,
        reverted: &mut Reverted,
    ) -> Result<(Recorder, Vec<Unchecked>), Error> {
        let schema = tx.schema().clone();
        let grants = self.grants_under(&schema, caller).await?;
        let on = self.resolver(&schema, &grants);
        if let [one] = loaded.changes.as_slice() {
            tx.reverts = Some(one.id.clone());
        }
        tx.title = options
            .title
            .clone()
            .or_else(|| Some(title(&loaded, grants.is_admin())));
        reverted.reverted = loaded.changes.iter().map(|change| change.id.clone()).collect();
        let seen = match grants.is_admin() {
            true => None,
            false => Some(veil::narrow(self, &on, &mut loaded).await?),
        };
        reverted.not_restored = tokens_left_out(&mut loaded, options.conflicts)?;
        reverted.not_restored.append(&mut complete(&mut loaded, options)?);
        let mut rewound = rewind::rewind(&mut tx, &loaded, seen.as_ref(), options.conflicts).await?;
        rewind::pointing(self, &on, &mut tx, &mut rewound, options.conflicts).await?;
        refused(&rewound.conflicts, options)?;
        reverted.conflicts = std::mem::take(&mut rewound.conflicts);
        reverted
            .not_restored
            .append(&mut std::mem::take(&mut rewound.not_restored));
        if options.deletes == Deletes::Refused && rewound.deletes() {
            let message = "Taking this back would delete items, and deleting is switched off here.";
            let problem = Problem::new(&DELETES_DISABLED, message);
            return Err(problem
                .hint("Ask somebody who may delete, or switch deleting on in the settings.")
                .into());
        }
        let unchecked =
            rules::prepare(self, &on, &mut tx, &mut rewound, (relations, options.conflicts)).await?;
        let mut writer = self.writer(&on, tx, &WriteOptions::default(), Receipt::default());
        apply::apply(&mut writer, &mut rewound, &self.parts().generator).await?;
        reverted.changed = rewound.counts();
        Ok((writer.tx, unchecked))
    }
}

/// What is in conflict, unless it is to be passed over.
///
/// # Errors
/// All of it.
pub(crate) fn refused(conflicts: &[Conflict], options: &RevertOptions) -> Result<(), Problems> {
    if options.conflicts != Conflicts::Refuse || options.dry_run {
        return Ok(());
    }
    let more = conflicts.len().saturating_sub(MOST_CONFLICTS);
    let mut problems = Problems::default();
    for conflict in conflicts.iter().take(MOST_CONFLICTS) {
        problems.push(conflict.problem());
    }
    if more > 0 {
        let message = format!("There are {more} more conflicts like these.");
        problems.push(Problem::new(&ITEM_CHANGED, message));
    }
    problems.or(())
}

/// What changes did and what is not on record.
///
/// # Errors
/// That there is something: what was not recorded whole cannot be taken back whole, unless that is to be passed over.
pub(crate) fn complete(loaded: &mut Loaded, options: &RevertOptions) -> Result<Vec<NotRestored>, Problems> {
    let mut problems = Problems::default();
    let mut missing = Vec::new();
    for change in &mut loaded.changes {
        if !change.missing.is_empty() {
            let message = format!(
                "Change {} cannot be taken back whole: not all that it did is on record.",
                change.id
            );
            let hint = "What is on record can still be taken back, by skipping the rest or by force; the answer says what \
                        is left out.";
            let parts: Vec<_> = change.missing.iter().map(NotRestored::shown).collect();
            let problem = Problem::new(&UNPROCESSABLE_CONTENT, message)
                .with("change", change.id.as_str())
                .with("not_restored", parts);
            problems.push(problem.hint(hint));
        }
        missing.append(&mut change.missing);
    }
    if options.conflicts == Conflicts::Refuse && !options.dry_run {
        problems.or(missing)
    } else {
        Ok(missing)
    }
}

/// What it is for, where nobody says. Which place a change has among all of them is for administrators to know.
fn title(loaded: &Loaded, counted: bool) -> String {
    match loaded.changes.as_slice() {
        [one] => {
            let name = match counted {
                true => one.number.to_string(),
                false => one.id.clone(),
            };
            match &one.title {
                Some(title) => format!("Takes back change {name}: {title}"),
                None => format!("Takes back change {name}"),
            }
        }
        several => format!("Takes back {} changes", several.len()),
    }
}

/// Access tokens are not taken back: what limits a token is decided where tokens are managed, and nobody gets an old
/// token back.
///
/// # Errors
/// That there are some, unless what stands in the way is to be passed over.
fn tokens_left_out(loaded: &mut Loaded, conflicts: Conflicts) -> Result<Vec<NotRestored>, Problem> {
    let of_tokens = |done: &load::Done| done.collection == "loggia_tokens";
    let tokens: Vec<_> = loaded.entries.iter().filter(|done| of_tokens(done)).collect();
    if !tokens.is_empty() && conflicts == Conflicts::Refuse {
        let message = "Changes of access tokens are not taken back. Nothing was changed.";
        let problem = Problem::new(&UNPROCESSABLE_CONTENT, message);
        return Err(problem.hint("Change tokens through /tokens; take the rest back with conflicts `skip`."));
    }
    let left = tokens.into_iter().map(|done| {
        let fields: std::collections::BTreeSet<_> = done.before.keys().chain(done.after.keys()).collect();
        let fields = fields.into_iter().cloned().collect();
        let what = "Access tokens are not taken back: /tokens is where they are managed.";
        NotRestored::of(done, fields, what)
    });
    let left = left.collect();
    loaded.entries.retain(|done| !of_tokens(done));
    Ok(left)
}
