//! `GET /server/specs/oas`: the OpenAPI document for the caller.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::answer::{self, Refusal};
use crate::who::Who;
use crate::{App, VERSION, openapi};

pub(crate) async fn get(State(app): State<App>, Who(caller): Who) -> Result<Response, Refusal> {
    let document = openapi::document(
        &app.engine().schema(),
        &app.engine().grants(&caller).await?,
        app.config().public_origin(),
        VERSION,
    );
    Ok(answer::json(StatusCode::OK, &document))
}
