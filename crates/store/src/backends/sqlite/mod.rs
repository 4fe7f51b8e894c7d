//! SQLite (3.54, built in): one file, one writing thread, a pool of reading threads.
//!
//! - Write-ahead log: readers see the last commit and never wait. `synchronous=FULL`: every commit is synced.
//! - The writer commits in groups (see `writer`); the readers run on connections that cannot write (see `readers`).
//! - Functions and the collation of our own (see `functions`) appear in statements only, never in the file's schema,
//!   so that the file can be read and written elsewhere.
//! - Values that other programs wrote are compared as they stand: `2026-01-31 10:00:00` is another text than our own
//!   `2026-01-31T10:00:00`. Uniqueness of decimals is that of their text: `1.0` and `1.00` may stand beside each other.
//! - One server at a time: a server holds a lock on `<file>-server`. Command-line tools may open the file beside it;
//!   SQLite's own locks keep their transactions apart.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use indexmap::IndexMap;
use loggia_model::plan::Plan;
use loggia_model::schema::Table;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Database, Inventory, Promise, Transaction};
use crate::store::{Activity, Examined, Finding, Options, Outcome};
use crate::{Error, Versions, answer, migrations};

mod change;
mod connection;
mod converting;
mod decimal;
mod dialect;
mod failure;
mod functions;
mod introspect;
mod look;
mod readers;
mod table_text;
mod types;
mod writer;

use connection::{Session, open_connection};
use look::Look;
use readers::Readers;
use writer::Writer;

/// Opens or makes a file.
pub(super) fn open(options: Options) -> Promise<'static, Arc<dyn Database>> {
    Box::pin(async move {
        let (reply, opened) = oneshot::channel();
        // Opening touches the disk: not on a thread that others need.
        std::thread::Builder::new()
            .name("loggia-open".to_owned())
            .spawn(move || reply.send(Sqlite::open(options)).is_ok())
            .map_err(|error| Error::internal(error.to_string()))?;
        let database = opened
            .await
            .map_err(|_| Error::internal("opening the database ended early"))??;
        Ok(Arc::new(database) as Arc<dyn Database>)
    })
}

/// Looks at a file without writing to it.
pub(super) fn examine(options: Options) -> Promise<'static, Examined> {
    Box::pin(async move {
        let (path, _temporary) = place(&options.url)?;
        let readers = Readers::new(path, 1);
        let look = readers.run(move |connection| {
            let mut findings = introspect::check(connection)?;
            let left_out = introspect::left_out(connection).map_err(failure::of)?;
            findings.extend(crate::store::noted(&introspect::tables(connection)?, left_out));
            findings.extend(migrations::finding(ran(connection, &options.clock)?));
            Ok(findings)
        });
        Ok(Examined {
            about: None,
            findings: look.await?,
        })
    })
}

/// What a file holds; nothing, where there is none.
pub(super) fn inventory(options: Options) -> Promise<'static, Inventory> {
    Box::pin(async move {
        let path = file(&options.url)?;
        if !path.exists() {
            return Ok(Inventory::default());
        }
        let readers = Readers::new(path, 1);
        let look = readers.run(move |connection| {
            Ok(Inventory {
                tables: introspect::tables(connection)?.into_keys().collect(),
                ran: ran(connection, &options.clock)?,
            })
        });
        look.await
    })
}

/// How many migrations ran; `None`: it is no file of Loggia.
fn ran(connection: &mut Connection, clock: &loggia_model::Clock) -> Result<Option<u64>, Error> {
    if !introspect::has_table(connection, migrations::TABLE).map_err(failure::of)? {
        return Ok(None);
    }
    let plan = migrations::last(&migrations::ledger());
    let outcomes = read(connection, &[plan], clock, &AtomicU64::default())?;
    Ok(outcomes.into_iter().next().map(migrations::number))
}

/// An address has no secrets.
pub(super) fn address(url: &str) -> Result<String, Error> {
    file(url).map(|_| url.to_owned())
}

/// The dialect, for the golden statements.
#[cfg(test)]
pub(super) fn dialect() -> &'static dyn crate::lower::Dialect {
    &dialect::SQLITE
}

/// An open file.
struct Sqlite {
    // In the order in which they go: connections and threads, then the lock, then a temporary file.
    look: Look,
    readers: Readers,
    writer: Arc<Writer>,
    _lock: Option<File>,
    _temporary: Option<tempfile::TempDir>,
    clock: loggia_model::Clock,
}

