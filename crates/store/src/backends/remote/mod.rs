//! What databases on servers have in common: connections that break and are made again, readers in a pool, and a
//! writer that takes turns with other processes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use loggia_model::Clock;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::turn::Counts;
use crate::{Error, Source, Versions};

pub(crate) mod address;
pub(crate) mod arguments;
pub(crate) mod pool;
pub(crate) mod tls;
pub(crate) mod watch;
pub(crate) mod writer;

/// The first wait before another attempt to connect; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(25);
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How often it is said that the server still cannot be reached.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// How long a statement waits for another transaction.
pub(crate) const LONGEST_LOCK: Duration = Duration::from_secs(30);

/// What all connections to a database have in common, whatever server it is on.
pub(crate) struct Basics {
    /// How long a database that is gone is waited for.
    pub(crate) patience: Duration,
    /// How long a transaction may do nothing.
    pub(crate) idle: Duration,
    /// A reading statement that takes longer is ended by the server: nobody waits for so long.
    pub(crate) longest_read: Duration,
    /// Whether commits are synced.
    pub(crate) durable: bool,
    pub(crate) clock: Clock,
    pub(crate) counts: Counts,
    /// The version of the schema that this process has seen last.
    version: AtomicU64,
    /// Whether the server tells others of what is committed here, and us of what others commit.
    tells: AtomicBool,
    /// Rung when the server has told, or may have had to.
    bell: Notify,
}

impl Basics {
    pub(crate) fn new(options: &crate::Options) -> Self {
        Self {
            patience: options.patience,
            idle: options.idle,
            longest_read: options.remote.reading,
            durable: options.durable,
            clock: options.clock.clone(),
            counts: Counts::default(),
            version: AtomicU64::default(),
            tells: AtomicBool::default(),
            bell: Notify::new(),
        }
    }

    /// Notes a version of the schema: what was prepared under another is forgotten.
    pub(crate) fn saw_version(&self, version: u64) {
        self.version.store(version, Ordering::Relaxed);
    }

    /// Whether the server tells of commits.
    pub(crate) fn is_told(&self) -> bool {
        self.tells.load(Ordering::Relaxed)
    }

    /// Notes whether the server tells.
    pub(crate) fn tells(&self, tells: bool) {
        self.tells.store(tells, Ordering::Relaxed);
    }

    /// Wakes whoever waits for news.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits for news.
    pub(crate) async fn heard(&self) {
        self.bell.notified().await;
    }

    /// The version that was noted last.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Transactions that write.
    Write,
    /// Reads.
    Read,
}

/// What an error asks of whoever meets it, beside telling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The connection is gone, or the server is going: another may do.
    Lost,
    /// A statement no longer fits the tables: preparing it anew may do.
    Stale,
    /// Another transaction is in the way: trying again may do.
    Contended,
    /// Nothing.
    None,
}

/// A connection.
pub(crate) trait Link: Sized + Send + 'static {
    /// What all of them have in common.
    type Common: Send + Sync + 'static;
    /// What is the same whatever server it is on.
    fn basics(common: &Self::Common) -> &Basics;
    /// Connects, trying again for as long as is said.
    fn open_within(
        common: &Arc<Self::Common>,
        mode: Mode,
        patience: Duration,
    ) -> impl Future<Output = Result<Self, Error>> + Send;
    /// Connects, trying again for as long as the database is waited for.
    fn open(common: &Arc<Self::Common>, mode: Mode) -> impl Future<Output = Result<Self, Error>> + Send {
        Self::open_within(common, mode, Self::basics(common).patience)
    }
    /// Whether the server or the network has ended it.
    fn is_closed(&self) -> bool;
    /// Makes it ready for another attempt after a statement that no longer fitted.
    fn refresh(&mut self) -> impl Future<Output = ()> + Send;
    /// What is committed.
    fn versions(&mut self) -> impl Future<Output = Result<Versions, (Error, Trouble)>> + Send;
    /// Asks the server to tell when versions were raised; says whether it does.
    fn listen(&mut self) -> impl Future<Output = Result<bool, Error>> + Send {
        async { Ok(false) }
    }
    /// Stops what it is doing, and closes it: nobody waits for it any more.
    fn abandon(self);
}

/// How long something is waited for, and how often it is tried.
pub(crate) struct Patience {
    until: Instant,
    next: AtomicU64,
}

impl Patience {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            until: Instant::now() + patience,
            next: AtomicU64::new(FIRST_WAIT.as_millis() as u64),
        }
    }

    /// Waits a little longer than the last time; `false`: it is at an end.
    pub(crate) async fn wait(&self) -> bool {
        let wait = Duration::from_millis(self.next.load(Ordering::Relaxed));
        let next = (wait * 2).min(LONGEST_WAIT).as_millis() as u64;
        self.next.store(next, Ordering::Relaxed);
        let left = self.until.saturating_duration_since(Instant::now());
        tokio::time::sleep(wait.min(left)).await;
        !left.is_zero()
    }
}

/// Connects to `address`, trying again for as long as is said where the server does not answer.
pub(crate) async fn patiently<C, F>(
    patience: Duration,
    address: &(impl std::fmt::Display + Sync),
    connect: impl Fn() -> F + Send,
) -> Result<C, Error>
where
    F: Future<Output = Result<C, (Trouble, Error)>> + Send,
{
    let patience = Patience::new(patience);
    let mut said: Option<Instant> = None;
    loop {
        match connect().await {
            Ok(connection) => {
                if said.is_some() {
                    tracing::info!(database = %address, "the database answers again");
                }
                return Ok(connection);
            }
            Err((Trouble::Lost, error)) if !patience.wait().await => return Err(error),
            Err((Trouble::Lost, error)) => {
                if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                    said = Some(Instant::now());
                    tracing::warn!(
                        error = whole(&error),
                        database = %address,
                        "the database does not answer; trying again"
                    );
                }
            }
            Err((_, error)) => return Err(error),
        }
    }
}

/// An error with what is behind it.
pub(crate) fn whole(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The same failure told to one more who waited for it.
pub(crate) fn again(error: &Error) -> Error {
    let source = |source: &Source| source.to_string().into();
    match error {
        Error::Unavailable { what, source: why } => Error::Unavailable {
            what: what.clone(),
            source: why.as_ref().map(source),
        },
        Error::Unsure(why) => Error::Unsure(source(why)),
        Error::Contended(why) => Error::Contended(source(why)),
        Error::ForeignKey { table } => Error::ForeignKey { table: table.clone() },
        other => Error::internal(other.to_string()),
    }
}
