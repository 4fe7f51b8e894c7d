//! `/changes`: who changed what, and taking it back.
//!
//! | address | does |
//! |---|---|
//! | `GET /changes` | lists changes, the last first; filters are query parameters ([`wanted`]) |
//! | `GET /changes/:id` | one change with its `entries`: every item before and after |
//! | `POST /changes/:id/revert` | takes one back: `{conflicts?, title?, dry_run?}` |
//! | `POST /changes/revert` | takes many back: the same with `changes: [ids]`, or with filters |

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use loggia_access::Caller;
use loggia_engine::changes::{
    ChangeFilter, ChangedItem, Conflict, Conflicts, RevertOptions, RevertTarget, Reverted,
};
use loggia_engine::items::Deletes;
use loggia_model::error::{Code, INVALID_PAYLOAD, INVALID_QUERY, nearest};
use loggia_model::{Problem, Problems, Record};
use serde_json::{Map, Value, json};

use super::Named;
use crate::App;
use crate::answer::{self, Refusal};
use crate::body::JsonBody;
use crate::query_string::QueryString;
use crate::verbs::Verbs;
use crate::who::Who;

type Answer = Result<Response, Refusal>;

/// What changes are chosen by.
const FILTERS: [&str; 10] = [
    "user",
    "token",
    "client",
    "collection",
    "item",
    "origin",
    "tool",
    "request",
    "since",
    "until",
];
/// How much of a list is answered.
const PAGES: [&str; 2] = ["limit", "cursor"];
/// How changes are taken back.
const OPTIONS: [&str; 3] = ["conflicts", "title", "dry_run"];

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/changes", Verbs::new().get(list).into_router())
        .route("/changes/revert", Verbs::new().post(revert_many).into_router())
        .route("/changes/{id}", Verbs::new().get(read).into_router())
        .route(
            "/changes/{id}/revert",
            Verbs::new().post(revert_one).into_router(),
        )
}

async fn list(State(app): State<App>, Who(caller): Who, QueryString(query): QueryString) -> Answer {
    signed_in(&caller)?;
    let mut given = Given::new(query, &INVALID_QUERY);
    let mut filter = given.filter(&caller);
    given.page(&mut filter.limit, &mut filter.cursor);
    given.done(&[&FILTERS[..], &PAGES[..]].concat())?;
    let page = app.engine().list_changes(&caller, &filter).await?;
    Ok(paged(&json!(page.changes), page.next))
}

async fn read(
    State(app): State<App>,
    Who(caller): Who,
    Named(id): Named<String>,
    QueryString(query): QueryString,
) -> Answer {
    signed_in(&caller)?;
    let mut given = Given::new(query, &INVALID_QUERY);
    let (mut limit, mut cursor) = (None, None);
    given.page(&mut limit, &mut cursor);
    given.done(&PAGES)?;
    let mut change = app.engine().read_change(&caller, &id).await?;
    let diff = app.engine().change_diff(&caller, &id, limit, cursor).await?;
    change.insert("entries".to_owned(), diff.items.into_iter().map(entry).collect());
    Ok(paged(&change.into(), diff.next))
}

async fn revert_one(
    State(app): State<App>,
    Who(caller): Who,
    Named(id): Named<String>,
    body: JsonBody,
) -> Answer {
    signed_in(&caller)?;
    let mut given = Given::new(object(body.0.unwrap_or_else(|| json!({})))?, &INVALID_PAYLOAD);
    let options = given.options();
    given.done(&OPTIONS)?;
    revert(&app, &caller, RevertTarget::Changes(vec![id]), &options).await
}

async fn revert_many(State(app): State<App>, Who(caller): Who, body: JsonBody) -> Answer {
    signed_in(&caller)?;
    let mut given = Given::new(object(body.required()?)?, &INVALID_PAYLOAD);
    let options = given.options();
    let ids = given.keys("changes");
    let is_filtered = FILTERS.iter().any(|name| given.members.contains_key(*name));
    let filter = given.filter(&caller);
    if ids.is_some() == is_filtered {
        given.problems.push(
            Problem::new(
                &INVALID_PAYLOAD,
                "It must be said which changes: by `changes` or by what they have in common, not both.",
            )
            .hint("Send {\"changes\": [keys]} or for example {\"token\": key, \"since\": moment}."),
        );
    }
    given.done(&[&["changes"], &FILTERS[..], &OPTIONS[..]].concat())?;
    let target = match ids {
        Some(ids) => RevertTarget::Changes(ids),
        None => RevertTarget::Matching(Box::new(filter)),
    };
    revert(&app, &caller, target, &options).await
}

async fn revert(app: &App, caller: &Caller, target: RevertTarget, options: &RevertOptions) -> Answer {
    let reverted = app.engine().revert(caller, target, options).await?;
    Ok(answer::data(&shown(reverted)))
}

/// Nobody's changes are nobody's to see.
fn signed_in(caller: &Caller) -> Result<(), Problem> {
    if caller.is_public() {
        return Err(Problem::forbidden());
    }
    Ok(())
}

fn paged(data: &Value, next: Option<i64>) -> Response {
    answer::json(StatusCode::OK, &json!({"data": data, "meta": {"next": next}}))
}

fn entry(item: ChangedItem) -> Value {
    json!({
        "collection": item.collection,
        "item": item.item,
        "action": item.action,
        "revision": item.revision,
        "before": item.before,
        "after": item.after,
        "secrets": item.secrets,
    })
}

