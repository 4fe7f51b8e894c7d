//! The data model: `/collections`, `/fields`, `/relations` and `/schema/snapshot`.

use std::future::{Ready, ready};

use axum::extract::State;
use axum::response::Response;
use loggia_access::Caller;
use loggia_engine::{Engine, Error};
use loggia_model::Problem;
use loggia_model::error::INVALID_PAYLOAD;
use serde::Serialize;
use serde_json::Value;

use super::Named;
use crate::App;
use crate::answer::{self, Refusal};
use crate::body::JsonBody;
use crate::openapi::Audience::{Administrators, Readers};
use crate::openapi::Operation;
use crate::router::Routes;
use crate::verbs::Verbs;
use crate::who::Who;

type Answer = Result<Response, Refusal>;

pub(crate) fn routes() -> Routes {
    let whole = Operation::object("schema_snapshot", "The whole data model", Administrators);
    Routes::new()
        .merge(of_collections())
        .merge(of_fields())
        .merge(of_relations())
        .route("/schema/snapshot", Verbs::new().get(snapshot, whole))
}

fn of_collections() -> Routes {
    let list = Operation::list("list_collections", "List collections", Readers);
    let create = change("create_collections", "Create a collection, or many").takes_one_or_many();
    let update_many = changes("update_collections", "Change many collections").takes_list();
    let read = Operation::object("read_collection", "Read a collection", Readers);
    let update = change("update_collection", "Change a collection").takes_object();
    let delete = removal("delete_collection", "Delete a collection and its items");
    let many = Verbs::new()
        .get(list_collections, list)
        .post(create_collections, create)
        .patch(update_collections, update_many);
    let one = Verbs::new()
        .get(read_collection, read)
        .patch(update_collection, update)
        .delete(delete_collection, delete);
    Routes::new()
        .route("/collections", many)
        .route("/collections/{collection}", one)
}

fn of_fields() -> Routes {
    let list = Operation::list("list_fields", "List the fields of all collections", Readers);
    let list_of = Operation::list("list_fields_of", "List the fields of a collection", Readers);
    let create = change("create_field", "Create a field").takes_object();
    let update_many = changes("update_fields", "Change many fields").takes_list();
    let read = Operation::object("read_field", "Read a field", Readers);
    let update = change("update_field", "Change a field").takes_object();
    let delete = removal("delete_field", "Delete a field and its values");
    let many = Verbs::new()
        .get(list_definitions_of(Engine::list_fields), list_of)
        .post(create_field, create)
        .patch(update_fields, update_many);
    let one = Verbs::new()
        .get(read_definition(Engine::read_field), read)
        .patch(update_field, update)
        .delete(delete_field, delete);
    Routes::new()
        .route(
            "/fields",
            Verbs::new().get(list_definitions(Engine::list_fields), list),
        )
        .route("/fields/{collection}", many)
        .route("/fields/{collection}/{field}", one)
}

fn of_relations() -> Routes {
    let list = Operation::list("list_relations", "List relations", Readers);
    let list_of = Operation::list("list_relations_of", "List the relations of a collection", Readers);
    let create = change("create_relation", "Create a relation").takes_object();
    let read = Operation::object("read_relation", "Read a relation", Readers);
    let update = change("update_relation", "Change a relation").takes_object();
    let delete = removal("delete_relation", "Delete a relation");
    let all = Verbs::new()
        .get(list_definitions(Engine::list_relations), list)
        .post(create_relation, create);
    let one = Verbs::new()
        .get(read_definition(Engine::read_relation), read)
        .patch(update_relation, update)
        .delete(delete_relation, delete);
    Routes::new()
        .route("/relations", all)
        .route(
            "/relations/{collection}",
            Verbs::new().get(list_definitions_of(Engine::list_relations), list_of),
        )
        .route("/relations/{collection}/{field}", one)
}

/// Administrators change the model, and every change is recorded.
const fn change(id: &'static str, summary: &'static str) -> Operation {
    Operation::object(id, summary, Administrators).changes()
}

const fn changes(id: &'static str, summary: &'static str) -> Operation {
    Operation::list(id, summary, Administrators).changes()
}

const fn removal(id: &'static str, summary: &'static str) -> Operation {
    Operation::nothing(id, summary, Administrators).changes()
}

/// Reads all definitions of one kind.
fn list_definitions(list: List) -> impl Fn(State<App>, Who) -> Ready<Answer> + Clone {
    move |State(app), Who(caller)| ready(answered(list(app.engine(), &caller, None)))
}

/// Reads those of a collection.
fn list_definitions_of(list: List) -> impl Fn(State<App>, Who, Named<String>) -> Ready<Answer> + Clone {
    move |State(app), Who(caller), Named(name)| ready(answered(list(app.engine(), &caller, Some(&name))))
}

