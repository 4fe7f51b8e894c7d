//! `/tokens`: access tokens with rights of their own. A secret is answered once, by the request that makes it.

use axum::extract::State;
use axum::response::Response;
use loggia_engine::IssuedToken;
use loggia_model::error::{INVALID_PAYLOAD, INVALID_QUERY};
use loggia_model::{Problem, Problems, Record};
use serde_json::Value;

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
    let listed = Operation::list("list_tokens", "Access tokens", SignedIn).query(&[&[USER]]);
    let made = "Make an access token; its secret is in this answer alone";
    let made = Operation::object("create_token", made, SignedIn)
        .takes_object()
        .changes();
    let one = Operation::object("read_token", "One access token", SignedIn);
    let changed = "Change what an access token may do";
    let changed = Operation::object("update_token", changed, SignedIn)
        .takes_object()
        .changes();
    let ended = Operation::nothing("revoke_token", "End an access token", SignedIn).changes();
    let another = "Give an access token another secret";
    let another = Operation::object("rotate_token", another, SignedIn)
        .may_take_object()
        .changes();
    Routes::new()
        .route("/tokens", Verbs::new().get(list, listed).post(create, made))
        .route(
            "/tokens/{id}",
            Verbs::new()
                .get(read, one)
                .patch(update, changed)
                .delete(revoke, ended),
        )
        .route("/tokens/{id}/rotate", Verbs::new().post(rotate, another))
}

/// What tokens are asked for by.
const USER: &str = "user";

/// One's own; administrators get everybody's, or those of `?user=`.
async fn list(State(app): State<App>, Who(caller): Who, QueryString(query): QueryString) -> Answer {
    let user = whose(&query)?;
    let user = match user {
        Some("me") => caller.user(),
        other => other,
    };
    Ok(answer::data(&app.engine().list_tokens(&caller, user).await?))
}

async fn create(State(app): State<App>, Who(caller): Who, body: JsonBody) -> Answer {
    let data = object(body.required()?)?;
    Ok(issued(app.engine().create_token(&caller, &data).await?))
}

async fn read(State(app): State<App>, Who(caller): Who, Named(id): Named<String>) -> Answer {
    Ok(answer::data(&app.engine().read_token(&caller, &id).await?))
}

async fn update(
    State(app): State<App>,
    Who(caller): Who,
    Named(id): Named<String>,
    body: JsonBody,
) -> Answer {
    let data = object(body.required()?)?;
    Ok(answer::data(
        &app.engine().update_token(&caller, &id, &data).await?,
    ))
}

async fn rotate(
    State(app): State<App>,
    Who(caller): Who,
    Named(id): Named<String>,
    body: JsonBody,
) -> Answer {
    let data = body.0.map_or_else(|| Ok(Record::new()), object)?;
    Ok(issued(app.engine().rotate_token(&caller, &id, &data).await?))
}

async fn revoke(State(app): State<App>, Who(caller): Who, Named(id): Named<String>) -> Answer {
    app.engine().revoke_token(&caller, &id).await?;
    Ok(answer::no_content())
}

/// The token with its secret as `token`.
fn issued(issued: IssuedToken) -> Response {
    let mut data = issued.token;
    data.insert("token".to_owned(), issued.secret.into());
    answer::data(&data)
}

fn object(body: Value) -> Result<Record, Problem> {
    match body {
        Value::Object(data) => Ok(data),
        _ => Err(Problem::new(&INVALID_PAYLOAD, "Expected an object.").hint("Send {\"name\": …}.")),
    }
}

fn whose(query: &Record) -> Result<Option<&str>, Problems> {
    let mut problems = Problems::default();
    for name in query.keys().filter(|name| *name != USER) {
        let message = format!("Tokens are not asked for by \"{name}\".");
        problems.push(
            Problem::new(&INVALID_QUERY, message)
                .at(name.as_str())
                .hint("There is only \"user\": the key of a user, or \"me\"."),
        );
    }
    let user = match query.get(USER) {
        None => None,
        Some(Value::String(user)) => Some(user.as_str()),
        Some(_) => {
            problems
                .push(Problem::new(&INVALID_QUERY, "\"user\" is the key of a user, or \"me\".").at("user"));
            None
        }
    };
    problems.or(user)
}