impl Sqlite {
    fn open(options: Options) -> Result<Self, Error> {
        let (path, temporary) = place(&options.url)?;
        let lock = if options.server { Some(lock(&path)?) } else { None };
        let connection = open_connection(
            &path,
            connection::Mode::Write {
                durable: options.durable,
            },
        )?;
        let writer = Writer::start(connection, options.clock.clone(), options.idle)?;
        Ok(Self {
            look: Look::new(path.clone()),
            readers: Readers::new(path, options.readers),
            writer: Arc::new(writer),
            _lock: lock,
            _temporary: temporary,
            clock: options.clock,
        })
    }
}

/// Where the file is; a private one of its own for `sqlite::memory:`.
fn place(url: &str) -> Result<(PathBuf, Option<tempfile::TempDir>), Error> {
    if url == "sqlite::memory:" {
        let folder = tempfile::Builder::new()
            .prefix("loggia-")
            .tempdir()
            .map_err(|error| unavailable("no temporary folder can be made", error))?;
        return Ok((folder.path().join("memory.db"), Some(folder)));
    }
    let path = file(url)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| {
            unavailable(&format!("the folder {} cannot be made", folder.display()), error)
        })?;
    }
    Ok((path, None))
}

/// The file that an address names.
fn file(url: &str) -> Result<PathBuf, Error> {
    let path = url.strip_prefix("sqlite://");
    match path.filter(|path| !path.is_empty() && !path.ends_with('/')) {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(Error::Address(format!(
            "{url:?} names no file: write sqlite://folder/loggia.db or sqlite:///folder/loggia.db"
        ))),
    }
}

/// Keeps a second server out; the lock goes with the file handle, also when the process is killed.
fn lock(path: &Path) -> Result<File, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push("-server");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|error| {
            unavailable(
                &format!("{} cannot be written", Path::new(&name).display()),
                error,
            )
        })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse {
            path: path.display().to_string(),
        }),
        Err(TryLockError::Error(error)) => Err(unavailable("the database cannot be locked", error)),
    }
}

fn unavailable(what: &str, error: std::io::Error) -> Error {
    Error::Unavailable {
        what: format!("{what}: {error}"),
        source: Some(error.into()),
    }
}

impl Database for Sqlite {
    fn read(&self, plans: Vec<Plan>) -> Promise<'_, Vec<Outcome>> {
        let clock = self.clock.clone();
        let statements = self.writer.statements();
        self.readers
            .run(move |connection| read(connection, &plans, &clock, &statements))
    }

    fn begin(&self) -> Promise<'_, Box<dyn Transaction>> {
        Box::pin(async move {
            let turn = Writer::turn(&self.writer).await?;
            Ok(Box::new(turn) as Box<dyn Transaction>)
        })
    }

    fn tables(&self) -> Promise<'_, IndexMap<String, Table>> {
        self.readers
            .run(|connection| in_snapshot(connection, |connection| introspect::tables(connection)))
    }

    fn versions(&self) -> Promise<'_, Versions> {
        match self.look.versions() {
            Some(versions) => Box::pin(std::future::ready(Ok(versions))),
            None => self
                .readers
                .run(|connection| introspect::versions(connection).map_err(failure::of)),
        }
    }

    fn check(&self) -> Promise<'_, Vec<Finding>> {
        self.readers.run(|connection| introspect::check(connection))
    }

    fn counters(&self) -> Promise<'_, IndexMap<String, i64>> {
        self.readers
            .run(|connection| introspect::counters(connection).map_err(failure::of))
    }

    fn activity(&self) -> Activity {
        self.writer.activity(self.readers.threads())
    }
}

/// Runs plans on one snapshot.
fn read(
    connection: &mut Connection,
    plans: &[Plan],
    clock: &loggia_model::Clock,
    statements: &AtomicU64,
) -> Result<Vec<Outcome>, Error> {
    let run = |connection: &mut Connection| {
        let mut session = Session(connection, statements);
        plans
            .iter()
            .map(|plan| connection::at_once(answer::run(&mut session, plan, clock)))
            .collect()
    };
    if answer::is_one_statement(plans) {
        run(connection)
    } else {
        in_snapshot(connection, run)
    }
}

/// Runs several statements on one snapshot.
fn in_snapshot<T>(
    connection: &mut Connection,
    run: impl FnOnce(&mut Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    connection::command(connection, "BEGIN")?;
    let outcome = run(connection);
    // Whoever gave the read up must not interrupt its end, or the next would see this snapshot.
    connection
        .progress_handler(0, None::<fn() -> bool>)
        .map_err(failure::of)?;
    if !connection.is_autocommit() {
        connection::command(connection, "ROLLBACK")?;
    }
    outcome
}
