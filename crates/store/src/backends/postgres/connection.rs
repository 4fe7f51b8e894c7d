//! Connections: how they are made and set up, and how statements run on them.
//!
//! Statements are prepared once for each connection and kept by their text. A change of the schema makes every
//! connection forget them: the server would refuse those whose columns have changed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use loggia_model::Scalar;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_postgres::Client;

use super::address::{Address, Canceller};
use super::dialect::POSTGRES;
use super::failure::Trouble;
use super::values::{Bound, Cell};
use crate::Error;
use crate::answer::Rows;
use crate::backends::turn::Counts;
use crate::change::quoted;

/// Statements that each connection keeps prepared.
const STATEMENTS: usize = 512;
/// The first wait before another attempt to connect; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(25);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How often it is said that the server still cannot be reached.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// How long a statement waits for another transaction.
const LONGEST_LOCK: Duration = Duration::from_secs(30);

/// What all connections to a database have in common.
pub(super) struct Common {
    pub(super) address: Address,
    /// How long a database that is gone is waited for.
    pub(super) patience: Duration,
    /// How long a transaction may do nothing.
    pub(super) idle: Duration,
    /// A reading statement that takes longer is ended by the server: nobody waits for so long.
    longest_read: Duration,
    /// The schema that holds the tables, where it is not the first of the user's search path.
    pub(super) schema: Option<String>,
    /// Whether commits are synced.
    pub(super) durable: bool,
    pub(super) clock: loggia_model::Clock,
    pub(super) counts: Counts,
    /// The version of the schema that this process has seen last.
    version: AtomicU64,
    /// Whether other programs declared rules that are checked only at commit.
    deferred: AtomicBool,
    /// Whether the server tells others of what is committed here, and us of what others commit.
    tells: AtomicBool,
    /// Rung when the server has told, or may have had to.
    bell: Notify,
}

impl Common {
    pub(super) fn new(address: Address, options: &crate::Options) -> Self {
        Self {
            address,
            patience: options.patience,
            idle: options.idle,
            longest_read: options.remote.reading,
            schema: options.remote.schema.clone(),
            durable: options.durable,
            clock: options.clock.clone(),
            counts: Counts::default(),
            version: AtomicU64::default(),
            deferred: AtomicBool::default(),
            tells: AtomicBool::default(),
            bell: Notify::new(),
        }
    }

    /// Whether a commit can fail by what a transaction has done.
    pub(super) fn has_deferred_keys(&self) -> bool {
        self.deferred.load(Ordering::Relaxed)
    }

    /// Notes whether it can.
    pub(super) fn saw_deferred_keys(&self, deferred: bool) {
        self.deferred.store(deferred, Ordering::Relaxed);
    }

    /// What a transaction that raises versions says with its commit; nothing, where the server takes no such words.
    pub(super) fn telling(&self) -> &'static str {
        match self.tells.load(Ordering::Relaxed) {
            true => "NOTIFY loggia_versions; ",
            false => "",
        }
    }

    /// Notes whether the server tells.
    pub(super) fn tells(&self, tells: bool) {
        self.tells.store(tells, Ordering::Relaxed);
    }

    /// Wakes whoever waits for news.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits for news.
    pub(super) async fn heard(&self) {
        self.bell.notified().await;
    }

    /// Notes a version of the schema: what was prepared under another is forgotten.
    pub(super) fn saw_version(&self, version: u64) {
        self.version.store(version, Ordering::Relaxed);
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Transactions that write.
    Write,
    /// Reads.
    Read,
}

/// A connection.
pub(super) struct Connection {
    client: Client,
    canceller: Canceller,
    common: Arc<Common>,
    statements: Mutex<Statements>,
}

/// A statement that the server has prepared.
pub(super) type Prepared = tokio_postgres::Statement;

/// What goes wrong on a connection.
pub(super) type Failure = tokio_postgres::Error;

/// What a connection keeps prepared, by text.
#[derive(Default)]
struct Statements {
    kept: HashMap<String, (Prepared, u64)>,
    /// Grows with every use.
    uses: u64,
    /// The version of the schema under which they were prepared.
    version: u64,
}

impl Connection {
    /// Connects, trying again for as long as the database is waited for.
    pub(super) async fn open(common: &Arc<Common>, mode: Mode) -> Result<Self, Error> {
        Self::open_within(common, mode, common.patience).await
    }

