//! Who is asking.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// Who is asking, established by `identity` from a credential. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    claims: Arc<Claims>,
    attribution: Arc<Attribution>,
}

/// What `identity` found out about a caller.
#[derive(Clone, Debug)]
pub struct Claims {
    /// The key of the user in `directus_users`; `None`: the public.
    pub user: Option<String>,
    /// The key of the user's role.
    pub role: Option<String>,
    /// The role and its ancestors, nearest first.
    pub roles: Vec<String>,
    /// The user's policies that apply to this request.
    pub policies: Vec<String>,
    /// What has a say in the caller's rights: first the user's own policies, then whatever narrows them. What is to be
    /// done must be allowed by every one of them; by none where there is none.
    pub layers: Vec<Layer>,
    /// Whether the Studio may be used.
    pub app_access: bool,
    /// The key of the session, where the credential belongs to one.
    pub session: Option<String>,
    /// The access token, where one was shown.
    pub token: Option<TokenFacts>,
    /// Through which door the request came.
    pub origin: Origin,
    /// The address that the request came from.
    pub ip: Option<IpAddr>,
    /// What the client calls itself over HTTP.
    pub user_agent: Option<String>,
}

/// Policies whose permissions add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Layer {
    /// Their keys, in a stable order.
    pub policies: Vec<String>,
    /// Whether one of them allows everything.
    pub admin: bool,
}

/// What is known of an access token (a row of `loggia_tokens`) once it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its key.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it writes, or only proposes.
    pub mode: TokenMode,
    /// At most so many rows changed in an hour; `None`: any number.
    pub changed_rows_per_hour: Option<u64>,
}

/// What becomes of the writes of an access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenMode {
    /// They are done.
    #[default]
    Direct,
    /// Nothing is written: a person has to.
    Propose,
}

/// What is known of a request besides who makes it: recorded with what it changes, and of no effect on rights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attribution {
    /// The key of the request in the log.
    pub request_id: Option<String>,
    /// What the client calls itself (over MCP); not verified.
    pub client_name: Option<String>,
    /// Its version, in its own notation.
    pub client_version: Option<String>,
    /// The tool that is called.
    pub tool: Option<String>,
    /// What the caller says the change is for.
    pub title: Option<String>,
    /// Where the key of the change is put once it is committed: by the engine, for whoever answers the request.
    pub change: Arc<OnceLock<String>>,
    /// Set once a commit begins: from then on, who is not told its outcome does not know whether anything was changed.
    pub commit: Arc<OnceLock<()>>,
    /// The version of who is who by which the caller was established; `None`: nothing that changes that counts for them.
    pub people: Option<u64>,
}

/// Through which door a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The REST dialect.
    Rest,
    /// The MCP server.
    Mcp,
    /// The command line.
    Cli,
    /// None: what the server does of its own accord.
    System,
}

impl Caller {
    /// Called by `identity` alone, once it has checked the credential; `cargo xtask tidy` holds it to that.
    #[must_use]
    pub fn established(claims: Claims) -> Self {
        Self {
            claims: Arc::new(claims),
            attribution: Arc::default(),
        }
    }

    /// Whether everything is allowed.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        !self.claims.layers.is_empty() && self.claims.layers.iter().all(|layer| layer.admin)
    }

    /// Whether nobody signed in.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.claims.user.is_none()
    }

    /// Whether somebody else asks on the user's behalf: whoever holds an access token of theirs, or an assistant.
    #[must_use]
    pub fn is_delegated(&self) -> bool {
        self.claims.token.is_some() || self.claims.origin == Origin::Mcp
    }

    /// Whether the request may do less than the user may: the policies of an access token narrow it.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        self.claims.layers.len() > 1 && !self.is_admin()
    }

    /// Whether the request itself has what a policy gives: everything, or this very policy, in every layer.
    #[must_use]
    pub fn holds(&self, policy: &str) -> bool {
        let held = |layer: &Layer| layer.admin || layer.policies.iter().any(|own| own == policy);
        !self.claims.layers.is_empty() && self.claims.layers.iter().all(held)
    }

    /// The user's key.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.claims.user.as_deref()
    }

    /// Everything that is known.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The same caller, with more known of the request.
    #[must_use]
    pub fn attributed(&self, attribution: Attribution) -> Self {
        Self {
            claims: self.claims.clone(),
            attribution: Arc::new(attribution),
        }
    }

    /// What is known of the request.
    #[must_use]
    pub fn attribution(&self) -> &Attribution {
        &self.attribution
    }
}
