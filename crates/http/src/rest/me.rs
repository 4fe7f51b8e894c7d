//! The caller's own: `/users/me`, `/roles/me`, `/policies/me/globals`, `/permissions/me`, and below it what they may do
//! with one item.
//!
//! Every signed-in user may see their own key; more of it is a matter of permissions.

use axum::extract::State;
use axum::response::Response;
use loggia_access::{Action, Caller, Fields, Grants};
use loggia_engine::items::Target;
use loggia_model::error::{FORBIDDEN, INVALID_CREDENTIALS};
use loggia_model::{Collection, Problem, Query, Record};
use serde_json::{Map, Value, json};

use super::Named;
use super::items::Answering;
use crate::App;
use crate::answer::{self, Refusal};
use crate::body::JsonBody;
use crate::openapi::Audience::{Everybody, SignedIn, Themselves};
use crate::openapi::Operation;
use crate::query_string::QueryString;
use crate::router::Routes;
use crate::verbs::Verbs;
use crate::who::{SettingUp, Who};

type Answer = Result<Response, Refusal>;

const USERS: &str = "directus_users";
const ROLES: &str = "directus_roles";

pub(crate) fn routes() -> Routes {
    let me = Operation::object("read_me", "Read the caller", SignedIn);
    let changed = Operation::object("update_me", "Change the caller", Themselves)
        .takes_object()
        .changes();
    let own_roles = Operation::list("read_my_roles", "Read the caller's roles", SignedIn);
    let general = "What the caller's policies allow in general";
    let general = Operation::object("read_my_globals", general, Everybody);
    let rights = Operation::object("read_my_permissions", "What the caller may do", SignedIn);
    let about = "What the caller may do with the item of a singleton";
    let about_singleton = Operation::object("read_my_permissions_on_singleton", about, SignedIn);
    let about = "What the caller may do with one item";
    let about_item = Operation::object("read_my_permissions_on_item", about, SignedIn);
    Routes::new()
        .route("/users/me", Verbs::new().get(read, me).patch(update, changed))
        .route("/roles/me", Verbs::new().get(roles, own_roles))
        .route("/policies/me/globals", Verbs::new().get(globals, general))
        .route("/permissions/me", Verbs::new().get(permissions, rights))
        .route(
            "/permissions/me/{collection}",
            Verbs::new().get(with_singleton, about_singleton),
        )
        .route(
            "/permissions/me/{collection}/{key}",
            Verbs::new().get(with_item, about_item),
        )
}

/// The key of whoever signed in.
pub(super) fn user(caller: &Caller) -> Result<Value, Problem> {
    let nobody = || {
        Problem::new(&INVALID_CREDENTIALS, "Nobody is signed in.")
            .hint("Send Authorization: Bearer with a token.")
    };
    caller.user().map(Value::from).ok_or_else(nobody)
}

async fn read(State(app): State<App>, Who(caller): Who, QueryString(query): QueryString) -> Answer {
    let key = user(&caller)?;
    let query = Query::from_json(&Value::Object(query))?;
    Ok(answer::data(&own(&app, &caller, USERS, key, query).await?))
}

/// A row of the caller's own: what they may read of it; the key where that is nothing.
async fn own(
    app: &App,
    caller: &Caller,
    collection: &str,
    key: Value,
    query: Query,
) -> Result<Record, Refusal> {
    let refused = match app.engine().read_item(caller, collection, &key, query).await {
        Ok(row) => return Ok(row),
        Err(refused) => refused,
    };
    // Either what was asked for is too much of a row that may be read, or the row itself may not be.
    let key_alone = Query::from_json(&json!({"fields": ["id"]}))?;
    match app.engine().read_item(caller, collection, &key, key_alone).await {
        Err(error) if is_forbidden(&error) => Ok(Map::from_iter([("id".to_owned(), key)])),
        _ => Err(refused.into()),
    }
}

fn is_forbidden(error: &loggia_engine::Error) -> bool {
    let problems = error.problems();
    problems.0.iter().any(|problem| problem.code == &FORBIDDEN)
}

