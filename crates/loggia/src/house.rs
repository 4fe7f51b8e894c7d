//! Putting the rooms together: what is made once and handed down.

use crate::configuration::Configuration;
use crate::first_start::McpState;
use crate::mail;
use crate::secret;
use anyhow::{Context, Result};
use loggia_engine::Engine;
use loggia_http::{App, HttpConfig, wiring};
use loggia_identity::{AdministratorSeed, FirstAdministrator, Identity};
use loggia_mcp::{Endpoint, Server};
use loggia_model::{Clock, Generator};
use loggia_store::{Leases, RUNS_OUT, Store};
use loggia_tools::Tools;
use std::sync::Arc;

/// The threads that everything runs on.
///
/// # Errors
/// When the system gives none.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the threads")
}

/// Who opens the data: a database has one server at a time, and any number of others beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The server.
    Server,
    /// A command, perhaps while a server runs.
    Command,
}

/// The lower rooms: the data, and who is who. Enough for what the command line does with users.
pub(crate) struct Foundation {
    pub(crate) store: Store,
    pub(crate) identity: Identity,
    clock: Clock,
    generator: Generator,
}

impl Foundation {
    /// Opens the data that the configuration names, and makes what is missing: folder, secret, tables.
    ///
    /// # Errors
    /// When one of them can be neither opened nor made.
    pub(crate) async fn lay(configuration: &Configuration, role: Role) -> Result<Foundation> {
        let (clock, generator) = (Clock::system(), Generator::system());
        secret::make_folder(&configuration.data)?;
        let secret = match &configuration.secret {
            Some(secret) => secret.clone(),
            None => secret::keep(&configuration.secret_file(), &generator)?,
        };
        let store = Store::open(loggia_store::Options {
            clock: clock.clone(),
            server: role == Role::Server,
            ..configuration.database.options()
        })
        .await
        .with_context(|| format!("cannot open the database {}", configuration.database.url))?;
        let parts = loggia_identity::Parts {
            store: store.clone(),
            clock: clock.clone(),
            generator: generator.clone(),
            secret,
            mailer: mail::mailer(configuration, role, clock.clone())?,
            options: configuration.identity,
        };
        let identity = Identity::new(parts).context("cannot tell who is who")?;
        Ok(Foundation {
            store,
            identity,
            clock,
            generator,
        })
    }

    /// Makes the administrator of the configuration if nobody administers; none otherwise.
    ///
    /// # Errors
    /// When the configured address or password is refused.
    pub(crate) async fn first_administrator(
        &self,
        configuration: &Configuration,
    ) -> Result<Option<FirstAdministrator>> {
        let given = &configuration.admin;
        let seed = AdministratorSeed {
            email: given.email.clone(),
            password: given.password.clone(),
            token: given.token.clone(),
        };
        self.identity
            .first_administrator(seed)
            .await
            .context("cannot make the first administrator")
    }

    /// Builds the upper rooms.
    ///
    /// # Errors
    /// When the schema or the settings cannot be read.
    pub(crate) async fn build(self, configuration: &Configuration) -> Result<House> {
        let engine = Engine::open(loggia_engine::Parts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            generator: self.generator.clone(),
            hasher: wiring::hasher(&self.identity),
            listeners: vec![wiring::listener(&self.identity)],
            limits: configuration.limits.clone(),
        })
        .await
        .context("cannot read the schema")?;
        let server = Server {
            name: "loggia".to_owned(),
            title: "Loggia".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            timeout: configuration.mcp_timeout,
        };
        let endpoint = Endpoint::new(Arc::new(Tools::new(engine.clone())), server);
        Ok(House {
            foundation: self,
            engine,
            endpoint: Arc::new(endpoint),
        })
    }
}

/// Every room below the doors.
pub(crate) struct House {
    pub(crate) foundation: Foundation,
    pub(crate) engine: Engine,
    pub(crate) endpoint: Arc<Endpoint>,
}

impl House {
    /// The door of HTTP.
    pub(crate) fn app(&self, configuration: &Configuration, url: &str) -> App {
        App::new(loggia_http::Parts {
            identity: self.foundation.identity.clone(),
            engine: self.engine.clone(),
            mcp: Arc::clone(&self.endpoint),
            config: HttpConfig {
                public_url: url.to_owned(),
                ..configuration.http.clone()
            },
            clock: self.foundation.clock.clone(),
            generator: self.foundation.generator.clone(),
        })
    }

    /// Says which tables of other programs are collections that can only be read, and why.
    pub(crate) fn tell_read_only(&self) {
        for collection in self.engine.schema().collections.values() {
            if let Some(why) = collection.read_only() {
                tracing::info!(collection = collection.name, why, "a collection can only be read");
            }
        }
    }

    /// Whether assistants can connect, and who decided that.
    pub(crate) fn mcp_state(&self, configuration: &Configuration) -> McpState {
        let mcp = &configuration.http.mcp;
        match mcp.enabled {
            _ if !mcp.available => McpState::Unavailable,
            Some(true) => McpState::On,
            Some(false) => McpState::KeptOff,
            None if self.engine.settings().mcp_enabled() => McpState::On,
            None => McpState::Off,
        }
    }

    /// A key for one message in the log.
    pub(crate) fn request_id(&self) -> Arc<str> {
        self.foundation
            .generator
            .ordered_uuid(self.foundation.clock.now())
            .to_string()
            .into()
    }

    /// Leases of this process, which is `at` an address.
    pub(crate) fn leases(&self, at: &str) -> Leases {
        let holder = format!("{at} {}", self.foundation.generator.uuid());
        Leases::new(self.foundation.store.clone(), holder, RUNS_OUT)
    }
}
