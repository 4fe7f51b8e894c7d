//! Who is asking: the credential of a request, found and handed to `identity`.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use loggia_access::{Attribution, Caller, Origin};
use loggia_identity::{Admitted, Credential, RequestFacts};
use loggia_model::Problem;
use loggia_model::error::{FORBIDDEN, INVALID_CREDENTIALS, INVALID_PAYLOAD};

use crate::answer::Refusal;
use crate::auth::cookies;
use crate::query_string::ACCESS_TOKEN;
use crate::{App, entrance, query_string};

/// The caller of a request.
#[derive(Clone, Debug)]
pub struct Who(pub Caller);

impl FromRequestParts<App> for Who {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let found = Visit::of(parts, app)?;
        let caller = app
            .identity()
            .authenticate(found.shown.credential(), found.facts.clone())
            .await;
        found.settled(app, caller).map(Self)
    }
}

/// The caller of a request by which a second factor is set up: the one thing that may be done without one where it is
/// demanded.
#[derive(Clone, Debug)]
pub(crate) struct SettingUp(pub(crate) Admitted);

impl FromRequestParts<App> for SettingUp {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let found = Visit::of(parts, app)?;
        let admitted = app
            .identity()
            .admit(found.shown.credential(), found.facts.clone())
            .await;
        found.settled(app, admitted).map(Self)
    }
}

/// What a request brings to be told who it is from.
struct Visit {
    shown: Shown,
    facts: RequestFacts,
}

impl Visit {
    fn of(parts: &Parts, app: &App) -> Result<Self, Refusal> {
        let shown = Shown::in_request(parts, &app.config().cookies.session)?;
        if matches!(shown, Shown::Cookie(_)) {
            refuse_foreign_pages(app, parts)?;
        }
        Ok(Self {
            shown,
            facts: told(app, parts)?,
        })
    }

    /// Browsers send cookies on their own accord: one that is no good any more must not spoil what is public.
    fn settled<T>(&self, app: &App, outcome: Result<T, loggia_identity::Error>) -> Result<T, Refusal> {
        outcome.map_err(|error| {
            let refusal = Refusal::from(error);
            let is_good = refusal
                .problems()
                .0
                .iter()
                .any(|problem| problem.code == &FORBIDDEN);
            match &self.shown {
                Shown::Cookie(_) if !is_good => cookies::cleared(app.config(), refusal),
                _ => refusal,
            }
        })
    }
}

/// What a request shows: at most one credential.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    Bearer(String),
    Query(String),
    Cookie(String),
}

impl Shown {
    /// Finds the credential. The session's cookie is sent by browsers on their own accord, so anything else wins
    /// over it.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` for header and query at once; `INVALID_CREDENTIALS` for a header of another scheme.
    pub(crate) fn in_request(parts: &Parts, session_cookie: &str) -> Result<Self, Refusal> {
        let mut queries = query_string::pairs(parts.uri.query().unwrap_or_default())
            .unwrap_or_default()
            .into_iter()
            .filter(|(name, _)| name == ACCESS_TOKEN)
            .map(|(_, token)| token);
        let query = queries.next();
        let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
        let header = headers.next();
        if queries.next().is_some() || headers.next().is_some() || (query.is_some() && header.is_some()) {
            return Err(Problem::new(
                &INVALID_PAYLOAD,
                "The request uses more than one method for including an access token.",
            )
            .hint("Send either the Authorization header or access_token, once.")
            .into());
        }
        if let Some(header) = header {
            let token = header.to_str().ok().and_then(bearer);
            return token.map(|token| Self::Bearer(token.to_owned())).ok_or_else(|| {
                Problem::new(&INVALID_CREDENTIALS, "Invalid user credentials.")
                    .hint("Send Authorization: Bearer <token>.")
                    .into()
            });
        }
        Ok(match (query, cookie(&parts.headers, session_cookie)) {
            (Some(token), _) => Self::Query(token),
            (None, Some(token)) => Self::Cookie(token),
            (None, None) => Self::Nothing,
        })
    }

    pub(crate) fn credential(&self) -> Credential<'_> {
        match self {
            Self::Nothing => Credential::None,
            Self::Bearer(token) => Credential::Bearer(token),
            Self::Query(token) => Credential::Query(token),
            Self::Cookie(token) => Credential::SessionCookie(token),
        }
    }
}