/// Reads the one of a field.
fn read_definition(
    read: fn(&Engine, &Caller, &str, &str) -> Result<Value, Error>,
) -> impl Fn(State<App>, Who, Named<(String, String)>) -> Ready<Answer> + Clone {
    move |State(app), Who(caller), Named((name, field))| {
        ready(answered(read(app.engine(), &caller, &name, &field)))
    }
}

type List = fn(&Engine, &Caller, Option<&str>) -> Result<Vec<Value>, Error>;

fn answered(read: Result<impl Serialize, Error>) -> Answer {
    Ok(answer::data(&read?))
}

async fn list_collections(State(app): State<App>, Who(caller): Who) -> Answer {
    Ok(answer::data(&app.engine().list_collections(&caller)?))
}

async fn read_collection(State(app): State<App>, Who(caller): Who, Named(name): Named<String>) -> Answer {
    Ok(answer::data(&app.engine().read_collection(&caller, &name)?))
}

/// One collection or many: all of them are made, or none.
async fn create_collections(State(app): State<App>, Who(caller): Who, body: JsonBody) -> Answer {
    match body.required()? {
        Value::Array(many) => Ok(answer::data(
            &app.engine().create_collections(&caller, many).await?,
        )),
        one => {
            let made = app.engine().create_collections(&caller, vec![one]).await?;
            Ok(made.first().map_or_else(answer::no_content, answer::data))
        }
    }
}

async fn update_collection(
    State(app): State<App>,
    Who(caller): Who,
    Named(name): Named<String>,
    body: JsonBody,
) -> Answer {
    Ok(answer::data(
        &app.engine()
            .update_collection(&caller, &name, body.required()?)
            .await?,
    ))
}

/// `[{collection, meta}]`: all of them are changed, or none.
async fn update_collections(State(app): State<App>, Who(caller): Who, body: JsonBody) -> Answer {
    Ok(answer::data(
        &app.engine()
            .update_collections(&caller, array(body.required()?)?)
            .await?,
    ))
}

async fn delete_collection(State(app): State<App>, Who(caller): Who, Named(name): Named<String>) -> Answer {
    app.engine().delete_collection(&caller, &name).await?;
    Ok(answer::no_content())
}

async fn create_field(
    State(app): State<App>,
    Who(caller): Who,
    Named(name): Named<String>,
    body: JsonBody,
) -> Answer {
    Ok(answer::data(
        &app.engine()
            .create_field(&caller, &name, body.required()?)
            .await?,
    ))
}

async fn update_field(
    State(app): State<App>,
    Who(caller): Who,
    Named((name, field)): Named<(String, String)>,
    body: JsonBody,
) -> Answer {
    Ok(answer::data(
        &app.engine()
            .update_field(&caller, &name, &field, body.required()?)
            .await?,
    ))
}

/// `[{field, …}]`: all of them are changed, or none.
async fn update_fields(
    State(app): State<App>,
    Who(caller): Who,
    Named(name): Named<String>,
    body: JsonBody,
) -> Answer {
    Ok(answer::data(
        &app.engine()
            .update_fields(&caller, &name, array(body.required()?)?)
            .await?,
    ))
}

async fn delete_field(
    State(app): State<App>,
    Who(caller): Who,
    Named((name, field)): Named<(String, String)>,
) -> Answer {
    app.engine().delete_field(&caller, &name, &field).await?;
    Ok(answer::no_content())
}

async fn create_relation(State(app): State<App>, Who(caller): Who, body: JsonBody) -> Answer {
    Ok(answer::data(
        &app.engine().create_relation(&caller, body.required()?).await?,
    ))
}

async fn update_relation(
    State(app): State<App>,
    Who(caller): Who,
    Named((name, field)): Named<(String, String)>,
    body: JsonBody,
) -> Answer {
    Ok(answer::data(
        &app.engine()
            .update_relation(&caller, &name, &field, body.required()?)
            .await?,
    ))
}

async fn delete_relation(
    State(app): State<App>,
    Who(caller): Who,
    Named((name, field)): Named<(String, String)>,
) -> Answer {
    app.engine().delete_relation(&caller, &name, &field).await?;
    Ok(answer::no_content())
}

async fn snapshot(State(app): State<App>, Who(caller): Who) -> Answer {
    Ok(answer::data(&app.engine().schema_snapshot(&caller)?))
}

fn array(body: Value) -> Result<Vec<Value>, Problem> {
    match body {
        Value::Array(entries) => Ok(entries),
        _ => Err(Problem::new(&INVALID_PAYLOAD, "Expected an array of objects.").hint("Send [{…}, {…}].")),
    }
}
