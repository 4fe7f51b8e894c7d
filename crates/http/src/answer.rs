//! Answers in the REST dialect's shapes: `{"data": …}` and `{"errors": […]}`. Problems become JSON here and nowhere
//! else.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use loggia_model::error::{INTERNAL_SERVER_ERROR, Kind};
use loggia_model::{Problem, Problems};
use serde::Serialize;
use serde_json::{Map, Value};

/// A request that is refused, or failed: what may be shown, and for the log the cause.
#[derive(Debug)]
pub struct Refusal {
    problems: Problems,
    cause: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Another than the one that the problems have.
    status: Option<StatusCode>,
}

/// What went wrong inside, for the log line of the request; travels in the extensions of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Cause(pub(crate) String);

impl Refusal {
    /// A failure of ours: `cause` goes to the log, the caller gets the request id.
    #[must_use]
    pub fn internal(cause: impl Into<String>) -> Self {
        Self {
            problems: internal_problem().into(),
            cause: Some(cause.into()),
            headers: Vec::new(),
            status: None,
        }
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Answers with another status than the one that the problems have.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// What may be shown.
    #[must_use]
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// What went wrong inside, if anything did.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.cause.clone().map(Cause)
    }

    /// Problems of `problems`, with the cause for the log where one of them is ours.
    pub(crate) fn from_error(problems: Problems, error: &(dyn std::error::Error + 'static)) -> Self {
        let ours = problems
            .0
            .iter()
            .any(|problem| matches!(problem.code.kind, Kind::Internal | Kind::Unavailable));
        Self {
            problems,
            cause: ours.then(|| chain(error)),
            headers: Vec::new(),
            status: None,
        }
    }
}

/// An error with everything that led to it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<Problems> for Refusal {
    fn from(problems: Problems) -> Self {
        Self {
            problems,
            cause: None,
            headers: Vec::new(),
            status: None,
        }
    }
}

impl From<loggia_engine::Error> for Refusal {
    fn from(error: loggia_engine::Error) -> Self {
        Self::from_error(error.problems(), &error)
    }
}

impl From<loggia_identity::Error> for Refusal {
    fn from(error: loggia_identity::Error) -> Self {
        Self::from_error(error.problems(), &error)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Problems::from(problem).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut problems = self.problems;
        if problems.0.is_empty() {
            problems.push(internal_problem());
        }
        let status = self.status.unwrap_or_else(|| status(&problems));
        let mut response = json(status, &body(&problems));
        if problems.0.iter().any(|problem| problem.code.retryable)
            && !self.headers.iter().any(|(name, _)| name == RETRY_AFTER)
            && response.status() != StatusCode::INTERNAL_SERVER_ERROR
        {
            response.headers_mut().insert(RETRY_AFTER, retry_after(&problems));
        }
        response.headers_mut().extend(self.headers);
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

/// The seconds that the problems ask to wait (RFC 9110 §10.2.3); one where they do not say.
fn retry_after(problems: &Problems) -> HeaderValue {
    let seconds = problems
        .0
        .iter()
        .filter_map(|problem| problem.extensions.get("retry_after")?.as_u64());
    HeaderValue::from(seconds.max().unwrap_or(1))
}

fn internal_problem() -> Problem {
    Problem::new(&INTERNAL_SERVER_ERROR, "An unexpected failure.")
        .hint("It is in the server's log under the request id of this answer (x-request-id).")
}

/// The one place that turns problems into a status: the gravest decides, else the first.
fn status(problems: &Problems) -> StatusCode {
    let first = problems.0.first().map_or(500, |problem| problem.code.status);
    let gravest = problems
        .0
        .iter()
        .map(|problem| problem.code.status)
        .filter(|status| *status >= 500)
        .max();
    StatusCode::from_u16(gravest.unwrap_or(first)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// `{"errors": [{"message", "extensions": {"code", "path"?, "hint"?, …}}]}`.
fn body(problems: &Problems) -> Value {
    let errors = problems.0.iter().map(|problem| {
        let mut extensions = Map::new();
        extensions.insert("code".to_owned(), problem.code.name.into());
        extensions.extend(problem.extensions.clone());
        // Where in the request: more than the dialect's own `path`, which is empty but for nested JSON.
        if !problem.path.is_empty() {
            extensions.insert("path".to_owned(), problem.path.as_str().into());
        }
        if let Some(hint) = &problem.hint {
            extensions.insert("hint".to_owned(), hint.as_str().into());
        }
        let mut error = Map::new();
        error.insert("message".to_owned(), problem.message.as_str().into());
        error.insert("extensions".to_owned(), Value::Object(extensions));
        Value::Object(error)
    });
    let mut body = Map::new();
    body.insert("errors".to_owned(), errors.collect());
    Value::Object(body)
}

/// An answer with any JSON body.
#[must_use]
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            response.headers_mut().insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/json; charset=utf-8"),
            );
            response
                .headers_mut()
                .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => {
            Refusal::internal(format!("the answer cannot be written as JSON: {error}")).into_response()
        }
    }
}

/// `200 {"data": …}`.
#[must_use]
pub fn data(data: &impl Serialize) -> Response {
    #[derive(Serialize)]
    struct Data<'a, T> {
        data: &'a T,
    }
    json(StatusCode::OK, &Data { data })
}

/// `204` without a body.
#[must_use]
pub fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

#[cfg(test)]
mod tests {
    use loggia_model::error::{FAILED_VALIDATION, FORBIDDEN, SERVICE_UNAVAILABLE};
    use serde_json::json;

    use super::*;

    #[test]
    fn every_problem_is_an_entry_and_the_gravest_gives_the_status() {
        let mut problems = Problems::from(
            Problem::new(&FAILED_VALIDATION, "Too short.")
                .at("data.title")
                .hint("Write three letters.")
                .with("field", "title"),
        );
        assert_eq!(status(&problems), 400);
        problems.push(Problem::new(&FORBIDDEN, "No."));
        assert_eq!(status(&problems), 400);
        assert_eq!(
            body(&problems),
            json!({"errors": [
                {"message": "Too short.", "extensions": {
                    "code": "FAILED_VALIDATION", "field": "title", "path": "data.title", "hint": "Write three letters."}},
                {"message": "No.", "extensions": {"code": "FORBIDDEN"}},
            ]})
        );
        problems.push(Problem::new(&SERVICE_UNAVAILABLE, "Busy."));
        assert_eq!(status(&problems), 503);
    }

    #[test]
    fn a_cause_goes_to_the_log_and_not_into_the_answer() {
        let response = Refusal::internal("SELECT secret").into_response();
        assert_eq!(response.status(), 500);
        assert_eq!(response.extensions().get::<Cause>().unwrap().0, "SELECT secret");
    }
}
