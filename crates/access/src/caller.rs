//! Who is asking.

use std::net::IpAddr;
use std::sync::Arc;

/// Who is asking, established by `identity` from a credential. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Claims>);

/// What `identity` found out about a caller.
#[derive(Clone, Debug)]
pub struct Claims {
    /// The key of the user in `directus_users`; `None`: the public.
    pub user: Option<String>,
    /// The key of the user's role.
    pub role: Option<String>,
    /// The role and its ancestors, nearest first.
    pub roles: Vec<String>,
    /// The policies that apply.
    pub policies: Vec<String>,
    /// What the policies amount to.
    pub rights: Rights,
    /// Whether the Studio may be used.
    pub app_access: bool,
    /// The key of the session, where the credential belongs to one.
    pub session: Option<String>,
    /// Through which door the request came.
    pub origin: Origin,
    /// The address that the request came from.
    pub ip: Option<IpAddr>,
    /// What the client calls itself over HTTP.
    pub user_agent: Option<String>,
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything.
    Administrator,
    /// Nothing but what every caller may.
    None,
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
}

impl Caller {
    /// Called by `identity` alone, once it has checked the credential; `cargo xtask tidy` holds it to that.
    #[must_use]
    pub fn established(claims: Claims) -> Self {
        Self(Arc::new(claims))
    }

    /// Whether everything is allowed.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.0.rights == Rights::Administrator
    }

    /// Whether nobody signed in.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.0.user.is_none()
    }

    /// The user's key.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    /// Everything that is known.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.0
    }
}
