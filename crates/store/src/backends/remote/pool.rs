//! Connections that read. A connection belongs to one read until the read is done; a read that nobody waits for any
//! more is stopped on the server, and its connection goes.

use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::{Link, Mode, Patience, Trouble};
use crate::Error;

/// A connection without work for so long goes, unless it is the last.
const IDLE: Duration = Duration::from_secs(60);
/// So many times the usual number of connections there may be: one waits for the network, not for the processor.
const RELIEF: usize = 4;
/// How often a read is asked again where other transactions are in its way.
const ATTEMPTS: usize = 3;

/// Something that only reads; its failure says what is to be done about it.
pub(crate) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, (Error, Trouble)>> + Send + 'c>>;

/// The connections that read.
pub(crate) struct Pool<L: Link> {
    common: Arc<L::Common>,
    permits: Arc<Semaphore>,
    /// Those without work, the one used last at the end.
    idle: Mutex<Vec<(L, Instant)>>,
    living: AtomicUsize,
}

/// A connection for one read.
struct Lease<L: Link> {
    /// `None` once it is given back.
    connection: Option<L>,
    pool: Arc<Pool<L>>,
    _permit: OwnedSemaphorePermit,
}

impl<L: Link> Pool<L> {
    /// `most`: with the one that writes and the one that watches, unless there is no bound but a multiple of what is usual.
    pub(crate) fn new(common: Arc<L::Common>, usual: usize, most: Option<usize>) -> Arc<Self> {
        let most = most.map_or(usual * RELIEF, |most| most.saturating_sub(2)).max(1);
        Arc::new(Self {
            common,
            permits: Arc::new(Semaphore::new(most)),
            idle: Mutex::default(),
            living: AtomicUsize::default(),
        })
    }

    /// How many connections there are.
    pub(crate) fn living(&self) -> usize {
        self.living.load(Ordering::Relaxed)
    }

    /// Runs something that only reads, once more on another connection where the first one broke.
    pub(crate) async fn read<T>(
        self: &Arc<Self>,
        run: impl for<'c> Fn(&'c mut L) -> Work<'c, T> + Send + Sync,
    ) -> Result<T, Error> {
        let patience = Patience::new(L::basics(&self.common).patience);
        let mut attempts = 0;
        loop {
            let mut lease = self.lease().await?;
            let (error, trouble) = match run(&mut lease).await {
                Ok(value) => {
                    lease.give_back();
                    return Ok(value);
                }
                Err(failed) => failed,
            };
            attempts += 1;
            match trouble {
                Trouble::Lost => {
                    drop(lease);
                    self.clear();
                    if !patience.wait().await {
                        return Err(error);
                    }
                }
                Trouble::Stale | Trouble::Contended if attempts < ATTEMPTS => {
                    lease.refresh().await;
                    lease.give_back();
                }
                _ => {
                    lease.give_back();
                    return Err(error);
                }
            }
        }
    }

    /// A connection; waits for one where there are as many as there may be.
    async fn lease(self: &Arc<Self>) -> Result<Lease<L>, Error> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::Cancelled)?;
        let connection = match self.take() {
            Some(connection) => connection,
            None => {
                let connection = L::open(&self.common, Mode::Read).await?;
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
    fn clear(&self) {
        let gone = std::mem::take(&mut *self.idle());
        self.living.fetch_sub(gone.len(), Ordering::Relaxed);
    }

    fn take(&self) -> Option<L> {
        let mut idle = self.idle();
        while let Some((connection, _)) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
            self.living.fetch_sub(1, Ordering::Relaxed);
        }
        None
    }

    fn give_back(&self, connection: L) {
        let now = Instant::now();
        let mut idle = self.idle();
        idle.push((connection, now));
        // Those that have waited longest stand in front.
        while idle.len() > 1 && idle[0].1 + IDLE < now {
            idle.remove(0);
            self.living.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(L, Instant)>> {
        // The list is whole at every moment.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Link> Lease<L> {
    /// Gives the connection back for others: it has nothing more to do.
    fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            if connection.is_closed() {
                self.pool.living.fetch_sub(1, Ordering::Relaxed);
            } else {
                self.pool.give_back(connection);
            }
        }
    }
}

impl<L: Link> Deref for Lease<L> {
    type Target = L;

    fn deref(&self) -> &L {
        // Given back only by value.
        #[expect(clippy::expect_used, reason = "`give_back` takes the lease itself")]
        self.connection.as_ref().expect("a connection")
    }
}

impl<L: Link> DerefMut for Lease<L> {
    fn deref_mut(&mut self) -> &mut L {
        #[expect(clippy::expect_used, reason = "`give_back` takes the lease itself")]
        self.connection.as_mut().expect("a connection")
    }
}

impl<L: Link> Drop for Lease<L> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.living.fetch_sub(1, Ordering::Relaxed);
            connection.abandon();
        }
    }
}
