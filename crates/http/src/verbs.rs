//! Routes by method, with SEARCH among the methods and a 405 that lists what there is.

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

/// The method of the REST dialect that reads with a query in the body.
pub const SEARCH: &str = "SEARCH";

/// The handlers of one address, by method. HEAD follows GET; OPTIONS says what is allowed.
#[derive(Default)]
pub struct Verbs {
    router: MethodRouter<App>,
    search: Option<MethodRouter<App>>,
    allowed: Vec<&'static str>,
}

macro_rules! verb {
    ($(#[doc = $doc:literal] $name:ident $filter:ident $($word:literal)+;)*) => {
        $(
            #[doc = $doc]
            #[must_use]
            pub fn $name<H, T>(mut self, handler: H) -> Self
            where
                H: Handler<T, App>,
                T: 'static,
            {
                self.router = self.router.on(MethodFilter::$filter, handler);
                self.allowed.extend([$($word),+]);
                self
            }
        )*
    };
}

impl Verbs {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    verb! {
        #[doc = "Reads."] get GET "GET" "HEAD";
        #[doc = "Creates, or acts."] post POST "POST";
        #[doc = "Changes."] patch PATCH "PATCH";
        #[doc = "Removes."] delete DELETE "DELETE";
        #[doc = "Replaces."] put PUT "PUT";
    }

    /// Reads, with the query in the body.
    #[must_use]
    pub fn search<H, T>(mut self, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.search = Some(any(handler));
        self.allowed.push(SEARCH);
        self
    }

    /// For the router.
    pub fn into_router(mut self) -> MethodRouter<App> {
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
