//! Routes by method, with SEARCH among the methods and a 405 that lists what there is; and each with what the OpenAPI
//! document says of it.

use std::convert::Infallible;

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, any};
use loggia_model::Problem;
use loggia_model::error::METHOD_NOT_ALLOWED;
use tower::ServiceExt as _;

use crate::App;
use crate::answer::Refusal;
use crate::openapi::Documented;

/// The method of the REST dialect that reads with a query in the body.
pub(crate) const SEARCH: &str = "SEARCH";

/// The handlers of one address, by method. HEAD follows GET; OPTIONS says what is allowed.
#[derive(Default)]
pub(crate) struct Verbs {
    router: MethodRouter<App>,
    search: Option<MethodRouter<App>>,
    allowed: Vec<&'static str>,
    operations: Vec<(&'static str, Documented)>,
}

macro_rules! verb {
    ($(#[doc = $doc:literal] $name:ident $filter:ident $method:literal $($word:literal)*;)*) => {
        $(
            #[doc = $doc]
            pub(crate) fn $name<H, T>(mut self, handler: H, documented: impl Into<Documented>) -> Self
            where
                H: Handler<T, App>,
                T: 'static,
            {
                self.router = self.router.on(MethodFilter::$filter, handler);
                self.allowed.extend([$method $(, $word)*]);
                self.operations.push(($method, documented.into()));
                self
            }
        )*
    };
}

impl Verbs {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    verb! {
        #[doc = "Reads."] get GET "GET" "HEAD";
        #[doc = "Creates, or acts."] post POST "POST";
        #[doc = "Changes."] patch PATCH "PATCH";
        #[doc = "Removes."] delete DELETE "DELETE";
    }

    /// Reads, with the query in the body. OpenAPI has no word for the method.
    pub(crate) fn search<H, T>(mut self, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.search = Some(any(handler));
        self.allowed.push(SEARCH);
        self.operations.push((SEARCH, Documented::Elsewhere));
        self
    }

    /// What there is, by method.
    pub(crate) fn operations(&self) -> &[(&'static str, Documented)] {
        &self.operations
    }

    /// For the router.
    pub(crate) fn into_router(mut self) -> MethodRouter<App> {
        self.allowed.push("OPTIONS");
        let allowed = self.allowed.join(", ");
        let search = self.search;
        self.router
            .fallback(move |State(app): State<App>, request: Request| async move {
                match search {
                    Some(search) if request.method().as_str() == SEARCH => {
                        let answered: Result<Response, Infallible> =
                            search.with_state(app).oneshot(request).await;
                        answered.unwrap_or_else(|never| match never {})
                    }
                    _ => other(request.method(), &allowed),
                }
            })
    }
}

fn other(method: &Method, allowed: &str) -> Response {
    let allow = HeaderValue::from_str(allowed).unwrap_or(HeaderValue::from_static("OPTIONS"));
    if method == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, [(ALLOW, allow)]).into_response();
    }
    Refusal::from(
        Problem::new(
            &METHOD_NOT_ALLOWED,
            format!("There is no {method} at this address."),
        )
        .hint(format!("Use one of: {allowed}.")),
    )
    .header(ALLOW, allow)
    .into_response()
}
