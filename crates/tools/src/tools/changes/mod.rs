//! `changes`: what was changed, by whom and with what; and taking it back.

use std::borrow::Cow;

use loggia_access::Action;
use loggia_engine::changes::{ChangeFilter, ChangedItem};
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Problems, Record};
use serde_json::{Map, Value, json};

use crate::bounds::{FEWEST_TOKENS, MOST_TOKENS};
use crate::catalogue::{Annotations, BoxFuture, CallError, ToolResult};
use crate::envelope::{self, Envelope};
use crate::plain_text::plain;
use crate::surface::Surface;
use crate::tool::{Call, REASON, Tool, companions, peek, text};

mod reverting;

/// The tool.
pub(super) struct Changes;

/// Changes that are listed when it is not said how many.
const LISTED: u64 = 20;

/// Characters of a text that somebody gave a change, at most.
const SAID: usize = 200;

/// What narrows a list of changes.
const FILTERS: [&str; 8] = [
    "since",
    "until",
    "collection",
    "item",
    "user",
    "token",
    "tool",
    "client",
];

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
            said += " revert: takes back `keys`, or everything `since` a moment that a `token`, `client`, `user`, \
                     `tool` made or that touched a `collection`. Items that were changed again meanwhile are \
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
            "since": said("E.g. 2026-01-31T13:45:00Z."),
            "until": {"type": "string"},
            "collection": {"type": "string"},
            "item": {"type": ["string", "integer"], "description": "A key of the collection."},
            "user": said("A key, or `me`."),
            "token": said("A key, or `mine`."),
            "tool": {"type": "string"},
            "client": said("Its name."),
            "limit": {"type": "integer", "minimum": 1},
            "cursor": said("From `meta.next`."),
            "max_tokens": {"type": "integer", "minimum": FEWEST_TOKENS, "maximum": MOST_TOKENS},
        });
        if writes {
            properties["conflicts"] = json!({"type": "string", "enum": ["refuse", "skip", "force"]});
            properties["reason"] = said(REASON);
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
                "Secrets that were changed; their values are never kept.",
            ),
        ];
        for (name, description) in of_revert.into_iter().filter(|_| writes) {
            schema["properties"][name] = json!({
                "type": "array",
                "description": description,
                "items": {"type": "object", "additionalProperties": true},
            });
        }
        schema
    }

    fn examine(&self, call: &Call<'_>, given: &Map<String, Value>) -> Problems {
        let action = peek(given, "action");
        let keys = [("keys", "Name the changes; `list` shows their keys.")];
        let mut problems = match action {
            "list" => companions(
                given,
                action,
                &[],
                &[("keys", "Leave it out."), ("conflicts", "Leave it out.")],
            ),
            "diff" => {
                let others = FILTERS.iter().map(|name| (*name, "Give `keys` alone."));
                let others: Vec<_> = others.chain([("conflicts", "Leave it out.")]).collect();
                let mut problems = companions(given, action, &keys, &others);
                if given
                    .get("keys")
                    .and_then(Value::as_array)
                    .is_some_and(|keys| keys.len() > 1)
                {
                    let problem = Problem::new(&INVALID_PAYLOAD, "One change is shown at a time.");
                    problems.push(problem.at("keys").hint("Give one key."));
                }
                problems
            }
            "revert" => reverting::revertible(given),
            _ => Problems::default(),
        };
        if given.contains_key("item") && !given.contains_key("collection") {
            let problem = Problem::new(&INVALID_PAYLOAD, "An item is named, but not its collection.");
            problems.push(problem.at("collection").hint("Give both."));
        }
        let collection = peek(given, "collection");
        // Who may do everything also asks for collections that are gone.
        if !collection.is_empty() && !call.grants.is_admin() {
            problems.take(call.collection(collection, "collection"));
        }
        problems.take(filter(call, given).map(drop));
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

/// The filter that the arguments make.
fn filter(call: &Call<'_>, given: &Map<String, Value>) -> Result<ChangeFilter, Problems> {
    let said = |name: &str| match given.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let mut problems = Problems::default();
    let claims = call.caller.claims();
    let mut own = |name: &str, word: &str, own: Option<String>, hint: &str| match said(name) {
        Some(text) if text == word => {
            if own.is_none() {
                let problem = Problem::new(&INVALID_PAYLOAD, format!("There is no {name} of your own here."));
                problems.push(problem.at(name).hint(hint));
            }
            own
        }
        other => other,
    };
    let token = claims.token.as_ref().map(|token| token.id.clone());
    let hint = "This connection has no access token: use `user: \"me\"`.";
    let mut filter = ChangeFilter {
        token: own("token", "mine", token, hint),
        user: own("user", "me", claims.user.clone(), "Nobody is signed in."),
        collection: said("collection"),
        item: said("item"),
        tool: said("tool"),
        client: said("client"),
        ..ChangeFilter::default()
    };
    for (name, place) in [("since", &mut filter.since), ("until", &mut filter.until)] {
        *place = said(name).and_then(|text| {
            let moment = text.trim().parse();
            moment
                .map_err(|_| problems.push(unreadable(name, "a moment", "Write it as 2026-01-31T13:45:00Z.")))
                .ok()
        });
    }
    filter.cursor = problems.take(cursor(given)).flatten();
    problems.or(filter)
}

/// Where the last answer ended.
fn cursor(given: &Map<String, Value>) -> Result<Option<i64>, Problem> {
    let Some(text) = given.get("cursor").and_then(Value::as_str) else {
        return Ok(None);
    };
    let hint = "Use the one of `meta.next`, or none.";
    text.parse()
        .map(Some)
        .map_err(|_| unreadable("cursor", "a cursor", hint))
}

fn unreadable(name: &str, what: &str, hint: &str) -> Problem {
    let message = format!("`{name}` is not {what}.");
    Problem::new(&INVALID_PAYLOAD, message).at(name).hint(hint)
}

/// How many rows to ask for.
fn limit(call: &Call<'_>, given: &Map<String, Value>) -> u64 {
    let wanted = given.get("limit").and_then(Value::as_u64).unwrap_or(LISTED);
    wanted.min(call.bounds.rows)
}

async fn list(call: &Call<'_>, given: &Map<String, Value>) -> Result<ToolResult, CallError> {
    let filter = filter(call, given)?;
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
        envelope.note("next", json!({"cursor": next.to_string()}));
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
    let cursor = cursor(given)?;
    let part = async |limit: u64| {
        let part = call
            .engine
            .change_diff(call.caller, &key, Some(limit), cursor)
            .await;
        part.map_err(|error| CallError::from(call.told(&error).within("keys[0]")))
    };
    let mut items = part(limit(call, given)).await?;
    let found = items.items.len();
    let mut envelope = Envelope::of(items.items.into_iter().map(changed).collect(), call.bounds);
    if envelope.returned() < found {
        // As many as fit. Items that the caller may not see count too, so these may be fewer; the next part follows them.
        items = part(envelope.returned() as u64).await?;
        envelope = Envelope::of(items.items.into_iter().map(changed).collect(), call.bounds);
    }
    let next = items.next;
    if let Some(next) = next {
        envelope.truncated();
        envelope.note("next", json!({"keys": [key], "cursor": next.to_string()}));
    }
    Ok(envelope.finish())
}

/// An item as it was and as it became.
fn changed(item: ChangedItem) -> Record {
    let mut row = Record::new();
    row.insert("collection".to_owned(), item.collection.into());
    row.insert("item".to_owned(), item.item.into());
    row.insert("action".to_owned(), item.action.into());
    row.insert("_rev".to_owned(), item.revision.into());
    for (name, part) in [("before", item.before), ("after", item.after)] {
        row.extend(part.map(|part| (name.to_owned(), part.into())));
    }
    if !item.secrets.is_empty() {
        row.insert("secrets".to_owned(), item.secrets.into());
    }
    row
}

/// The keys of changes that were named.
fn keys(given: &Map<String, Value>) -> Vec<String> {
    let keys = given.get("keys").and_then(Value::as_array).into_iter().flatten();
    keys.filter_map(|key| key.as_str().map(str::to_owned)).collect()
}
