//! `GET /server/health`: for callers who signed in, whether all is well; for administrators, each check
//! (draft-inadarei-api-health-check).

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use loggia_model::Problem;
use serde_json::json;

use crate::answer::{self, Refusal};
use crate::who::Who;
use crate::{App, VERSION};

pub(super) async fn get(State(app): State<App>, Who(caller): Who) -> Result<Response, Refusal> {
    if caller.is_public() {
        return Err(Problem::forbidden().into());
    }
    let started = app.clock().now();
    let reached = app.identity().reach().await;
    let took = app.clock().now().duration_since(started);
    let status = if reached.is_ok() { "ok" } else { "error" };
    let body = if loggia_access::may_inspect_server(&caller) {
        json!({
            "status": status,
            "releaseId": VERSION,
            "serviceId": app.config().public_url,
            "checks": {
                "database:responseTime": [{
                    "status": status,
                    "componentType": "datastore",
                    "observedUnit": "ms",
                    "observedValue": took.as_secs_f64() * 1_000.0,
                }],
            },
        })
    } else {
        json!({ "status": status })
    };
    let code = if reached.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut response = answer::json(code, &body);
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/health+json; charset=utf-8"),
    );
    if let Err(error) = reached {
        response.extensions_mut().insert(answer::Cause(error.to_string()));
    }
    Ok(response)
}
