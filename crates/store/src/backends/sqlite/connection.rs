//! Connections: how they are set up, and how statements run on them.

use std::borrow::Cow;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loggia_model::Scalar;
use loggia_model::schema::ForeignKey;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, ToSql};

use super::{dialect, failure, functions, introspect};
use crate::Error;
use crate::answer::{Executor, Rows};
use crate::lower::{Dialect, Statement};

/// How long one process waits for another that writes the same file.
const PATIENCE: Duration = Duration::from_secs(10);
/// Statements that each connection keeps prepared.
const STATEMENTS: usize = 256;

/// What a connection is for.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// The one that writes.
    Write {
        /// Whether commits are synced.
        durable: bool,
    },
    /// One of those that cannot write.
    Read,
}

/// Opens a connection to a file; only the writing one makes the file.
pub(super) fn open_connection(path: &Path, mode: Mode) -> Result<Connection, Error> {
    let flags = match mode {
        Mode::Write { .. } => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Mode::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let connection =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failure::of)?;
    set_up(&connection, mode).map_err(failure::of)?;
    Ok(connection)
}

fn set_up(connection: &Connection, mode: Mode) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A quoted name that does not exist is an error, never a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Plans do not depend on the values bound. Else SQLite prepares a cached statement anew whenever it is run: more
    // work than most reads are.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // What readers sort stays in memory. Not so with the writer: each statement would then walk through all that was
    // written before it in the same transaction, since SQLite keeps what savepoints need in one list.
    if matches!(mode, Mode::Read) {
        connection.pragma_update(None, "temp_store", "MEMORY")?;
    }
    if let Mode::Write { durable } = mode {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "OFF" })?;
        connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    // In KiB when negative. There are several readers, and what they read stays in the system's cache as well.
    let cache = match mode {
        Mode::Write { .. } => -8 * 1024,
        Mode::Read => -2 * 1024,
    };
    connection.pragma_update(None, "cache_size", cache)?;
    // No memory mapping: scans would be twice as fast, but a failing disk would end the process instead of a request.
    connection.pragma_update(None, "mmap_size", 0)?;
    functions::register(connection)
}

/// Runs a statement of our own that takes nothing and gives nothing.
pub(super) fn command(connection: &Connection, text: &str) -> Result<(), Error> {
    connection
        .prepare_cached(text)
        .and_then(|mut statement| statement.raw_execute())
        .map(|_| ())
        .map_err(failure::of)
}

/// The value of a future that never waits: SQLite answers on the thread that asks.
pub(super) fn at_once<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => Err(Error::internal("SQLite made a statement wait")),
    }
}

/// A connection that runs plans, and the count of their statements.
pub(super) struct Session<'c>(pub(super) &'c mut Connection, pub(super) &'c AtomicU64);

impl Executor for Session<'_> {
    fn dialect(&self) -> &'static dyn Dialect {
        &dialect::SQLITE
    }

    fn query(&mut self, statement: Statement<'_>) -> impl Future<Output = Result<Rows, Error>> + Send {
        self.1.fetch_add(1, Ordering::Relaxed);
        std::future::ready(query(self.0, &statement).map_err(failure::of))
    }

    fn query_each(
        &mut self,
        text: &str,
        values: &[Vec<Cow<'_, Scalar>>],
    ) -> impl Future<Output = Result<Rows, (usize, Error)>> + Send {
        self.1.fetch_add(values.len() as u64, Ordering::Relaxed);
        let rows = query_each(self.0, text, values).map_err(|(i, error)| (i, failure::of(error)));
        std::future::ready(rows)
    }

    fn pointing_to(
        &mut self,
        table: &str,
    ) -> impl Future<Output = Result<Vec<(String, ForeignKey)>, Error>> + Send {
        std::future::ready(introspect::pointing_to(self.0, table).map_err(failure::of))
    }
}

/// Runs a statement to its end, so that all of its effects are there when it has answered.
///
/// A cached statement stays right across changes of the schema: its text names every column, and SQLite prepares it
/// anew when the schema it was prepared for is gone.
pub(super) fn query(connection: &Connection, statement: &Statement<'_>) -> rusqlite::Result<Rows> {
    let mut prepared = connection.prepare_cached(&statement.text)?;
    let mut rows = Rows {
        width: prepared.column_count(),
        cells: Vec::new(),
    };
    run(&mut prepared, &statement.binds, &mut rows.cells)?;
    Ok(rows)
}

/// Runs a prepared statement with values and adds the cells of its answer.
fn run(
    prepared: &mut CachedStatement<'_>,
    values: &[Cow<'_, Scalar>],
    cells: &mut Vec<Scalar>,
) -> rusqlite::Result<()> {
    for (i, value) in values.iter().enumerate() {
        prepared.raw_bind_parameter(i + 1, Bound(value))?;
    }
    let width = prepared.column_count();
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next()? {
        for i in 0..width {
            cells.push(scalar(row.get_ref(i)?));
        }
    }
    Ok(())
}

/// As [`Executor::query_each`].
fn query_each(
    connection: &Connection,
    text: &str,
    values: &[Vec<Cow<'_, Scalar>>],
) -> Result<Rows, (usize, rusqlite::Error)> {
    let mut prepared = connection.prepare_cached(text).map_err(|error| (0, error))?;
    let mut rows = Rows {
        width: prepared.column_count(),
        cells: Vec::new(),
    };
    for (i, values) in values.iter().enumerate() {
        run(&mut prepared, values, &mut rows.cells).map_err(|error| (i, error))?;
    }
    Ok(rows)
}

/// A scalar as SQLite takes it.
pub(super) struct Bound<'v>(pub(super) &'v Scalar);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Scalar::Null => ValueRef::Null,
            Scalar::Bool(truth) => ValueRef::Integer((*truth).into()),
            Scalar::Int(number) => ValueRef::Integer(*number),
            Scalar::Real(number) => ValueRef::Real(*number),
            Scalar::Text(text) => ValueRef::Text(text.as_bytes()),
            Scalar::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// What SQLite gives as a scalar. Text that is not UTF-8 (of another program) is shown as well as it can be.
pub(super) fn scalar(value: ValueRef<'_>) -> Scalar {
    match value {
        ValueRef::Null => Scalar::Null,
        ValueRef::Integer(number) => Scalar::Int(number),
        ValueRef::Real(number) => Scalar::Real(number),
        ValueRef::Text(text) => Scalar::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Scalar::Bytes(bytes.to_vec()),
    }
}