fn shown(reverted: Reverted) -> Value {
    let changed = reverted.changed.into_iter().map(|(collection, changed)| {
        let counts =
            json!({"created": changed.created, "updated": changed.updated, "deleted": changed.deleted});
        (collection, counts)
    });
    let conflict = |conflict: Conflict| {
        json!({
            "change": conflict.change,
            "collection": conflict.collection,
            "item": conflict.item,
            "fields": conflict.fields,
            "what": conflict.what,
            "now": conflict.now,
        })
    };
    let lost = |(collection, item, fields)| json!({"collection": collection, "item": item, "fields": fields});
    json!({
        "change": reverted.change,
        "reverted": reverted.reverted,
        "changed": changed.collect::<Map<_, _>>(),
        "conflicts": reverted.conflicts.into_iter().map(conflict).collect::<Vec<_>>(),
        "not_restored": reverted.not_restored.into_iter().map(lost).collect::<Vec<_>>(),
    })
}

fn object(body: Value) -> Result<Record, Problem> {
    match body {
        Value::Object(members) => Ok(members),
        _ => {
            Err(Problem::new(&INVALID_PAYLOAD, "Expected an object.")
                .hint("Send {\"conflicts\": \"refuse\"}."))
        }
    }
}

/// What was sent, taken member by member; what is wrong with it is collected.
struct Given {
    members: Record,
    code: &'static Code,
    problems: Problems,
}

impl Given {
    fn new(members: Record, code: &'static Code) -> Self {
        Self {
            members,
            code,
            problems: Problems::default(),
        }
    }

    fn refuse(&mut self, name: &str, message: impl Into<String>, hint: &str) {
        let problem = Problem::new(self.code, message).at(name).hint(hint);
        self.problems.push(problem);
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.members.shift_remove(name)? {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => {
                self.refuse(
                    name,
                    format!("`{name}` is a text."),
                    "Leave it out to choose by something else.",
                );
                None
            }
        }
    }

    /// A key, or `me`.
    fn who(&mut self, name: &str, me: Option<&str>) -> Option<String> {
        let text = self.text(name)?;
        if text != "me" {
            return Some(text);
        }
        if me.is_none() {
            self.refuse(name, format!("There is no {name} of yours."), "Name a key.");
        }
        me.map(str::to_owned)
    }

    /// A moment, or the beginning of a day.
    fn moment(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.text(name)?;
        let day = || {
            let day: Date = text.parse().ok()?;
            day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        };
        let moment = text.parse().ok().or_else(day);
        if moment.is_none() {
            self.refuse(
                name,
                format!("`{name}` is a moment."),
                "Write 2026-11-21T08:00:00Z, or 2026-11-21 for the beginning of that day (UTC).",
            );
        }
        moment
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        let value = self.members.shift_remove(name)?;
        let number = match &value {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        let number = number.filter(|number| *number > 0);
        if number.is_none() {
            self.refuse(
                name,
                format!("`{name}` is a whole number above 0."),
                "`cursor` is `meta.next` of the page before.",
            );
        }
        number
    }

    fn keys(&mut self, name: &str) -> Option<Vec<String>> {
        let value = self.members.shift_remove(name)?;
        let keys: Option<Vec<String>> = value.as_array().and_then(|keys| {
            let keys = keys.iter().map(|key| key.as_str().map(str::to_owned));
            keys.collect()
        });
        if keys.as_ref().is_none_or(Vec::is_empty) {
            self.refuse(
                name,
                format!("`{name}` is a list of keys."),
                "GET /changes lists them as `id`.",
            );
        }
        Some(keys.unwrap_or_default())
    }

    fn filter(&mut self, caller: &Caller) -> ChangeFilter {
        let token = caller.claims().token.as_ref().map(|token| token.id.as_str());
        let filter = ChangeFilter {
            user: self.who("user", caller.user()),
            token: self.who("token", token),
            client: self.text("client"),
            collection: self.text("collection"),
            item: self.text("item"),
            origin: self.text("origin"),
            tool: self.text("tool"),
            request: self.text("request"),
            since: self.moment("since"),
            until: self.moment("until"),
            ..ChangeFilter::default()
        };
        if filter.item.is_some() && filter.collection.is_none() {
            self.refuse(
                "item",
                "Of which collection the item is, is not said.",
                "Send `collection` as well.",
            );
        }
        filter
    }

    fn page(&mut self, limit: &mut Option<u64>, cursor: &mut Option<i64>) {
        *limit = self.number("limit").and_then(|number| u64::try_from(number).ok());
        *cursor = self.number("cursor");
    }

    fn options(&mut self) -> RevertOptions {
        let conflicts = match self.text("conflicts").as_deref() {
            None | Some("refuse") => Conflicts::Refuse,
            Some("skip") => Conflicts::Skip,
            Some("force") => Conflicts::Force,
            Some(_) => {
                self.refuse(
                    "conflicts",
                    "There is no such way to deal with conflicts.",
                    "Use refuse (nothing is taken back), skip (what is in conflict stays) or force.",
                );
                Conflicts::Refuse
            }
        };
        let dry_run = match self.members.shift_remove("dry_run") {
            None => false,
            Some(Value::Bool(dry_run)) => dry_run,
            Some(_) => {
                self.refuse(
                    "dry_run",
                    "`dry_run` is true or false.",
                    "Leave it out to take the changes back.",
                );
                true
            }
        };
        RevertOptions {
            conflicts,
            deletes: Deletes::Allowed,
            title: self.text("title"),
            dry_run,
        }
    }

    /// Refuses what is left over, and everything that was wrong.
    fn done(mut self, known: &[&'static str]) -> Result<(), Problems> {
        let rest: Vec<String> = self.members.keys().cloned().collect();
        for name in rest {
            let hint = match nearest(&name, known.iter().copied()) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("Known here: {}.", known.join(", ")),
            };
            self.refuse(&name, format!("`{name}` is not known here."), &hint);
        }
        self.problems.or(())
    }
}
