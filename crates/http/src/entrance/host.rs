//! Under which names this server answers: the defence against DNS rebinding, where a page of a name that somebody else
//! owns is made to point here.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::HOST;
use loggia_model::Problem;
use loggia_model::error::FORBIDDEN;

use crate::answer::Refusal;
use crate::config::HttpConfig;

/// The names under which this server answers. IP addresses always are: no name was involved, so none was rebound; and
/// so is `localhost`, which browsers resolve themselves (RFC 6761 §6.3).
#[derive(Debug)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn new(config: &HttpConfig) -> Self {
        let origin = config.public_origin();
        let public = origin
            .split_once("://")
            .map_or(origin, |(_, authority)| authority);
        let names = config.allowed_hosts.iter().map(String::as_str);
        Self(names.chain([name(public)]).map(str::to_ascii_lowercase).collect())
    }

    /// Whether the request is meant for this server.
    ///
    /// # Errors
    /// `FORBIDDEN`, naming what to configure.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Refusal> {
        let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = request
            .uri()
            .authority()
            .map(axum::http::uri::Authority::as_str)
            .or(header);
        match host {
            Some(host) if self.allows(host) => Ok(()),
            _ => Err(Problem::new(
                &FORBIDDEN,
                "This server does not answer under the name that was asked for (Host).",
            )
            .hint("Set public_url, or list the name in allowed_hosts.")
            .into()),
        }
    }

    fn allows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let bare = name(&host);
        let unbracketed = bare.trim_start_matches('[').trim_end_matches(']');
        unbracketed.parse::<IpAddr>().is_ok()
            || bare == "localhost"
            || bare.ends_with(".localhost")
            || self
                .0
                .iter()
                .any(|allowed| allowed == "*" || *allowed == bare || *allowed == host)
    }
}

/// A host without its port.
fn name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_ours_are_refused() {
        let hosts = Hosts::new(&HttpConfig {
            public_url: "https://cms.example.com/x".to_owned(),
            allowed_hosts: vec!["loggia:8055".to_owned(), "Inner".to_owned()],
            ..HttpConfig::default()
        });
        let check = |host: &str, expect: bool| assert_eq!(hosts.allows(host), expect, "{host}");
        check("cms.example.com", true);
        check("CMS.example.com:443", true);
        check("127.0.0.1:8055", true);
        check("[::1]:8055", true);
        check("localhost:3000", true);
        check("a.localhost", true);
        check("loggia:8055", true);
        check("loggia:80", false);
        check("inner:1", true);
        check("evil.example", false);
        check("evil.example:8055", false);
        check("localhost.evil.example", false);
        check("cms.example.com.evil.example", false);
        check("127.0.0.1.evil.example", false);
        check("", false);
    }
}
