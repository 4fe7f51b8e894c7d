//! The whole thing, running.

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use loggia_access::Permit;
use loggia_engine::{Engine, Limits};
use loggia_http::{App, HttpConfig, Parts, wiring};
use loggia_identity::{AdministratorSeed, Cost, Identity, NewUser, Options, Secret};
use loggia_mcp::{Endpoint, Server};
use loggia_model::plan::{Plan, UpdatePlan};
use loggia_model::{Clock, Filter, Generator, Record, Scalar, system};
use loggia_servers::Database;
use loggia_store::Store;
use loggia_tools::Tools;
use loggia_tools::catalogue::Catalogue;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Client;
use crate::mailbox::{Mailbox, Postman, mailbox};

/// The administrator's e-mail address.
pub const ADMIN_EMAIL: &str = "admin@example.com";
/// The administrator's password.
pub const ADMIN_PASSWORD: &str = "admin-password-1";
/// The administrator's static token.
pub const ADMIN_TOKEN: &str = "administrators-static-token";

/// The clock of tests starts here: 2027-01-15T08:00:00Z.
const START: i64 = 1_800_000_000;

/// A whole Loggia that answers on a free port until it is dropped. Asks as the administrator.
pub struct TestApp {
    /// Stands still until told.
    pub clock: Clock,
    /// Who is asking.
    pub identity: Identity,
    /// What can be done.
    pub engine: Engine,
    /// The database.
    pub store: Store,
    /// Where letters arrive.
    pub mailbox: Mailbox,
    client: Client,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
    _database: Database,
}

impl Deref for TestApp {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// How to start a [`TestApp`].
pub struct Builder {
    config: HttpConfig,
    settings: Record,
    catalogue: Option<Arc<dyn Catalogue>>,
    mcp_timeout: Duration,
}

impl TestApp {
    /// With the defaults, the MCP server switched on.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// To be told more.
    #[must_use]
    pub fn builder() -> Builder {
        let mut settings = Record::new();
        settings.insert("mcp_enabled".to_owned(), true.into());
        settings.insert("project_name".to_owned(), "Test".into());
        Builder {
            config: HttpConfig::default(),
            settings,
            catalogue: None,
            mcp_timeout: Duration::from_secs(60),
        }
    }

    /// Somebody else: a new user with this token and no rights.
    ///
    /// # Panics
    /// When the user cannot be made.
    pub async fn user(&self, email: &str, token: &str) -> Client {
        let user = NewUser {
            email: email.to_owned(),
            password: Some(Secret::new(ADMIN_PASSWORD)),
            token: Some(Secret::new(token)),
            role: None,
        };
        self.identity.create_user(user).await.expect("a user");
        self.client.with_token(token)
    }

    /// Stops it in good order; returns when the last running request has been answered, or cut off.
    ///
    /// # Panics
    /// When serving itself failed.
    pub async fn stop(self) {
        drop(self.stop);
        self.serving.await.expect("no panic").expect("served");
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.client.url
    }
}

impl Builder {
    /// Changes how requests are taken.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut HttpConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Sets a setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    /// Offers these tools instead of the real ones.
    #[must_use]
    pub fn catalogue(mut self, catalogue: Arc<dyn Catalogue>) -> Self {
        self.catalogue = Some(catalogue);
        self
    }

    /// The longest that an MCP request may take.
    #[must_use]
    pub fn mcp_timeout(mut self, timeout: Duration) -> Self {
        self.mcp_timeout = timeout;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When anything of it does not start.
    pub async fn start(self) -> TestApp {
        let clock = Clock::mock(Timestamp::from_second(START).expect("a moment"));
        let generator = Generator::seeded(1);
        let (store, database) = database(&clock).await;
        let (postman, mailbox) = mailbox();
        let identity = identity(&store, &clock, &generator, postman).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        set(&store, self.settings).await;
        let engine = engine(&store, &identity, &clock, &generator).await;
        let catalogue = match self.catalogue {
            Some(catalogue) => catalogue,
            None => Arc::new(Tools::new(engine.clone())),
        };
        let server = Server {
            name: "loggia".to_owned(),
            title: "Loggia".to_owned(),
            version: loggia_http::VERSION.to_owned(),
            timeout: self.mcp_timeout,
        };
        let mut config = self.config;
        if config.public_url == HttpConfig::default().public_url {
            config.public_url.clone_from(&url);
        }
        let limits = config.limits;
        let app = App::new(Parts {
            identity: identity.clone(),
            mcp: Arc::new(Endpoint::new(catalogue, server)),
            engine: engine.clone(),
            config,
            clock: clock.clone(),
            generator,
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        let serving = tokio::spawn(loggia_http::serve(listener, app.router(), limits, stopped));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        TestApp {
            clock,
            identity,
            engine,
            store,
            mailbox,
            client: Client {
                http,
                url,
                token: Some(ADMIN_TOKEN.to_owned()),
            },
            stop,
            serving,
            _database: database,
        }
    }
}

/// An empty database of the kind that `LOGGIA_TEST_DATABASE` chooses, and a store over it.
async fn database(clock: &Clock) -> (Store, Database) {
    let options = |url: String| loggia_store::Options {
        clock: clock.clone(),
        durable: false,
        ..loggia_store::Options::new(url)
    };
    let open = async |url: String| Store::open(options(url)).await.expect("a database");
    let database = Database::chosen(async |url| drop(open(url).await)).await;
    (open(database.url.clone()).await, database)
}

/// Writes settings before anybody reads them.
async fn set(store: &Store, settings: Record) {
    let schema = system::schema();
    let collection = schema.collection("directus_settings").expect("settings").clone();
    let scalar = |value: Value| match value {
        Value::Bool(truth) => Scalar::Bool(truth),
        Value::Number(number) => Scalar::Int(number.as_i64().expect("a whole number")),
        Value::String(text) => Scalar::Text(text),
        other => panic!("not a setting: {other}"),
    };
    let assign = settings
        .into_iter()
        .map(|(name, value)| (collection.field(&name).expect("a setting").clone(), scalar(value)))
        .collect();
    let plan = Plan::Update(UpdatePlan {
        collection,
        filter: Filter::All,
        assign,
    });
    let mut tx = store.begin().await.expect("a transaction");
    tx.run(Permit::system("settings of a test", plan))
        .await
        .expect("settings");
    tx.commit().await.expect("a commit");
}

async fn engine(store: &Store, identity: &Identity, clock: &Clock, generator: &Generator) -> Engine {
    Engine::open(loggia_engine::Parts {
        store: store.clone(),
        clock: clock.clone(),
        generator: generator.clone(),
        hasher: wiring::hasher(identity),
        listeners: vec![wiring::listener(identity)],
        limits: Limits::default(),
    })
    .await
    .expect("an engine")
}

async fn identity(store: &Store, clock: &Clock, generator: &Generator, postman: Postman) -> Identity {
    let identity = Identity::new(loggia_identity::Parts {
        store: store.clone(),
        clock: clock.clone(),
        generator: generator.clone(),
        secret: Secret::new("a secret of tests, at least 32 bytes long"),
        mailer: Arc::new(postman),
        options: Options {
            cost: Cost::least(),
            ..Options::default()
        },
    })
    .expect("identity");
    let seed = AdministratorSeed {
        email: ADMIN_EMAIL.to_owned(),
        password: Some(Secret::new(ADMIN_PASSWORD)),
        token: Some(Secret::new(ADMIN_TOKEN)),
    };
    identity
        .first_administrator(seed)
        .await
        .expect("an administrator");
    identity
}
