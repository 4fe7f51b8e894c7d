//! Takes changes back: named ones, or everything that somebody did.

use loggia_access::Action;
use loggia_engine::changes::{Conflict, NotRestored, RevertOptions, request};
use loggia_engine::items::{Deletes, Receipt};
use loggia_model::Record;
use serde_json::{Map, Value};

use crate::catalogue::{CallError, ToolResult};
use crate::envelope::Envelope;
use crate::tool::Call;
use crate::tools::model_receipt::shown_plainly;

/// Conflicts that are shown, at most; and parts that are not restored.
const SHOWN: usize = 50;

pub(super) async fn revert(call: &Call<'_>, given: &Map<String, Value>) -> Result<ToolResult, CallError> {
    let (target, options) = request::to_revert(super::words(given), call.caller)?;
    let options = RevertOptions {
        deletes: match call.surface.switches.lets(Action::Delete) {
            true => Deletes::Allowed,
            false => Deletes::Refused,
        },
        title: call.caller.attribution().title.clone().or(options.title),
        ..options
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
    for (name, there) in [
        ("conflicts", reverted.conflicts.len()),
        ("not_restored", reverted.not_restored.len()),
    ] {
        if there > SHOWN {
            envelope.note(&format!("total_{name}"), there);
        }
    }
    let mut result = envelope.finish();
    let conflicts = reverted.conflicts.into_iter().take(SHOWN).map(conflict);
    let lost = reverted.not_restored.iter().take(SHOWN).map(NotRestored::shown);
    let parts: [(&str, Vec<Value>); 2] = [
        ("conflicts", conflicts.collect()),
        ("not_restored", lost.collect()),
    ];
    for (name, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
        result.structured.insert(name.to_owned(), part.into());
    }
    Ok(result)
}

/// A conflict, and what people see of a definition that is there now.
fn conflict(mut conflict: Conflict) -> Value {
    if super::DEFINITIONS.contains(&conflict.collection.as_str()) {
        conflict.now.iter_mut().for_each(shown_plainly);
    }
    conflict.shown()
}