    /// The same for as long as is said.
    pub(super) async fn open_within(
        common: &Arc<Common>,
        mode: Mode,
        patience: Duration,
    ) -> Result<Self, Error> {
        let patience = Patience::new(patience);
        let mut said: Option<Instant> = None;
        loop {
            let bell = common.clone();
            let failed = match common.address.connect(move || bell.ring()).await {
                Ok((client, canceller)) => {
                    let connection = Self {
                        client,
                        canceller,
                        common: common.clone(),
                        statements: Mutex::default(),
                    };
                    match connection.client.batch_execute(&set_up(common, mode)).await {
                        Ok(()) => {
                            if said.is_some() {
                                tracing::info!(database = %common.address, "the database answers again");
                            }
                            return Ok(connection);
                        }
                        Err(error) => (super::failure::trouble(&error, false), super::failure::of(error)),
                    }
                }
                Err(failed) => failed,
            };
            match failed {
                (Trouble::Lost, error) if !patience.wait().await => return Err(error),
                (Trouble::Lost, error) => {
                    if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                        said = Some(Instant::now());
                        tracing::warn!(
                            error = super::failure::whole(&error),
                            database = %common.address,
                            "the database does not answer; trying again"
                        );
                    }
                }
                (_, error) => return Err(error),
            }
        }
    }

    /// Runs statements of our own that take nothing and give nothing; none at all where the text is empty.
    pub(super) async fn command(&self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        self.client.batch_execute(text).await
    }

    /// Sends a command and waits for nothing: what is sent after it runs after it.
    pub(super) fn command_later(&self, text: &str) {
        use futures_util::FutureExt as _;
        // The first poll sends it; its answer is passed over.
        let _ = self.client.batch_execute(text).now_or_never();
    }

    /// A statement that is prepared already.
    pub(super) fn prepared(&self, text: &str) -> Option<Prepared> {
        let mut statements = self.statements();
        statements.uses += 1;
        let uses = statements.uses;
        let (prepared, used) = statements.kept.get_mut(text)?;
        *used = uses;
        Some(prepared.clone())
    }

    /// Prepares a statement and keeps it.
    pub(super) async fn prepare(&self, text: &str) -> Result<Prepared, Failure> {
        let prepared = self.client.prepare(text).await?;
        let mut statements = self.statements();
        if statements.kept.len() >= STATEMENTS {
            let oldest = statements.kept.iter().min_by_key(|(_, (_, used))| *used);
            let oldest = oldest.map(|(text, _)| text.clone());
            statements.kept.remove(&oldest.unwrap_or_default());
        }
        let uses = statements.uses;
        statements.kept.insert(text.to_owned(), (prepared.clone(), uses));
        Ok(prepared)
    }

    /// Forgets every prepared statement.
    pub(super) fn forget(&self) {
        self.statements().kept.clear();
    }

    /// Runs a prepared statement to its end. Polled first, it is sent first: several that are polled together are
    /// under way at the same time.
    pub(super) async fn fetch(&self, prepared: &Prepared, values: Vec<Bound<'_>>) -> Result<Rows, Failure> {
        let stream = self.client.query_raw(prepared, values).await?;
        let mut stream = std::pin::pin!(stream);
        let width = prepared.columns().len();
        let mut rows = Rows {
            width,
            cells: Vec::new(),
        };
        while let Some(row) = stream.try_next().await? {
            for at in 0..width {
                rows.cells.push(row.try_get::<_, Cell>(at)?.0);
            }
        }
        Ok(rows)
    }

    /// Runs a statement of our own, prepared and kept.
    pub(super) async fn ask(&self, text: &str, values: &[Scalar]) -> Result<Rows, Failure> {
        let prepared = match self.prepared(text) {
            Some(prepared) => prepared,
            None => self.prepare(text).await?,
        };
        self.fetch(&prepared, values.iter().map(Bound).collect()).await
    }

    /// The same for a statement that is not asked again: it is not kept.
    pub(super) async fn ask_once(&self, text: &str, values: &[Scalar]) -> Result<Rows, Failure> {
        let prepared = self.client.prepare(text).await?;
        self.fetch(&prepared, values.iter().map(Bound).collect()).await
    }

    /// Whether the server or the network has ended it.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// What all connections have in common.
    pub(super) fn common(&self) -> &Arc<Common> {
        &self.common
    }

    /// Stops what it is doing, and closes it: nobody waits for it any more.
    pub(super) fn abandon(self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // The client goes with the task, after the server was asked to stop.
            runtime.spawn(async move {
                self.cancel().await;
                drop(self);
            });
        }
    }

    /// Asks the server to stop what it is doing. It may have ended already; then the next statement can be met.
    pub(super) async fn cancel(&self) {
        self.canceller.cancel().await;
    }

    fn statements(&self) -> MutexGuard<'_, Statements> {
        // The map is whole at every moment.
        let mut statements = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.common.version.load(Ordering::Relaxed);
        if statements.version != version {
            statements.version = version;
            statements.kept.clear();
        }
        statements
    }
}

/// How long something is waited for, and how often it is tried.
pub(super) struct Patience {
    until: Instant,
    next: AtomicU64,
}

impl Patience {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            until: Instant::now() + patience,
            next: AtomicU64::new(FIRST_WAIT.as_millis() as u64),
        }
    }

    /// Waits a little longer than the last time; `false`: it is at an end.
    pub(super) async fn wait(&self) -> bool {
        let wait = Duration::from_millis(self.next.load(Ordering::Relaxed));
        let next = (wait * 2).min(LONGEST_WAIT).as_millis() as u64;
        self.next.store(next, Ordering::Relaxed);
        let left = self.until.saturating_duration_since(Instant::now());
        tokio::time::sleep(wait.min(left)).await;
        !left.is_zero()
    }
}

/// What is said to the server first.
fn set_up(common: &Common, mode: Mode) -> String {
    let mut text = String::from(
        "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET standard_conforming_strings = on; \
         SET extra_float_digits = 1; SET client_min_messages = error; SET jit = off; ",
    );
    if let Some(schema) = &common.schema {
        text.push_str(&format!("SET search_path = {}; ", quoted(&POSTGRES, schema)));
    }
    let mut set = |name: &str, time: Duration| {
        text.push_str(&format!("SET {name} = '{}ms'; ", time.as_millis()));
    };
    set("lock_timeout", LONGEST_LOCK);
    match mode {
        Mode::Read => {
            set("statement_timeout", common.longest_read);
            text.push_str("SET default_transaction_read_only = on");
        }
        Mode::Write => {
            // Where this process cannot end its transaction, the server does: others wait for it.
            set(
                "idle_in_transaction_session_timeout",
                common.idle * 2 + LONGEST_WAIT,
            );
            if !common.durable {
                text.push_str("SET synchronous_commit = off");
            }
        }
    }
    text
}
