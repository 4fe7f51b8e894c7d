//! The connection that knows what others have committed: it is asked for the versions, and hears of them.
//!
//! Requests that ask at the same time share one question: the next begins when the one under way is answered, so
//! everybody's began after they asked. It is the connection's own work, so no long read and no write is in its way.
//!
//! Where the server can, it is told to say when versions were raised. That makes nodes prompt, and nothing depends on it:
//! where it cannot, or the connection is lost, it counts as news every [`LOOK_EVERY`] that there may be some.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use super::{Link, Mode, Patience, Trouble, again};
use crate::backends::LOOK_EVERY;
use crate::{Error, Versions};

/// How often a look is tried again where others are in its way.
const ATTEMPTS: usize = 5;
/// The longest wait before another attempt to connect while nobody asks.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

type Ask = oneshot::Sender<Result<Versions, Error>>;

/// Where questions go.
pub(crate) struct Watch {
    asks: mpsc::UnboundedSender<Ask>,
}

impl Watch {
    /// Starts the task that asks; it ends with the value.
    pub(crate) fn start<L: Link>(common: Arc<L::Common>) -> Self {
        let (asks, queue) = mpsc::unbounded_channel();
        let watcher = Watcher::<L> {
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
    pub(crate) async fn versions(&self) -> Result<Versions, Error> {
        let (ask, answer) = oneshot::channel();
        let gone = || Error::internal("nobody asks for versions any more");
        self.asks.send(ask).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The task's own.
struct Watcher<L: Link> {
    common: Arc<L::Common>,
    connection: Option<L>,
    /// Whether the server tells.
    listens: bool,
    /// How long it is waited after the next attempt to connect that fails.
    wait: Duration,
    try_at: Instant,
}

impl<L: Link> Watcher<L> {
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
                        let _ = ask.send(seen.as_ref().map(|versions| *versions).map_err(again));
                    }
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Versions, Error> {
        let patience = Patience::new(L::basics(&self.common).patience);
        let mut attempts = 0;
        loop {
            if self.connection.as_ref().is_none_or(L::is_closed) {
                self.connect(L::basics(&self.common).patience).await?;
            }
            let Some(connection) = &mut self.connection else {
                return Err(Error::internal("there is no connection"));
            };
            let (error, trouble) = match connection.versions().await {
                Ok(versions) => {
                    L::basics(&self.common).saw_version(versions.schema);
                    return Ok(versions);
                }
                Err(failed) => failed,
            };
            attempts += 1;
            match trouble {
                Trouble::Lost => {
                    self.connection = None;
                    if !patience.wait().await {
                        return Err(error);
                    }
                }
                Trouble::Stale | Trouble::Contended if attempts < ATTEMPTS => connection.refresh().await,
                _ => return Err(error),
            }
        }
    }

    /// Connects where the connection is gone though nobody has asked since, and wakes whoever waits for news where the
    /// server does not.
    async fn tend(&mut self) {
        let is_lost = self.connection.as_ref().is_none_or(L::is_closed);
        if is_lost && Instant::now() >= self.try_at && self.connect(Duration::ZERO).await.is_err() {
            self.try_at = Instant::now() + self.wait;
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
        }
        if is_lost || !self.listens {
            L::basics(&self.common).ring();
        }
    }

    async fn connect(&mut self, patience: Duration) -> Result<(), Error> {
        self.connection = None;
        let mut connection = L::open_within(&self.common, Mode::Read, patience).await?;
        self.listens = connection.listen().await?;
        L::basics(&self.common).tells(self.listens);
        self.connection = Some(connection);
        (self.wait, self.try_at) = (LOOK_EVERY, Instant::now());
        // What was told meanwhile is lost.
        L::basics(&self.common).ring();
        Ok(())
    }
}
