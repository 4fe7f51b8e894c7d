//! The data model: `/collections`, `/fields`, `/relations` and `/schema/snapshot`.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use loggia_model::Problem;
use loggia_model::error::INVALID_PAYLOAD;
use serde_json::Value;

use super::Named;
use crate::App;
use crate::answer::{self, Refusal};
use crate::body::JsonBody;
use crate::verbs::Verbs;
use crate::who::Who;

type Answer = Result<Response, Refusal>;

pub(crate) fn routes() -> Router<App> {
    let collections = Verbs::new()
        .get(list_collections)
        .post(create_collections)
        .patch(update_collections);
    let collection = Verbs::new()
        .get(read_collection)
        .patch(update_collection)
        .delete(delete_collection);
    let fields = Verbs::new()
        .get(list_fields_of)
        .post(create_field)
        .patch(update_fields);
    let field = Verbs::new()
        .get(read_field)
        .patch(update_field)
        .delete(delete_field);
    let relations = Verbs::new().get(list_relations).post(create_relation);
    let relation = Verbs::new()
        .get(read_relation)
        .patch(update_relation)
        .delete(delete_relation);
    Router::new()
        .route("/collections", collections.into_router())
        .route("/collections/{collection}", collection.into_router())
        .route("/fields", Verbs::new().get(list_fields).into_router())
        .route("/fields/{collection}", fields.into_router())
        .route("/fields/{collection}/{field}", field.into_router())
        .route("/relations", relations.into_router())
        .route(
            "/relations/{collection}",
            Verbs::new().get(list_relations_of).into_router(),
        )
        .route("/relations/{collection}/{field}", relation.into_router())
        .route("/schema/snapshot", Verbs::new().get(snapshot).into_router())
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

async fn list_fields(State(app): State<App>, Who(caller): Who) -> Answer {
    Ok(answer::data(&app.engine().list_fields(&caller, None)?))
}

async fn list_fields_of(State(app): State<App>, Who(caller): Who, Named(name): Named<String>) -> Answer {
    Ok(answer::data(&app.engine().list_fields(&caller, Some(&name))?))
}

async fn read_field(
    State(app): State<App>,
    Who(caller): Who,
    Named((name, field)): Named<(String, String)>,
) -> Answer {
    Ok(answer::data(&app.engine().read_field(&caller, &name, &field)?))
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

async fn list_relations(State(app): State<App>, Who(caller): Who) -> Answer {
    Ok(answer::data(&app.engine().list_relations(&caller, None)?))
}

async fn list_relations_of(State(app): State<App>, Who(caller): Who, Named(name): Named<String>) -> Answer {
    Ok(answer::data(&app.engine().list_relations(&caller, Some(&name))?))
}

async fn read_relation(
    State(app): State<App>,
    Who(caller): Who,
    Named((name, field)): Named<(String, String)>,
) -> Answer {
    Ok(answer::data(&app.engine().read_relation(&caller, &name, &field)?))
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
