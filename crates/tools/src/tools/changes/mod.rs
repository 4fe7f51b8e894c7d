//! `changes`: what was changed, by whom and with what; and taking it back.

use std::borrow::Cow;

use loggia_access::Action;
use loggia_engine::changes::{ChangeFilter, ChangedItem, request};
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Problems, Record};
use serde_json::{Map, Value, json};

use crate::bounds::{FEWEST_TOKENS, MOST_TOKENS};
use crate::catalogue::{Annotations, BoxFuture, CallError, ToolResult};
use crate::envelope::{self, Envelope};
use crate::plain_text::plain;
use crate::surface::Surface;
use crate::tool::{Call, REASON, Tool, companions, peek, text};
use crate::tools::model_receipt::shown_plainly;

mod reverting;

/// The tool.
pub(super) struct Changes;

/// Changes that are listed when it is not said how many.
const LISTED: u64 = 20;

/// Characters of a text that somebody gave a change, at most.
const SAID: usize = 200;

/// What belongs to the call and not to what is asked for.
const OURS: [&str; 2] = ["action", "max_tokens"];

impl Tool for Changes {
    fn name(&self) -> &'static str {
        "changes"
    }

    fn description(&self, surface: &Surface) -> Cow<'static, str> {
        let whose = match surface.schema_rights {
            true => "Every write is a change that is kept",
            false => "Every write of yours is a change that is kept",
        };
        let mut said = format!(
            "{whose}, with who made it and how. list: newest first; `since`, `collection`, `token: \"mine\"` and the \
             like narrow it. diff: one of `keys`; each item before and after."
        );
        if surface.switches.writes() {
            said += " revert: takes back `keys`, or everything that a `token`, `client` or `user` did, or that was done \
                     `since` a moment by a `tool` or to a `collection`. Items that were changed again meanwhile are \
                     conflicts: with `refuse` (the default) nothing happens then, `skip` leaves those, `force` \
                     overwrites them.";
        }
        said.into()
    }

    fn annotations(&self, surface: &Surface) -> Annotations {
        let writes = surface.switches.writes();
        Annotations {
            read_only: !writes,
            destructive: writes,
            idempotent: !writes,
            open_world: false,
        }
    }

    fn offered(&self, surface: &Surface) -> bool {
        let writes = [Action::Create, Action::Update, Action::Delete];
        surface.schema_rights || writes.into_iter().any(|action| !surface.reach(action).is_empty())
    }

    fn input(&self, surface: &Surface) -> Value {
        let writes = surface.switches.writes();
        let actions: &[_] = if writes {
            &["list", "diff", "revert"]
        } else {
            &["list", "diff"]
        };
        let said = |description: &str| json!({"type": "string", "description": description});
        let mut properties = json!({
            "action": {"type": "string", "enum": actions},
            "keys": {"type": "array", "description": "Of changes, as in `receipt.change`.", "items": {"type": "string"}},
            "changes": {"type": "array", "description": "The same as `keys`.", "items": {"type": "string"}},
            "since": said("E.g. 2026-01-31T13:45:00Z, or 2026-01-31."),
            "until": {"type": "string"},
            "collection": {"type": "string"},
            "item": {"type": ["string", "integer"], "description": "A key of the collection."},
            "user": said("A key, or `me`."),
            "token": said("A key, or `mine`."),
            "tool": {"type": "string"},
            "client": said("Its name."),
            "origin": said("`rest`, `mcp` or `cli`."),
            "request": said("Its key in the log."),
            "limit": {"type": "integer", "minimum": 1},
            "cursor": said("From `meta.next`."),
            "max_tokens": {"type": "integer", "minimum": FEWEST_TOKENS, "maximum": MOST_TOKENS},
        });
        if writes {
            properties["conflicts"] = json!({"type": "string", "enum": ["refuse", "skip", "force"]});
            properties["everybody"] = json!({"type": "boolean", "description": "Whoever made them."});
            properties["dry_run"] = json!({"type": "boolean", "description": "Only say what would happen."});
            properties["reason"] = said(REASON);
            properties["title"] = said("The same as `reason`.");
        }
        json!({
            "type": "object",
            "properties": properties,
            "required": ["action"],
            "additionalProperties": false,
        })
    }

    fn output(&self, surface: &Surface) -> Value {
        let writes = surface.switches.writes();
        let mut schema = envelope::schema(
            "Changes; what they did to items; changes that were taken back.",
            writes,
        );
        let of_revert = [
            (
                "conflicts",
                "Items that were changed again since: left as they are, or overwritten.",
            ),
            (
                "not_restored",
                "What is not as it was: secrets, which are never kept, and what is not on record.",
            ),
        ];
        for (name, description) in of_revert.into_iter().filter(|_| writes) {
            schema["properties"][name] = json!({
                "type": "array",
                "description": description,
                "items": {"type": "object", "additionalProperties": true},
            });
            schema["properties"]["meta"]["properties"][format!("total_{name}")] =
                json!({"type": "integer", "description": "All of them, where not all are shown."});
        }
        schema
    }

    fn examine(&self, call: &Call<'_>, given: &Map<String, Value>) -> Problems {
        let action = peek(given, "action");
        let words = words(given);
        let no_use: Vec<_> = REVERTING.iter().map(|name| (*name, "Leave it out.")).collect();
        let mut problems = match action {
            "diff" => shown_alone(action, given, &no_use),
            "revert" => {
                let unused = [
                    ("limit", "Everything that matches is taken back."),
                    ("cursor", "Everything that matches is taken back."),
                ];
                let mut problems = companions(given, action, &[], &unused);
                let words = words
                    .into_iter()
                    .filter(|(name, _)| !unused.iter().any(|(no, _)| no == name));
                problems.take(request::to_revert(words.collect(), call.caller).map(drop));
                problems
            }
            _ => {
                let unused = [
                    &no_use[..],
                    &[("keys", "Leave it out."), ("changes", "Leave it out.")],
                ]
                .concat();
                let mut problems = companions(given, action, &[], &unused);
                let words = words
                    .into_iter()
                    .filter(|(name, _)| !unused.iter().any(|(no, _)| no == name));
                problems.take(request::to_list(words.collect(), call.caller, &INVALID_PAYLOAD).map(drop));
                problems
            }
        };
        let collection = peek(given, "collection");
        // Who may do everything also asks for collections that are gone.
        if !collection.is_empty() && !call.grants.is_admin() {
            problems.take(call.collection(collection, "collection"));
        }
        problems
    }

    fn run<'a>(
        &'a self,
        call: Call<'a>,
        mut arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        Box::pin(async move {
            match text(&mut arguments, "action").unwrap_or_default().as_str() {
                "diff" => diff(&call, &arguments).await,
                "revert" => reverting::revert(&call, &arguments).await,
                _ => list(&call, &arguments).await,
            }
        })
    }
}

