//! A database with an administrator in it, a clock that stands still, and hashes that cost nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use loggia_access::{Attribution, Origin};
use loggia_identity::{
    AdministratorSeed, Cost, Credential, Error, Identity, Mail, Mailer, Mode, NewUser, Options, Parts,
    RequestFacts, Secret,
};
use loggia_model::{Clock, Generator};
use loggia_servers::Database;
use loggia_store::Store;

pub(crate) struct House {
    pub(crate) identity: Identity,
    pub(crate) clock: Clock,
    store: Store,
    cost: Cost,
    pub(crate) token: String,
    _database: Database,
}

/// Letters have tests of their own, at the door.
struct NoMail;

impl Mailer for NoMail {
    fn send(&self, _: Mail) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async { Err("no letters here".to_owned()) })
    }
}

pub(crate) const EMAIL: &str = "admin@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";

impl House {
    /// Without anybody in it.
    pub(crate) async fn empty() -> Self {
        Self::costing(Cost::least()).await
    }

    /// Without anybody in it, and with hashes that cost something.
    pub(crate) async fn costing(cost: Cost) -> Self {
        let clock = Clock::mock(Timestamp::from_second(1_800_000_000).unwrap());
        let options = |url: String| loggia_store::Options {
            clock: clock.clone(),
            durable: false,
            ..loggia_store::Options::new(url)
        };
        let database = Database::chosen(async |url| drop(Store::open(options(url)).await.unwrap())).await;
        let store = Store::open(options(database.url.clone())).await.unwrap();
        let identity = identity(&store, &clock, cost, 1);
        Self {
            identity,
            clock,
            store,
            cost,
            token: String::new(),
            _database: database,
        }
    }

    /// After a restart: what is not in the database is forgotten.
    pub(crate) fn restart(&mut self) {
        self.identity = identity(&self.store, &self.clock, self.cost, 2);
    }

    /// With an administrator.
    pub(crate) async fn new() -> Self {
        Self::empty().await.with_administrator().await
    }

    pub(crate) async fn with_administrator(self) -> Self {
        let mut house = self;
        let seed = AdministratorSeed {
            email: EMAIL.to_owned(),
            password: Some(Secret::new(PASSWORD)),
            token: None,
        };
        let made = house.identity.first_administrator(seed).await.unwrap().unwrap();
        house.token = made.token.reveal().to_owned();
        house
    }

    pub(crate) async fn user(&self, email: &str, token: &str) -> String {
        let user = NewUser {
            email: email.to_owned(),
            password: Some(Secret::new(PASSWORD)),
            token: Some(Secret::new(token)),
            role: None,
        };
        self.identity.create_user(user).await.unwrap()
    }

    pub(crate) async fn login(&self, mode: Mode) -> loggia_identity::Tokens {
        self.identity
            .login(EMAIL, &Secret::new(PASSWORD), None, mode, &facts())
            .await
            .unwrap()
    }

    pub(crate) async fn caller(
        &self,
        credential: Credential<'_>,
    ) -> Result<loggia_access::Caller, &'static str> {
        self.identity
            .authenticate(credential, facts())
            .await
            .map_err(|error| code(&error))
    }

    pub(crate) fn pass(&self, time: SignedDuration) {
        self.clock.advance(time);
    }
}

pub(crate) fn facts() -> RequestFacts {
    RequestFacts {
        origin: Origin::Rest,
        ip: Some([127, 0, 0, 1].into()),
        user_agent: Some("test".to_owned()),
        attribution: Attribution::default(),
    }
}

/// The code that a caller would see.
pub(crate) fn code(error: &Error) -> &'static str {
    error.problems().0[0].code.name
}

fn identity(store: &Store, clock: &Clock, cost: Cost, seed: u64) -> Identity {
    Identity::new(Parts {
        store: store.clone(),
        clock: clock.clone(),
        generator: Generator::seeded(seed),
        secret: Secret::new("a secret of at least thirty-two bytes"),
        mailer: Arc::new(NoMail),
        options: Options {
            cost,
            ..Options::default()
        },
    })
    .unwrap()
}
