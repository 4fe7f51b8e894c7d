//! The caller's own: `/users/me`, `/roles/me`, `/policies/me/globals`, `/permissions/me`.
//!
//! Every signed-in user may see their own key; more of it is a matter of permissions.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use loggia_access::Caller;
use loggia_engine::items::{Target, WriteOptions};
use loggia_model::error::INVALID_CREDENTIALS;
use loggia_model::{Problem, Query, Record};
use serde_json::{Map, Value, json};

use crate::App;
use crate::answer::{self, Refusal};
use crate::body::JsonBody;
use crate::query_string::QueryString;
use crate::verbs::Verbs;
use crate::who::Who;

type Answer = Result<Response, Refusal>;

const USERS: &str = "directus_users";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/users/me", Verbs::new().get(read).patch(update).into_router())
        .route("/roles/me", Verbs::new().get(roles).into_router())
        .route("/policies/me/globals", Verbs::new().get(globals).into_router())
        .route("/permissions/me", Verbs::new().get(permissions).into_router())
}

fn user(caller: &Caller) -> Result<Value, Problem> {
    let nobody = || {
        Problem::new(&INVALID_CREDENTIALS, "Nobody is signed in.")
            .hint("Send Authorization: Bearer with a token.")
    };
    caller.user().map(Value::from).ok_or_else(nobody)
}

async fn read(State(app): State<App>, Who(caller): Who, QueryString(query): QueryString) -> Answer {
    let key = user(&caller)?;
    if loggia_access::knows_own_keys_only(&caller) {
        return Ok(answer::data(&json!({"id": key})));
    }
    let query = Query::from_json(&Value::Object(query))?;
    Ok(answer::data(
        &app.engine().read_item(&caller, USERS, &key, query).await?,
    ))
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
    let options = WriteOptions {
        returning: Some(Query::from_json(&Value::Object(query))?),
        ..WriteOptions::default()
    };
    let target = Target::Keys {
        keys: vec![key],
        data,
    };
    let written = app
        .engine()
        .update_items(&caller, USERS, target, &options)
        .await?;
    Ok(written.rows.first().map_or_else(answer::no_content, answer::data))
}

async fn roles(State(app): State<App>, Who(caller): Who, QueryString(mut query): QueryString) -> Answer {
    user(&caller)?;
    let roles = &caller.claims().roles;
    if loggia_access::knows_own_keys_only(&caller) {
        let keys: Vec<Record> = roles
            .iter()
            .map(|id| Map::from_iter([("id".to_owned(), id.as_str().into())]))
            .collect();
        return Ok(answer::data(&keys));
    }
    query.insert("filter".to_owned(), json!({"id": {"_in": roles}}));
    let page = app
        .engine()
        .read_items(
            &caller,
            "directus_roles",
            Query::from_json(&Value::Object(query))?,
        )
        .await?;
    Ok(answer::data(&page.rows))
}

async fn globals(Who(caller): Who) -> Answer {
    if caller.is_public() {
        return Ok(answer::data(&json!({"app_access": false})));
    }
    let claims = caller.claims();
    let admin = caller.is_admin();
    Ok(answer::data(
        &json!({"app_access": claims.app_access, "admin_access": admin, "enforce_tfa": false}),
    ))
}

/// What the caller may do, by collection and action.
async fn permissions(State(app): State<App>, Who(caller): Who) -> Answer {
    user(&caller)?;
    let schema = app.engine().schema();
    let grants = app.engine().outline(&caller);
    let collections = loggia_access::may_read(&grants, &schema);
    let full = |name: &str| (name.to_owned(), json!({"access": "full", "fields": ["*"]}));
    let actions = || {
        Value::Object(
            ["create", "read", "update", "delete", "share"]
                .into_iter()
                .map(full)
                .collect(),
        )
    };
    let rights: Record = collections
        .map(|collection| (collection.name.clone(), actions()))
        .collect();
    Ok(answer::data(&rights))
}
