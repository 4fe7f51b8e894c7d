//! Takes changes back: named ones, or everything that somebody did since a moment.

use loggia_access::Action;
use loggia_engine::changes::{Conflict, Conflicts, RevertOptions, RevertTarget};
use loggia_engine::items::{Deletes, Receipt};
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Problems, Record};
use serde_json::{Map, Value, json};

use super::{FILTERS, filter, keys};
use crate::catalogue::{CallError, ToolResult};
use crate::envelope::Envelope;
use crate::tool::{Call, companions, peek};

/// What says whose or which changes to take back, beside `since`.
const WHOSE: [&str; 5] = ["token", "client", "user", "tool", "collection"];

/// Conflicts that are shown, at most.
const CONFLICTS: usize = 50;

/// What a revert needs: keys, or a moment and whose or which changes since then.
pub(super) fn revertible(given: &Map<String, Value>) -> Problems {
    let filtered = FILTERS.iter().any(|name| given.contains_key(*name));
    let unused = [
        ("limit", "Everything that matches is taken back."),
        ("cursor", "Everything that matches is taken back."),
    ];
    if !filtered {
        let hint =
            "Name the changes, or give `since` and one of `token`, `client`, `user`, `tool`, `collection`.";
        return companions(given, "revert", &[("keys", hint)], &unused);
    }
    let mut problems = companions(given, "revert", &[("since", "From when on?")], &unused);
    let refuse = |message: &str| Problem::new(&INVALID_PAYLOAD, message);
    if given.contains_key("keys") {
        let problem = refuse("Both `keys` and a filter say which changes to take back.");
        problems.push(problem.at("keys").hint("Give one of them."));
    }
    if !WHOSE.iter().any(|name| given.contains_key(*name)) {
        let problem = refuse("It is not said whose changes to take back.");
        let hint =
            "Give `token` (\"mine\" for those of this connection), `client`, `user`, `tool` or `collection`.";
        problems.push(problem.at("token").hint(hint));
    }
    problems
}

/// What is to be taken back.
fn target(call: &Call<'_>, given: &Map<String, Value>) -> Result<RevertTarget, CallError> {
    if given.contains_key("keys") {
        return Ok(RevertTarget::Changes(keys(given)));
    }
    Ok(RevertTarget::Matching(Box::new(filter(call, given)?)))
}

pub(super) async fn revert(call: &Call<'_>, given: &Map<String, Value>) -> Result<ToolResult, CallError> {
    let target = target(call, given)?;
    let options = RevertOptions {
        conflicts: match peek(given, "conflicts") {
            "skip" => Conflicts::Skip,
            "force" => Conflicts::Force,
            _ => Conflicts::Refuse,
        },
        deletes: match call.surface.switches.lets(Action::Delete) {
            true => Deletes::Allowed,
            false => Deletes::Refused,
        },
        title: call.caller.attribution().title.clone(),
        dry_run: false,
    };
    let reverted = call.engine.revert(call.caller, target, &options).await;
    let reverted = reverted.map_err(|error| call.refused("", &error))?;
    let rows = reverted.reverted.iter();
    let rows = rows.map(|key| Record::from_iter([("id".to_owned(), key.as_str().into())]));
    let mut envelope = Envelope::of(rows.collect(), call.bounds);
    if envelope.returned() < reverted.reverted.len() {
        envelope.note("total", reverted.reverted.len());
    }
    envelope.receipt(&Receipt {
        changed: reverted.changed,
        ..Receipt::default()
    });
    let mut result = envelope.finish();
    if !reverted.conflicts.is_empty() {
        let conflicts = reverted.conflicts.iter().take(CONFLICTS).map(shown);
        result
            .structured
            .insert("conflicts".to_owned(), conflicts.collect());
    }
    if !reverted.not_restored.is_empty() {
        let secrets = reverted.not_restored.iter().take(CONFLICTS);
        let secrets = secrets.map(
            |(collection, item, fields)| json!({"collection": collection, "item": item, "fields": fields}),
        );
        result
            .structured
            .insert("not_restored".to_owned(), secrets.collect());
    }
    Ok(result)
}

fn shown(conflict: &Conflict) -> Value {
    let mut shown = json!({
        "change": conflict.change,
        "collection": conflict.collection,
        "item": conflict.item,
        "fields": conflict.fields,
        "what": conflict.what,
    });
    if let Some(now) = &conflict.now {
        shown["now"] = now.clone().into();
    }
    shown
}
