//! Connections that read. A connection belongs to one read until the read is done; a read that nobody waits for any
//! more is stopped on the server, and its connection goes.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connection::{Common, Connection, Mode};
use crate::Error;

/// A connection without work for so long goes, unless it is the last.
const IDLE: Duration = Duration::from_secs(60);
/// So many times the usual number of connections there may be: one waits for the network, not for the processor.
const RELIEF: usize = 4;

/// The connections that read.
pub(super) struct Pool {
    common: Arc<Common>,
    permits: Arc<Semaphore>,
    /// Those without work, the one used last at the end.
    idle: Mutex<Vec<(Connection, Instant)>>,
    living: AtomicUsize,
}

/// A connection for one read.
pub(super) struct Lease {
    /// `None` once it is given back.
    connection: Option<Connection>,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// `most`: with the one that writes and the one that watches, unless there is no bound but a multiple of what is usual.
    pub(super) fn new(common: Arc<Common>, usual: usize, most: Option<usize>) -> Arc<Self> {
        let most = most.map_or(usual * RELIEF, |most| most.saturating_sub(2)).max(1);
        Arc::new(Self {
            common,
            permits: Arc::new(Semaphore::new(most)),
            idle: Mutex::default(),
            living: AtomicUsize::default(),
        })
    }

    /// How many connections there are.
    pub(super) fn living(&self) -> usize {
        self.living.load(Ordering::Relaxed)
    }

    /// A connection; waits for one where there are as many as there may be.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, Error> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::Cancelled)?;
        let connection = match self.take() {
            Some(connection) => connection,
            None => {
                let connection = Connection::open(&self.common, Mode::Read).await?;
                self.living.fetch_add(1, Ordering::Relaxed);
                connection
            }
        };
        Ok(Lease {
            connection: Some(connection),
            pool: self.clone(),
            _permit: permit,
        })
    }

    /// Closes the connections without work: the server they lead to is gone.
    pub(super) fn clear(&self) {
        let gone = std::mem::take(&mut *self.idle());
        self.living.fetch_sub(gone.len(), Ordering::Relaxed);
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle();
        while let Some((connection, _)) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
            self.living.fetch_sub(1, Ordering::Relaxed);
        }
        None
    }

    fn give_back(&self, connection: Connection) {
        let now = Instant::now();
        let mut idle = self.idle();
        idle.push((connection, now));
        // Those that have waited longest stand in front.
        while idle.len() > 1 && idle[0].1 + IDLE < now {
            idle.remove(0);
            self.living.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        // The list is whole at every moment.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Gives the connection back for others: it has nothing more to do.
    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            if connection.is_closed() {
                self.pool.living.fetch_sub(1, Ordering::Relaxed);
            } else {
                self.pool.give_back(connection);
            }
        }
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        // Given back only by value.
        #[expect(clippy::expect_used, reason = "`give_back` takes the lease itself")]
        self.connection.as_ref().expect("a connection")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.living.fetch_sub(1, Ordering::Relaxed);
            connection.abandon();
        }
    }
}
