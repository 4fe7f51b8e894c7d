//! Who is asking: users, passwords, sessions and tokens become a [`Caller`](loggia_access::Caller), and only here.
//!
//! Invariants
//! - [`Identity::authenticate`] is asked for every request; a suspended user, a changed policy, an ended session and a
//!   revoked token count on the very next one ([`Identity::changed`] is told after every commit, and of those of other
//!   processes before the next request is authenticated).
//! - Secrets are stored as argon2id hashes (passwords) or SHA-256 fingerprints (tokens), shown once, and never logged:
//!   they travel as [`Secret`].
//! - A wrong password and an unknown account give the same answer after the same time.
//! - Whoever guesses has to wait, and shuts nobody else out; addresses are counted by their network.
//! - The public never is an administrator.
//! - What came of a password alone reaches nothing but the setting up of a second factor, where one is demanded.
//! - Rows of system tables are reached in `tables.rs` alone, by the system's own permits, and written through the
//!   [`Recorder`] alone: what is done to an account is a change like any other. When somebody came or was refused, and
//!   the sessions themselves, are nobody's change.
//! - Absent on purpose: what a caller may do with rows (`access` decides), HTTP, cookies.
//!
//! To add a way to sign in: a file beside `sign_in.rs` that ends in `open_session`.
//! To add a credential: a variant of [`Credential`] and its branch in `authenticate.rs`.

mod access_token;
mod account;
mod attempts;
mod authenticate;
mod bound;
mod error;
mod jwt;
mod mail;
mod memory;
mod network;
pub mod password;
mod reset;
mod second_factor;
mod secret;
mod sign_in;
mod tables;
mod totp;
mod usage;
mod users;

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;
use loggia_journal::{Journal, Recorder};
use loggia_model::system::PEOPLE;
use loggia_model::{Clock, Generator};
use loggia_store::Store;
use tokio::sync::Semaphore;

use account::{Account, By};

pub use account::RequestFacts;
pub use authenticate::{Admitted, Credential};
pub use error::Error;
pub use mail::{Mail, Mailer};
pub use password::{Cost, is_password_policy};
pub use second_factor::NewFactor;
pub use secret::{Secret, fingerprint};
pub use sign_in::{Mode, Proof, Tokens};
pub use totp::one_time_password;
pub use users::{AdministratorSeed, FirstAdministrator, NewUser};

/// What identity is made of.
pub struct Parts {
    /// Where users and sessions are.
    pub store: Store,
    /// For expiry.
    pub clock: Clock,
    /// For tokens and salts.
    pub generator: Generator,
    /// Signs access tokens: at least 32 unpredictable bytes.
    pub secret: Secret,
    /// Carries letters to users.
    pub mailer: Arc<dyn Mailer>,
    /// How long things are good for.
    pub options: Options,
}

/// How long things are good for, and what a guess costs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// An access token.
    pub access_ttl: SignedDuration,
    /// A refresh token.
    pub refresh_ttl: SignedDuration,
    /// A session's cookie.
    pub session_ttl: SignedDuration,
    /// Of a password hash.
    pub cost: Cost,
}

impl Default for Options {
    /// 15 minutes, 7 days, 1 day.
    fn default() -> Self {
        Self {
            access_ttl: SignedDuration::from_mins(15),
            refresh_ttl: SignedDuration::from_hours(7 * 24),
            session_ttl: SignedDuration::from_hours(24),
            cost: Cost::default(),
        }
    }
}

/// Knows who is asking. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<House>);

struct House {
    journal: Journal,
    store: Store,
    clock: Clock,
    generator: Generator,
    options: Options,
    tables: tables::Tables,
    signer: jwt::Signer,
    passwords: password::Passwords,
    attempts: attempts::Attempts,
    refusals: bound::Bound,
    links: reset::Links,
    mailer: Arc<dyn Mailer>,
    letters: Arc<Semaphore>,
    letters_waiting: Arc<Semaphore>,
    reset_accounts: bound::Bounds,
    reset_places: bound::Bounds,
    accounts: authenticate::Accounts,
    usage: usage::Usage,
}

/// So many refused sign-ins are written down in an hour: a flood of them must not fill the disk.
const RECORDED_REFUSALS: u32 = 1_000;

impl Identity {
    /// Puts it together over a database that has the system tables.
    ///
    /// # Errors
    /// When the cost of a password hash is not one that the algorithm takes.
    pub fn new(parts: Parts) -> Result<Self, Error> {
        let journal = Journal::new(parts.store.clone(), parts.clock.clone(), parts.generator.clone());
        Ok(Self(Arc::new(House {
            journal,
            tables: tables::Tables::new(&loggia_model::system::schema())?,
            signer: jwt::Signer::new(&parts.secret),
            passwords: password::Passwords::new(parts.options.cost, parts.generator.clone())?,
            attempts: attempts::Attempts::default(),
            refusals: bound::Bound::new(RECORDED_REFUSALS),
            links: reset::Links::new(&parts.secret),
            mailer: parts.mailer,
            letters: Arc::new(Semaphore::new(reset::LETTERS_AT_ONCE)),
            letters_waiting: Arc::new(Semaphore::new(reset::MOST_WAITING)),
            reset_accounts: bound::Bounds::new(reset::FOR_AN_ACCOUNT),
            reset_places: bound::Bounds::new(reset::FROM_A_NETWORK),
            accounts: authenticate::Accounts::new(),
            usage: usage::Usage::default(),
            store: parts.store,
            clock: parts.clock,
            generator: parts.generator,
            options: parts.options,
        })))
    }

    /// Waits for the turn at the writer, and begins what `account` does.
    async fn begin(&self, account: &Account, facts: &RequestFacts) -> Result<Recorder, Error> {
        let author = account.caller(By::default(), facts.clone());
        Ok(self.0.journal.begin_unread(&author).await?)
    }

    /// Rows of `collection` changed: what was remembered about callers may be out of date.
    pub fn changed(&self, collection: &str) {
        if PEOPLE.contains(&collection) {
            self.0.accounts.forget();
        }
    }

    /// Reads a system row: whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reach(&self) -> Result<(), Error> {
        self.0.tables.settings(&self.0.store).await.map(drop)
    }

    /// How many passwords were hashed or tried so far: each of them costs the same.
    #[must_use]
    pub fn passwords_tried(&self) -> u64 {
        self.0.passwords.tried()
    }

    /// How long things are good for.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.0.options
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}