/// What is there for taking back alone.
const REVERTING: [&str; 4] = ["conflicts", "everybody", "dry_run", "title"];

/// What is asked for, in the words that every door has.
fn words(given: &Map<String, Value>) -> Record {
    let words = given.iter().filter(|(name, _)| !OURS.contains(&name.as_str()));
    words.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What is wrong with asking for one change.
fn shown_alone(action: &str, given: &Map<String, Value>, no_use: &[(&str, &str)]) -> Problems {
    let others = request::FILTERS.iter().map(|name| (*name, "Give `keys` alone."));
    let others: Vec<_> = others.chain(no_use.iter().copied()).collect();
    let needed = [("keys", "Name the changes; `list` shows their keys.")];
    let needed = if given.contains_key("changes") {
        &needed[..0]
    } else {
        &needed[..]
    };
    let mut problems = companions(given, action, needed, &others);
    if keys(given).len() > 1 {
        let problem = Problem::new(&INVALID_PAYLOAD, "One change is shown at a time.");
        problems.push(problem.at("keys").hint("Give one key."));
    }
    let pages = ["limit", "cursor"].into_iter();
    let pages = pages.filter_map(|name| Some((name.to_owned(), given.get(name)?.clone())));
    problems.take(request::to_show(pages.collect(), &INVALID_PAYLOAD).map(drop));
    problems
}

/// How many rows to ask for.
fn limit(call: &Call<'_>, given: &Map<String, Value>) -> u64 {
    let wanted = given.get("limit").and_then(Value::as_u64).unwrap_or(LISTED);
    wanted.min(call.bounds.rows)
}

async fn list(call: &Call<'_>, given: &Map<String, Value>) -> Result<ToolResult, CallError> {
    let filter = request::to_list(words(given), call.caller, &INVALID_PAYLOAD)?;
    let page = async |limit: u64| {
        let wanted = ChangeFilter {
            limit: Some(limit),
            ..filter.clone()
        };
        let page = call.engine.list_changes(call.caller, &wanted).await;
        page.map_err(|error| call.refused("", &error))
    };
    let whole = page(limit(call, given)).await?;
    let (found, mut next) = (whole.changes.len(), whole.next);
    let mut envelope = Envelope::of(whole.changes.into_iter().map(shown).collect(), call.bounds);
    if envelope.returned() < found {
        // What does not fit is on the next page.
        next = page(envelope.returned() as u64).await?.next;
    }
    if let Some(next) = next {
        envelope.truncated();
        envelope.note("next", json!({"cursor": next}));
    }
    Ok(envelope.finish())
}

/// A change without what is empty or only there to verify it, its texts plain: anybody may have written them.
fn shown(change: Record) -> Record {
    let said = change
        .into_iter()
        .filter(|(name, value)| !value.is_null() && !name.ends_with("hash"));
    said.map(|(name, value)| match (name.as_str(), value) {
        ("title" | "client_name" | "client_version" | "user_agent", Value::String(text)) => {
            (name, plain(&text, SAID).into())
        }
        (_, value) => (name, value),
    })
    .collect()
}

/// What one change did, item by item.
async fn diff(call: &Call<'_>, given: &Map<String, Value>) -> Result<ToolResult, CallError> {
    let key = keys(given).pop().unwrap_or_default();
    let cursor = given
        .get("cursor")
        .cloned()
        .map(|cursor| ("cursor".to_owned(), cursor));
    let (_, cursor) = request::to_show(cursor.into_iter().collect(), &INVALID_PAYLOAD)?;
    let part = async |limit: u64| {
        let part = call
            .engine
            .change_diff(call.caller, &key, Some(limit), cursor.as_deref())
            .await;
        part.map_err(|error| {
            let mut told = call.told(&error);
            let unplaced = told.0.iter_mut().filter(|problem| problem.path.is_empty());
            unplaced.for_each(|problem| problem.path = "keys[0]".to_owned());
            CallError::from(told)
        })
    };
    let mut items = part(limit(call, given)).await?;
    let found = items.items.len();
    let mut envelope = Envelope::of(items.items.into_iter().map(changed).collect(), call.bounds);
    if envelope.returned() < found {
        items = part(envelope.returned() as u64).await?;
        envelope = Envelope::of(items.items.into_iter().map(changed).collect(), call.bounds);
    }
    let next = items.next;
    if let Some(next) = next {
        envelope.truncated();
        envelope.note("next", json!({"keys": [key], "cursor": next}));
    }
    Ok(envelope.finish())
}

/// What is on record of the data model: definitions, in which texts stand.
const DEFINITIONS: [&str; 3] = ["directus_collections", "directus_fields", "directus_relations"];

/// An item as it was and as it became; of a definition, what people see of it.
fn changed(mut item: ChangedItem) -> Record {
    if DEFINITIONS.contains(&item.collection.as_str()) {
        let parts = [&mut item.before, &mut item.after].into_iter().flatten();
        parts.for_each(shown_plainly);
    }
    let mut row = Record::new();
    row.insert("collection".to_owned(), item.collection.into());
    row.insert("item".to_owned(), item.item.into());
    row.insert("action".to_owned(), item.action.into());
    row.extend(item.revision.map(|number| ("revision".to_owned(), number.into())));
    for (name, part) in [("before", item.before), ("after", item.after)] {
        row.extend(part.map(|part| (name.to_owned(), part.into())));
    }
    if !item.secrets.is_empty() {
        row.insert("secrets".to_owned(), item.secrets.into());
    }
    row
}

/// The keys of changes that were named, by either word.
fn keys(given: &Map<String, Value>) -> Vec<String> {
    let named = ["keys", "changes"]
        .into_iter()
        .filter_map(|name| given.get(name)?.as_array());
    named
        .flatten()
        .filter_map(|key| key.as_str().map(str::to_owned))
        .collect()
}