async fn update(
    State(app): State<App>,
    Who(caller): Who,
    QueryString(query): QueryString,
    body: JsonBody,
) -> Answer {
    let key = user(&caller)?;
    let data = match body.required()? {
        Value::Object(data) => data,
        _ => return Err(Problem::new(&loggia_model::error::INVALID_PAYLOAD, "Expected an object.").into()),
    };
    let answering = Answering::of(&app, &caller, USERS, query).await?;
    let target = Target::Keys {
        keys: vec![key],
        data,
    };
    let written = app
        .engine()
        .update_items(&caller, USERS, target, &answering.options)
        .await?;
    Ok(answering.one(&written))
}

/// The caller's roles, nearest first.
async fn roles(State(app): State<App>, Who(caller): Who, QueryString(query): QueryString) -> Answer {
    user(&caller)?;
    let query = Query::from_json(&Value::Object(query))?;
    let mut rows = Vec::new();
    for role in &caller.claims().roles {
        rows.push(own(&app, &caller, ROLES, role.as_str().into(), query.clone()).await?);
    }
    Ok(answer::data(&rows))
}

/// Answered also to those who have to set up a second factor first: this is how they learn of it.
async fn globals(SettingUp(admitted): SettingUp) -> Answer {
    let caller = &admitted.caller;
    if caller.is_public() {
        return Ok(answer::data(&json!({"app_access": false})));
    }
    Ok(answer::data(&json!({
        "app_access": caller.claims().app_access,
        "admin_access": caller.is_admin(),
        "enforce_tfa": admitted.demands_factor,
    })))
}

/// What the caller may do: `{collection: {action: {access, fields, presets}}}`, where `access` is `full`, `partial` (on
/// some items) or `none`, which has no fields.
async fn permissions(State(app): State<App>, Who(caller): Who) -> Answer {
    user(&caller)?;
    let schema = app.engine().schema();
    let grants = app.engine().grants(&caller).await?;
    let seen = schema
        .collections
        .values()
        .filter(|collection| collection.table.is_some() && grants.sees(collection));
    let rights: Record = seen
        .map(|collection| {
            let actions = Action::ALL
                .into_iter()
                .map(|(name, action)| (name.to_owned(), right(&grants, action, collection)))
                .collect();
            (collection.name.clone(), Value::Object(actions))
        })
        .collect();
    Ok(answer::data(&rights))
}

fn right(grants: &Grants, action: Action, collection: &Collection) -> Value {
    if !grants.may(action, collection) {
        return json!({"access": "none"});
    }
    let access = if grants.everywhere(action, collection) {
        "full"
    } else {
        "partial"
    };
    let fields = listed(&grants.fields(action, collection));
    json!({"access": access, "fields": fields, "presets": grants.presets(action, collection)})
}

fn listed(fields: &Fields) -> Value {
    match fields {
        Fields::All => json!(["*"]),
        Fields::Some(names) => json!(names),
    }
}

/// What the caller may do with an item: `{update: {access, fields, presets}, delete: {access}, share: {access}, publish:
/// {access}}`. An item that is not there looks like one with which nothing may be done.
async fn with_item(
    State(app): State<App>,
    Who(caller): Who,
    Named((collection, key)): Named<(String, String)>,
) -> Answer {
    user(&caller)?;
    abilities(&app, &caller, &collection, Some(key.into())).await
}

async fn with_singleton(
    State(app): State<App>,
    Who(caller): Who,
    Named(collection): Named<String>,
) -> Answer {
    user(&caller)?;
    abilities(&app, &caller, &collection, None).await
}

async fn abilities(app: &App, caller: &Caller, collection: &str, key: Option<Value>) -> Answer {
    let abilities = app.engine().abilities(caller, collection, key.as_ref()).await?;
    let update = match &abilities.update {
        None => json!({"access": false}),
        Some(update) => {
            json!({"access": true, "fields": listed(&update.fields), "presets": update.presets})
        }
    };
    Ok(answer::data(&json!({
        "update": update,
        "delete": {"access": abilities.delete},
        "share": {"access": abilities.share},
        "publish": {"access": abilities.publish},
    })))
}
