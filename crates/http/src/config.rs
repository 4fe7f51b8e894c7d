//! What this room is told: addresses, who may call from a browser, cookies, limits.

use std::time::Duration;

use loggia_access::IpAccess;

/// How requests are taken.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// What clients see, without a slash at the end: `https://cms.example.com` or `https://example.com/cms`.
    pub public_url: String,
    /// Further names under which clients may call, with or without a port. `*` allows any.
    pub allowed_hosts: Vec<String>,
    /// Which other web pages may call.
    pub cors: Cors,
    /// Cookies of signing in.
    pub cookies: Cookies,
    /// How much is accepted.
    pub limits: HttpLimits,
    /// The MCP server.
    pub mcp: McpConfig,
    /// The proxies whose `X-Forwarded-For` and `Forwarded` are believed. None: nobody's.
    pub trusted_proxies: Option<IpAccess>,
    /// Pages besides our own that links to a new password may lead to.
    pub password_reset_urls: Vec<String>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8055".to_owned(),
            allowed_hosts: Vec::new(),
            cors: Cors::default(),
            cookies: Cookies::default(),
            limits: HttpLimits::default(),
            mcp: McpConfig::default(),
            trusted_proxies: None,
            password_reset_urls: Vec::new(),
        }
    }
}

impl HttpConfig {
    /// `scheme://host[:port]` of the public URL.
    #[must_use]
    pub fn public_origin(&self) -> &str {
        let after_scheme = self.public_url.find("://").map_or(0, |at| at + 3);
        match self.public_url[after_scheme..].find('/') {
            Some(at) => &self.public_url[..after_scheme + at],
            None => &self.public_url,
        }
    }
}

/// Cross-origin resource sharing (WHATWG Fetch).
#[derive(Clone, Debug, Default)]
pub struct Cors {
    /// The origins that may call (`https://app.example.com`); `*`: any, without cookies. None: no page of another
    /// origin.
    pub origins: Vec<String>,
    /// Whether they may send cookies; never with `*`.
    pub credentials: bool,
}

impl Cors {
    /// Whether a page of this origin may call.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.origins
            .iter()
            .any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    }

    /// Whether any page may call.
    #[must_use]
    pub fn allows_any(&self) -> bool {
        self.origins.iter().any(|allowed| allowed == "*")
    }
}

/// Cookies of signing in.
#[derive(Clone, Debug)]
pub struct Cookies {
    /// The name of the session's cookie.
    pub session: String,
    /// The name of the refresh token's cookie.
    pub refresh: String,
    /// Only over HTTPS. None: when the public URL is one of HTTPS.
    pub secure: Option<bool>,
    /// When they are sent along from other sites.
    pub same_site: SameSite,
    /// For which domain; none: this host only.
    pub domain: Option<String>,
}

impl Default for Cookies {
    fn default() -> Self {
        Self {
            session: "directus_session_token".to_owned(),
            refresh: "directus_refresh_token".to_owned(),
            secure: None,
            same_site: SameSite::Lax,
            domain: None,
        }
    }
}

/// When a cookie is sent along from other sites (RFC 6265bis §5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When a link is followed.
    Lax,
    /// Always; needs HTTPS.
    None,
}

impl SameSite {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// How much is accepted.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Levels of JSON in a body.
    pub body_depth: usize,
    /// Requests at the same time; more get 503 at once.
    pub concurrent_requests: usize,
    /// The longest that a request may take.
    pub request_timeout: Duration,
    /// The longest that a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long running requests may go on after a stop was asked for.
    pub stop_timeout: Duration,
    /// Connections at the same time; more wait.
    pub connections: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            body_bytes: 10 * 1024 * 1024,
            body_depth: 64,
            concurrent_requests: 1_024,
            request_timeout: Duration::from_secs(60),
            header_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            connections: 10_000,
        }
    }
}

/// The MCP server.
#[derive(Clone, Debug)]
pub struct McpConfig {
    /// False: it cannot be switched on and answers 404.
    pub available: bool,
    /// Overrules the setting in the database.
    pub enabled: Option<bool>,
    /// Bytes of a message.
    pub body_bytes: usize,
}

impl Default for McpConfig {
    fn default() -> Self {
        Self {
            available: true,
            enabled: None,
            body_bytes: 4 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_the_public_url() {
        let check = |public_url: &str, expect: &str| {
            let config = HttpConfig {
                public_url: public_url.to_owned(),
                ..HttpConfig::default()
            };
            assert_eq!(config.public_origin(), expect);
        };
        check("https://cms.example.com", "https://cms.example.com");
        check("https://example.com/cms", "https://example.com");
        check("http://127.0.0.1:8055", "http://127.0.0.1:8055");
    }
}
