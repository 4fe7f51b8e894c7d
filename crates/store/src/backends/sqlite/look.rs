//! Connections that read the versions, and nothing else, where they are asked for: one row that is nearly always in
//! memory costs less than to hand the question to a thread.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::connection::{Mode, open_connection};
use super::introspect;
use crate::Versions;

/// More connections than this help nobody: each is held for a few microseconds.
const MOST: usize = 8;

pub(super) struct Look {
    path: PathBuf,
    /// As many as there are processors, so that whoever is held up with one holds nobody else up. Each is opened when it is
    /// first asked for.
    connections: Vec<Mutex<Option<Connection>>>,
}

impl Look {
    pub(super) fn new(path: PathBuf) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let connections = (0..processors.min(MOST)).map(|_| Mutex::default()).collect();
        Self { path, connections }
    }

    /// What is committed now; `None`: that is not told at once, and a reader is to be asked.
    pub(super) fn versions(&self) -> Option<Versions> {
        let mut kept = self.free()?;
        let connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let connection = open_connection(&self.path, Mode::Read).ok()?;
                // Whoever asks is on a thread that others need.
                connection.busy_timeout(std::time::Duration::ZERO).ok()?;
                connection
            }
        };
        let versions = introspect::versions(&connection).ok()?;
        *kept = Some(connection);
        Some(versions)
    }

    /// One that nobody uses, or else the one that is waited for.
    fn free(&self) -> Option<MutexGuard<'_, Option<Connection>>> {
        let free = self.connections.iter().find_map(|one| one.try_lock().ok());
        free.or_else(|| {
            let first = self.connections.first()?;
            Some(first.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}