/// The token of `Bearer <token>` (RFC 6750 §2.1), the scheme in any case.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The value of a cookie (RFC 6265 §5.4); an empty one counts as none.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, value)| *found == name && !value.is_empty())
        .map(|(_, value)| value.trim_matches('"').to_owned())
}

/// Through which door a request came, and from where.
pub(crate) fn facts(app: &App, parts: &Parts, origin: Origin) -> RequestFacts {
    RequestFacts {
        origin,
        ip: entrance::client_ip(app, parts),
        user_agent: parts
            .headers
            .get(USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .map(str::to_owned),
        attribution: Attribution {
            people: Some(app.engine().people()),
            ..Attribution::default()
        },
    }
}

/// The same of a request over REST, with what is recorded of it if it changes something.
///
/// # Errors
/// As [`entrance::attribution`].
pub(crate) fn told(app: &App, parts: &Parts) -> Result<RequestFacts, Problem> {
    let facts = facts(app, parts, Origin::Rest);
    let attribution = Attribution {
        people: facts.attribution.people,
        ..entrance::attribution(parts)?
    };
    Ok(RequestFacts { attribution, ..facts })
}

/// Browsers send cookies along with requests that pages of other origins make: those may read at most.
pub(crate) fn refuse_foreign_pages(app: &App, parts: &Parts) -> Result<(), Refusal> {
    let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let Some(origin) = parts.headers.get(ORIGIN).filter(|_| !reads) else {
        return Ok(());
    };
    let config = app.config();
    let is_ours = origin.to_str().is_ok_and(|origin| {
        origin.eq_ignore_ascii_case(config.public_origin())
            || same_host(origin, &parts.headers)
            || (config.cors.credentials && !config.cors.allows_any() && config.cors.allows(origin))
    });
    if is_ours {
        return Ok(());
    }
    Err(
        Problem::new(&FORBIDDEN, "Cookies are not accepted from pages of this origin.")
            .hint("Send a bearer token, or configure the origin under cors with credentials.")
            .into(),
    )
}

/// Whether a page comes from the very host that it calls (which is one of ours).
pub(crate) fn same_host(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers
        .get(axum::http::header::HOST)
        .and_then(|host| host.to_str().ok());
    origin
        .split_once("://")
        .is_some_and(|(_, authority)| host.is_some_and(|host| host.eq_ignore_ascii_case(authority)))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn one_credential_is_found_and_two_are_refused() {
        let shown = |uri: &str, headers: &[(&str, &str)]| {
            let mut request = Request::builder().uri(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            Shown::in_request(&parts, "s").map_err(|refusal| refusal.problems().0[0].code.name)
        };
        let check = |uri: &str, headers: &[(&str, &str)], expect: Result<Shown, &str>| {
            assert!(shown(uri, headers) == expect, "{uri} {headers:?}");
        };
        check("/x", &[], Ok(Shown::Nothing));
        check(
            "/x",
            &[("authorization", "Bearer a")],
            Ok(Shown::Bearer("a".into())),
        );
        check(
            "/x",
            &[("authorization", "bEARER  a ")],
            Ok(Shown::Bearer("a".into())),
        );
        check("/x?access_token=a%20b", &[], Ok(Shown::Query("a b".into())));
        check("/x", &[("cookie", "t=1; s=abc")], Ok(Shown::Cookie("abc".into())));
        check("/x", &[("cookie", "s=")], Ok(Shown::Nothing));
        check(
            "/x",
            &[("cookie", "s=abc"), ("authorization", "Bearer a")],
            Ok(Shown::Bearer("a".into())),
        );
        check(
            "/x?access_token=a",
            &[("authorization", "Bearer a")],
            Err("INVALID_PAYLOAD"),
        );
        check("/x?access_token=a&access_token=b", &[], Err("INVALID_PAYLOAD"));
        check(
            "/x",
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
            Err("INVALID_PAYLOAD"),
        );
        check(
            "/x",
            &[("authorization", "Basic abc")],
            Err("INVALID_CREDENTIALS"),
        );
        check("/x", &[("authorization", "Bearer ")], Err("INVALID_CREDENTIALS"));
        check("/x", &[("authorization", "token")], Err("INVALID_CREDENTIALS"));
    }
}
