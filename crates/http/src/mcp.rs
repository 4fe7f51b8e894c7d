//! `/mcp`: the transport of the MCP server (Streamable HTTP). What a message says is the `mcp` room's; here stands who
//! may send one at all: the switches, the page, the credential, the size.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderName, ORIGIN, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use loggia_access::Origin;
use loggia_identity::Credential;
use loggia_mcp::{HttpFacts, Incoming, Outgoing, Refusal, Transport, Visitor};
use loggia_model::Problems;
use loggia_model::error::{INTERNAL_SERVER_ERROR, INVALID_TOKEN, Kind};
use loggia_tools::catalogue::Narrowing;

use crate::answer::Cause;
use crate::who::{Shown, facts, same_host};
use crate::{App, answer, body, entrance, query_string, router};

/// Every method of `/mcp`.
pub(crate) async fn handle(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !app.config().mcp.available {
        return router::not_found(parts.uri.path()).into_response();
    }
    let headers = Joined::of(&parts.headers);
    let door = Door {
        app: &app,
        parts: &parts,
        facts: headers.facts(&parts.method),
    };
    match door.answer(body).await {
        Ok(answer) => written(answer),
        Err(refused) => *refused,
    }
}

/// One request at the door. Refusals are boxed: they are rare, and answers are large.
struct Door<'a> {
    app: &'a App,
    parts: &'a Parts,
    facts: HttpFacts<'a>,
}

impl Door<'_> {
    async fn answer(&self, body: Body) -> Result<Outgoing, Box<Response>> {
        // As for every request: what is known holds still.
        if let Err(error) = self.app.engine().catch_up().await {
            let refusal = answer::Refusal::from(error);
            return Err(self.refused(refusal.problems(), refusal.cause()));
        }
        self.admit()?;
        let visitor = self.visitor().await?;
        let bytes = self.read(body).await?;
        let incoming = Incoming {
            transport: Transport::Http(self.facts),
            body: &bytes,
            visitor,
        };
        Ok(self.app.mcp().handle(incoming).await)
    }

    /// The switch, the page and the method.
    fn admit(&self) -> Result<(), Box<Response>> {
        let config = self.app.config();
        let setting = || self.app.engine().settings().mcp_enabled();
        if !config.mcp.enabled.unwrap_or_else(setting) {
            return Err(self.refuse(
                403,
                "The MCP server is switched off. An administrator can switch it on: PATCH /settings {\"mcp_enabled\": true}.",
            ));
        }
        if let Some(origin) = self.parts.headers.get(ORIGIN) {
            let is_allowed = origin.to_str().is_ok_and(|origin| {
                origin.eq_ignore_ascii_case(config.public_origin())
                    || same_host(origin, &self.parts.headers)
                    || config.cors.allows(origin)
            });
            if !is_allowed {
                return Err(self.refuse(
                    403,
                    "Pages of this origin may not call. List the origin under cors.origins, if it is to.",
                ));
            }
        }
        if self.parts.method != Method::POST {
            return Err(self.refuse(
                405,
                "Send each message as a POST. There are no sessions to end and no stream to open here.",
            ));
        }
        Ok(())
    }

    /// Who sends the message, authorised afresh; and what of the catalogue they want.
    async fn visitor(&self) -> Result<Visitor, Box<Response>> {
        // Cookies do not count here: no browser shall speak to tools on its own accord.
        let shown = Shown::in_request(self.parts, "");
        let shown = shown.map_err(|refusal| self.refused(refusal.problems(), None))?;
        if matches!(shown.credential(), Credential::None) {
            return Err(challenge(self.refuse(
                401,
                "A token is needed: Authorization: Bearer <token>, or ?access_token=<token>.",
            )));
        }
        let facts = facts(self.app, self.parts, Origin::Mcp);
        let caller = self.app.identity().authenticate(shown.credential(), facts).await;
        let caller = caller.map_err(|error| {
            let refusal = answer::Refusal::from(error);
            self.refused(refusal.problems(), refusal.cause())
        })?;
        let pairs = query_string::pairs(self.parts.uri.query().unwrap_or_default());
        let pairs = pairs.map_err(|problems| self.refused(&problems, None))?;
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let narrowing = Narrowing::from_query(pairs).map_err(|problems| self.refused(&problems, None))?;
        Ok(Visitor {
            caller,
            narrowing: Arc::new(narrowing),
            request_id: entrance::shared_id(&self.parts.extensions),
        })
    }

    async fn read(&self, body: Body) -> Result<Bytes, Box<Response>> {
        let limits = &self.app.config().limits;
        let read = body::read(body, self.app.config().mcp.body_bytes, "mcp.body_bytes");
        match tokio::time::timeout(limits.request_timeout, read).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(problem)) => Err(self.refused(&problem.into(), None)),
            Err(_) => Err(self.refuse(408, "The message did not arrive in time.")),
        }
    }

    /// A refusal in the words of the protocol, with the status of the problems.
    fn refused(&self, problems: &Problems, cause: Option<Cause>) -> Box<Response> {
        let code = problems
            .0
            .first()
            .map_or(&INTERNAL_SERVER_ERROR, |problem| problem.code);
        // A token that is not good, in whichever way, is one to be replaced: RFC 6750 §3.1.
        let replace = code.kind == Kind::Unauthenticated || code == &INVALID_TOKEN;
        let status = if replace { 401 } else { code.status };
        let mut response = self.refuse(status, &problems.to_string());
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        if replace { challenge(response) } else { response }
    }

    fn refuse(&self, status: u16, message: &str) -> Box<Response> {
        let refusal = Refusal::transport(status, message);
        Box::new(written(Outgoing::refuse(&self.facts, &refusal)))
    }
}

/// RFC 6750 §3; without `resource_metadata`, since there is no authorization server to point to.
fn challenge(mut response: Box<Response>) -> Box<Response> {
    let headers = response.headers_mut();
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// An answer of the protocol as one of HTTP.
pub(crate) fn written(outgoing: Outgoing) -> Response {
    let status = StatusCode::from_u16(outgoing.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(outgoing.body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = status;
    for (name, value) in outgoing.headers {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        response.headers_mut().insert(name, value);
    }
    response
}

/// The headers that the protocol looks at, those sent more than once joined so that they match nothing.
struct Joined {
    content_type: Option<Vec<u8>>,
    accept: Option<Vec<u8>>,
    protocol_version: Option<Vec<u8>>,
    mcp_method: Option<Vec<u8>>,
    mcp_name: Option<Vec<u8>>,
}

impl Joined {
    fn of(headers: &HeaderMap) -> Self {
        let joined = |name: &HeaderName| {
            let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            (!values.is_empty()).then(|| values.join(&b", "[..]))
        };
        Self {
            content_type: joined(&CONTENT_TYPE),
            accept: joined(&ACCEPT),
            protocol_version: joined(&HeaderName::from_static("mcp-protocol-version")),
            mcp_method: joined(&HeaderName::from_static("mcp-method")),
            mcp_name: joined(&HeaderName::from_static("mcp-name")),
        }
    }

    fn facts<'a>(&'a self, method: &'a Method) -> HttpFacts<'a> {
        HttpFacts {
            method: method.as_str(),
            content_type: self.content_type.as_deref(),
            accept: self.accept.as_deref(),
            protocol_version: self.protocol_version.as_deref(),
            mcp_method: self.mcp_method.as_deref(),
            mcp_name: self.mcp_name.as_deref(),
        }
    }
}
