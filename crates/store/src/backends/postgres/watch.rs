//! The connection that knows what others have committed: it is asked for the versions, and hears of them.
//!
//! Requests that ask at the same time share one question: the next begins when the one under way is answered, so
//! everybody's began after they asked. It is the connection's own work, so no long read and no write is in its way.
//!
//! The server is told to say when versions were raised (`LISTEN`), and whoever raises them says so with the commit
//! (`NOTIFY`). That makes nodes prompt, and nothing depends on it: where a server knows no such words, or the connection
//! is lost, it counts as news every [`LOOK_EVERY`] that there may be some.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use super::connection::{Common, Connection, Mode, Patience};
use super::failure::{self, Trouble};
use super::introspect;
use crate::backends::LOOK_EVERY;
use crate::{Error, Versions};

/// How often a look is tried again where others are in its way.
const ATTEMPTS: usize = 5;
/// The longest wait before another attempt to connect while nobody asks.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

type Ask = oneshot::Sender<Result<Versions, Error>>;

/// Where questions go.
pub(super) struct Watch {
    asks: mpsc::UnboundedSender<Ask>,
}

impl Watch {
    /// Starts the task that asks; it ends with the value.
    pub(super) fn start(common: Arc<Common>) -> Self {
        let (asks, queue) = mpsc::unbounded_channel();
        let watcher = Watcher {
            common,
            connection: None,
            listens: false,
            wait: LOOK_EVERY,
            try_at: Instant::now(),
        };
        tokio::spawn(watcher.work(queue));
        Self { asks }
    }

    /// What is committed now.
    pub(super) async fn versions(&self) -> Result<Versions, Error> {
        let (ask, answer) = oneshot::channel();
        let gone = || Error::internal("nobody asks for versions any more");
        self.asks.send(ask).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The task's own.
struct Watcher {
    common: Arc<Common>,
    connection: Option<Connection>,
    /// Whether the server tells.
    listens: bool,
    /// How long it is waited after the next attempt to connect that fails.
    wait: Duration,
    try_at: Instant,
}

impl Watcher {
    async fn work(mut self, mut queue: mpsc::UnboundedReceiver<Ask>) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asks = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => self.tend().await,
                asked = queue.recv_many(&mut asks, usize::MAX) => {
                    if asked == 0 {
                        return;
                    }
                    let seen = self.look().await;
                    for ask in asks.drain(..) {
                        // Nobody waits: nothing to tell.
                        let _ = ask.send(seen.as_ref().map(|versions| *versions).map_err(failure::again));
                    }
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Versions, Error> {
        let patience = Patience::new(self.common.patience);
        let mut attempts = 0;
        loop {
            if self.connection.as_ref().is_none_or(Connection::is_closed) {
                self.connect(self.common.patience).await?;
            }
            let Some(connection) = &self.connection else {
                return Err(Error::internal("there is no connection"));
            };
            let error = match introspect::versions(connection).await {
                Ok(versions) => {
                    self.common.saw_version(versions.schema);
                    return Ok(versions);
                }
                Err(error) => error,
            };
            attempts += 1;
            match failure::trouble(&error, true) {
                Trouble::Lost => {
                    self.connection = None;
                    if !patience.wait().await {
                        return Err(failure::of(error));
                    }
                }
                Trouble::Stale | Trouble::Contended if attempts < ATTEMPTS => connection.forget(),
                _ => return Err(failure::of(error)),
            }
        }
    }

    /// Connects where the connection is gone though nobody has asked since, and wakes whoever waits for news where the
    /// server does not.
    async fn tend(&mut self) {
        let is_lost = self.connection.as_ref().is_none_or(Connection::is_closed);
        if is_lost && Instant::now() >= self.try_at && self.connect(Duration::ZERO).await.is_err() {
            self.try_at = Instant::now() + self.wait;
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
        }
        if is_lost || !self.listens {
            self.common.ring();
        }
    }

    async fn connect(&mut self, patience: Duration) -> Result<(), Error> {
        self.connection = None;
        let connection = Connection::open_within(&self.common, Mode::Read, patience).await?;
        self.listens = match connection.command("LISTEN loggia_versions").await {
            Ok(()) => true,
            Err(error) if failure::trouble(&error, false) == Trouble::Lost => return Err(failure::of(error)),
            Err(error) => {
                tracing::debug!(%error, "the database does not tell of changes: it is asked every second");
                false
            }
        };
        self.common.tells(self.listens);
        self.connection = Some(connection);
        (self.wait, self.try_at) = (LOOK_EVERY, Instant::now());
        // What was told meanwhile is lost.
        self.common.ring();
        Ok(())
    }
}
