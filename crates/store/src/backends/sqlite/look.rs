//! A connection that reads the versions, and nothing else, where they are asked for: one row that is nearly always in
//! memory costs less than to hand the question to a thread.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::connection::{Mode, open_connection};
use super::introspect;
use crate::Versions;

pub(super) struct Look {
    path: PathBuf,
    /// Opened when it is first asked for.
    connection: Mutex<Option<Connection>>,
}

impl Look {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            connection: Mutex::default(),
        }
    }

    /// What is committed now; `None`: that is not told at once, and a reader is to be asked.
    pub(super) fn versions(&self) -> Option<Versions> {
        let mut kept = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
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
}
