//! The REST dialect, signing in, and the transport of MCP: everything that speaks HTTP.
//!
//! Invariants
//! - Every request passes [`entrance`]: it gets an id, a turn and a time, a panic in it is survived, and its failure is
//!   logged once, under that id.
//! - Who is asking is found out by [`who`] for every request afresh; a handler that touches anything of anybody's
//!   takes a [`Who`](who::Who), and what may be done is decided below.
//! - Every refusal has the one shape of [`answer`]; on `/mcp` it has that of the protocol.
//! - Bodies and query strings are read by [`body`] and [`query_string`] alone, within their caps.
//! - Nothing is served that is not in [`ROUTES`], with what the OpenAPI document says of it.
//! - Absent on purpose: SQL, permissions, the meaning of a query, the content of an MCP message.
//!
//! To add a REST resource: `rest/<resource>.rs` with `routes()`, and its line in `rest::routes`.

pub mod answer;
mod auth;
pub mod body;
pub mod config;
pub mod entrance;
mod mcp;
pub mod openapi;
pub mod query_string;
mod rest;
mod router;
mod serve;
mod server;
mod unreadable;
mod verbs;
pub mod who;
pub mod wiring;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use loggia_engine::Engine;
use loggia_identity::Identity;
use loggia_mcp::Endpoint;
use loggia_model::{Clock, Generator};
use tokio::sync::Semaphore;

pub use config::{Cookies, Cors, HttpConfig, HttpLimits, McpConfig, SameSite};
pub use router::{ROUTES, Route};
pub use serve::serve;

/// The version that the server says it has.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inside>);

/// What an [`App`] is made of.
pub struct Parts {
    /// Who is asking.
    pub identity: Identity,
    /// The MCP server.
    pub mcp: Arc<Endpoint>,
    /// What can be done.
    pub engine: Engine,
    /// How requests are taken.
    pub config: HttpConfig,
    /// For durations and ids.
    pub clock: Clock,
    /// For ids.
    pub generator: Generator,
}

struct Inside {
    parts: Parts,
    hosts: entrance::Hosts,
    turns: Semaphore,
}

impl App {
    /// Puts it together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inside {
            hosts: entrance::Hosts::new(&parts.config),
            turns: Semaphore::new(parts.config.limits.concurrent_requests),
            parts,
        }))
    }

    /// Everything that is served.
    pub fn router(&self) -> Router {
        router::build(self.clone())
    }

    /// How requests are taken.
    #[must_use]
    pub fn config(&self) -> &HttpConfig {
        &self.0.parts.config
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.parts.engine
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.parts.identity
    }

    pub(crate) fn mcp(&self) -> &Endpoint {
        &self.0.parts.mcp
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.parts.clock
    }

    pub(crate) fn generator(&self) -> &Generator {
        &self.0.parts.generator
    }

    pub(crate) fn hosts(&self) -> &entrance::Hosts {
        &self.0.hosts
    }

    pub(crate) fn turns(&self) -> &Semaphore {
        &self.0.turns
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("config", self.config())
            .finish_non_exhaustive()
    }
}
