//! `/changes`: who changed what, and taking it back.
//!
//! | address | does |
//! |---|---|
//! | `GET /changes` | lists changes, the last first; filters are query parameters ([`request::FILTERS`]) |
//! | `GET /changes/:id` | one change with its `entries`: every item before and after |
//! | `POST /changes/:id/revert` | takes one back: `{conflicts?, title?, dry_run?}` |
//! | `POST /changes/revert` | takes many back: the same with `changes: [ids]`, or with filters |
//!
//! What these say is read by the engine, for every door alike.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use loggia_access::Caller;
use loggia_engine::changes::{ChangedItem, RevertOptions, RevertTarget, request};
use loggia_model::error::{INVALID_PAYLOAD, INVALID_QUERY};
use loggia_model::{Problem, Record};
use serde_json::{Value, json};

use super::Named;
use crate::App;
use crate::answer::{self, Refusal};
use crate::body::JsonBody;
use crate::openapi::Audience::SignedIn;
use crate::openapi::Operation;
use crate::query_string::QueryString;
use crate::router::Routes;
use crate::verbs::Verbs;
use crate::who::Who;

type Answer = Result<Response, Refusal>;

pub(crate) fn routes() -> Routes {
    let listed = Operation::list("list_changes", "Who changed what, the last first", SignedIn);
    let one = "One change: every item before and after";
    let one = Operation::object("read_change", one, SignedIn).query(&[&request::PAGES]);
    let taken_back = Operation::object("revert_change", "Take a change back", SignedIn);
    let many = Operation::object("revert_changes", "Take many changes back at once", SignedIn);
    Routes::new()
        .route(
            "/changes",
            Verbs::new().get(list, listed.query(&[&request::FILTERS, &request::PAGES])),
        )
        .route(
            "/changes/revert",
            Verbs::new().post(revert_many, many.takes_object().changes().conflicts()),
        )
        .route("/changes/{id}", Verbs::new().get(read, one))
        .route(
            "/changes/{id}/revert",
            Verbs::new().post(revert_one, taken_back.may_take_object().changes().conflicts()),
        )
}

async fn list(State(app): State<App>, Who(caller): Who, QueryString(query): QueryString) -> Answer {
    signed_in(&caller)?;
    let filter = request::to_list(query, &caller, &INVALID_QUERY)?;
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
    let (limit, cursor) = request::to_show(query, &INVALID_QUERY)?;
    let mut change = app.engine().read_change(&caller, &id).await?;
    let diff = app
        .engine()
        .change_diff(&caller, &id, limit, cursor.as_deref())
        .await?;
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
    let options = request::to_revert_one(object(
        body.0.unwrap_or_else(|| json!({})),
        "{\"conflicts\": \"refuse\"}",
    )?)?;
    revert(&app, &caller, RevertTarget::Changes(vec![id]), &options).await
}

async fn revert_many(State(app): State<App>, Who(caller): Who, body: JsonBody) -> Answer {
    signed_in(&caller)?;
    let (target, options) =
        request::to_revert(object(body.required()?, "{\"changes\": [\"<key>\"]}")?, &caller)?;
    revert(&app, &caller, target, &options).await
}

async fn revert(app: &App, caller: &Caller, target: RevertTarget, options: &RevertOptions) -> Answer {
    let reverted = app.engine().revert(caller, target, options).await?;
    Ok(answer::data(&reverted.shown()))
}

/// Nobody's changes are nobody's to see.
fn signed_in(caller: &Caller) -> Result<(), Problem> {
    if caller.is_public() {
        return Err(Problem::forbidden());
    }
    Ok(())
}

fn paged(data: &Value, next: Option<String>) -> Response {
    answer::json(StatusCode::OK, &json!({"data": data, "meta": {"next": next}}))
}

fn entry(item: ChangedItem) -> Value {
    let mut entry = json!({
        "collection": item.collection,
        "item": item.item,
        "action": item.action,
        "before": item.before,
        "after": item.after,
        "secrets": item.secrets,
    });
    if let Some(number) = item.revision {
        entry["revision"] = number.into();
    }
    entry
}

fn object(body: Value, such_as: &str) -> Result<Record, Problem> {
    match body {
        Value::Object(members) => Ok(members),
        _ => {
            let problem = Problem::new(&INVALID_PAYLOAD, "Expected an object.");
            Err(problem.hint(format!("Send an object such as {such_as}.")))
        }
    }
}
