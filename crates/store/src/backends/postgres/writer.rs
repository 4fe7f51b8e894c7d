//! The writing connection, see `remote::writer`: how groups begin and end here, and how operations run.
//!
//! The server checks immediate foreign keys with every statement, so none of a group can make its commit fail. Where
//! other programs declared deferred ones, groups hold one transaction.

use std::sync::Arc;

use futures_util::future::join;
use loggia_model::Scalar;
use loggia_model::plan::{Plan, SchemaPlan};

use super::change::Alteration;
use super::connection::{Common, Connection};
use super::session::Writing;
use super::{failure, introspect};
use crate::backends::remote::writer::{GROUP, Group, Open, Over, Pen, answered};
use crate::backends::remote::{Basics, Link as _, Mode, Patience, Trouble};
use crate::backends::turn::{Fate, Operation, in_steps};
use crate::store::Outcome;
use crate::{Error, Versions, answer, change};

/// Locks the row, and says what stands in it.
const LOCK: &str = "SELECT version, rules, people FROM loggia_schema_version WHERE id = 1 FOR UPDATE";
/// How often a group tries to begin where others are in its way.
const ATTEMPTS: usize = 5;

/// The one connection that writes.
pub(super) struct Quill {
    common: Arc<Common>,
    connection: Option<Connection>,
    /// The key of this process in `loggia_writers`.
    number: i64,
    /// How many groups it has tried to keep.
    turn: i64,
}

impl Pen for Quill {
    fn basics(&self) -> &Basics {
        &self.common.basics
    }

    /// Connects where there is no connection, and waits for the lock. Nothing has been done by then, so it is tried again
    /// where the connection breaks.
    async fn begin(&mut self) -> Result<Versions, Error> {
        let patience = Patience::new(self.common.basics.patience);
        let mut attempts = 0;
        loop {
            if self.connection.as_ref().is_none_or(Connection::is_closed) {
                self.connection = Some(Connection::open(&self.common, Mode::Write).await?);
            }
            let Some(connection) = &self.connection else {
                continue;
            };
            let known = connection.prepared(LOCK).is_some();
            if !known && let Err(error) = connection.prepare(LOCK).await {
                self.after(&error, &patience, &mut attempts).await?;
                continue;
            }
            let (begun, locked) = join(
                connection.command("BEGIN ISOLATION LEVEL READ COMMITTED"),
                connection.ask(LOCK, &[]),
            )
            .await;
            match begun.and(locked) {
                Ok(rows) => {
                    if rows.cells.is_empty() {
                        return Err(Error::internal("the row of the schema's version is gone"));
                    }
                    let versions = introspect::of_row(&rows);
                    self.common.basics.saw_version(versions.schema);
                    return Ok(versions);
                }
                Err(error) => self.after(&error, &patience, &mut attempts).await?,
            }
        }
    }

    fn most(&self) -> usize {
        if self.common.has_deferred_keys() { 1 } else { GROUP }
    }

    async fn serve(
        &mut self,
        operation: Operation,
        open: &mut Open,
        _: &mut Group,
        fate: &Fate,
    ) -> Result<(), Over> {
        let Some(connection) = &self.connection else {
            return Err(Over::Lost("there is no connection".to_owned()));
        };
        let clock = &self.common.basics.clock;
        let cancel = connection.cancel();
        match operation {
            Operation::Run(plans, reply) => {
                let writing = Writing::new(connection, &mut open.begun, in_steps(&plans));
                answered(run(writing, &plans, clock), cancel, reply, fate).await
            }
            Operation::ChangeSchema(plan, reply) => {
                open.altered += 1;
                let writing = Writing::new(connection, &mut open.begun, true);
                let changed = answered(alter(writing, &plan, clock), cancel, reply, fate).await;
                connection.forget();
                changed
            }
            Operation::Tables(reply) => {
                let writing = Writing::new(connection, &mut open.begun, false);
                answered(tables(writing), cancel, reply, fate).await
            }
            Operation::SchemaVersion(reply) => {
                let writing = Writing::new(connection, &mut open.begun, false);
                answered(version(writing), cancel, reply, fate).await
            }
            Operation::Commit(.., reply) => {
                let _ = reply.send(Err(Error::internal("a commit is not an operation")));
                Ok(())
            }
        }
    }

    async fn keep(&mut self, open: &Open) -> Result<(), Error> {
        let Some(connection) = self.connection.as_ref().filter(|_| open.begun) else {
            return Ok(());
        };
        let mut text = "RELEASE SAVEPOINT turn".to_owned();
        if open.raises.any() {
            text = format!("{}; {text}", open.raises.statement());
        }
        connection.command(&text).await.map_err(failure::of)
    }

    /// Rolls back to the savepoint of the transaction.
    async fn undo(&mut self, open: &Open) -> Result<(), String> {
        const UNDO: &str = "ROLLBACK TO SAVEPOINT turn; RELEASE SAVEPOINT turn";
        let Some(connection) = self.connection.as_ref().filter(|_| open.begun) else {
            return Ok(());
        };
        let mut undone = connection.command(UNDO).await;
        // A statement was to be cancelled that had ended already: this one was met instead.
        if undone.as_ref().is_err_and(failure::is_cancelled) {
            undone = connection.command(UNDO).await;
        }
        if open.altered > 0 {
            connection.forget();
        }
        undone.map_err(|error| failure::words(&error))
    }

    async fn commit(&mut self, group: &Group) -> Result<(), Error> {
        let Some(connection) = &self.connection else {
            return Err(Error::internal("there is no connection"));
        };
        self.turn += 1;
        let (number, turn) = (self.number, self.turn);
        let commit = format!(
            "INSERT INTO loggia_writers VALUES ({number}, {turn}, now()) \
             ON CONFLICT (id) DO UPDATE SET turn = excluded.turn, seen = excluded.seen; {}COMMIT",
            if group.raised { self.common.telling() } else { "" }
        );
        let committed = match connection.command(&commit).await {
            Ok(()) => Ok(()),
            Err(error) if failure::trouble(&error, false) == Trouble::Lost => {
                self.connection = None;
                self.find_out(&error).await
            }
            Err(error) => {
                connection.command_later("ROLLBACK");
                Err(failure::of(error))
            }
        };
        if let Some(connection) = self.connection.as_ref().filter(|_| group.altered > 0) {
            connection.forget();
        }
        committed
    }

    async fn release(&mut self) {
        if let Some(connection) = &self.connection
            && connection.command("ROLLBACK").await.is_err()
        {
            self.connection = None;
        }
    }

    fn discard(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.abandon();
        }
    }
}

impl Quill {
    /// `number`: as `opening::prepare` gives it.
    pub(super) fn new(common: Arc<Common>, connection: Connection, number: i64) -> Self {
        Self {
            common,
            connection: Some(connection),
            number,
            turn: 0,
        }
    }

    /// What is done when a transaction could not begin; an error where nothing more can be.
    async fn after(
        &mut self,
        error: &tokio_postgres::Error,
        patience: &Patience,
        attempts: &mut usize,
    ) -> Result<(), Error> {
        *attempts += 1;
        let trouble = failure::trouble(error, true);
        let why = || Error::Unavailable {
            what: "a transaction cannot begin".to_owned(),
            source: Some(failure::words(error).into()),
        };
        match trouble {
            Trouble::Lost => {
                self.connection = None;
                if patience.wait().await { Ok(()) } else { Err(why()) }
            }
            Trouble::Stale | Trouble::Contended if *attempts < ATTEMPTS => {
                if let Some(connection) = &self.connection {
                    connection.forget();
                    connection.command_later("ROLLBACK");
                }
                Ok(())
            }
            _ => {
                if let Some(connection) = &self.connection {
                    connection.command_later("ROLLBACK");
                }
                Err(why())
            }
        }
    }

    /// The connection broke during a commit: what has become of it is known once the lock is free.
    async fn find_out(&mut self, broken: &tokio_postgres::Error) -> Result<(), Error> {
        const TURN: &str = "SELECT turn FROM loggia_writers WHERE id = $1";
        let unsure = || Error::Unsure(failure::words(broken).into());
        let (number, turn) = (self.number, self.turn);
        // Nothing is done here but to look.
        self.begin().await.map_err(|_| unsure())?;
        let Some(connection) = &self.connection else {
            return Err(unsure());
        };
        let found = connection.ask(TURN, &[Scalar::Int(number)]).await;
        connection.command_later("ROLLBACK");
        match found {
            Ok(rows) if rows.cells.first() == Some(&Scalar::Int(turn)) => Ok(()),
            Ok(_) => Err(Error::Unavailable {
                what: "the connection to the database broke before a commit".to_owned(),
                source: Some(failure::words(broken).into()),
            }),
            Err(_) => Err(unsure()),
        }
    }
}

/// Runs plans whole or not at all.
async fn run(
    mut writing: Writing<'_>,
    plans: &[Plan],
    clock: &loggia_model::Clock,
) -> (Result<Vec<Outcome>, Error>, Trouble) {
    let mut outcomes = Vec::with_capacity(plans.len());
    for plan in plans {
        match answer::run(&mut writing, plan, clock).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => return undone(writing, error).await,
        }
    }
    (Ok(outcomes), Trouble::None)
}

async fn alter(
    mut writing: Writing<'_>,
    plan: &SchemaPlan,
    clock: &loggia_model::Clock,
) -> (Result<(), Error>, Trouble) {
    if let Err(error) = writing.open().await {
        return (Err(error), writing.trouble);
    }
    let mut alteration = Alteration::new(writing.connection);
    match change::run(&mut alteration, plan, clock).await {
        Ok(()) => (Ok(()), Trouble::None),
        Err(error) => {
            writing.trouble = alteration.trouble;
            undone(writing, error).await
        }
    }
}

async fn tables(
    mut writing: Writing<'_>,
) -> (
    Result<indexmap::IndexMap<String, loggia_model::schema::Table>, Error>,
    Trouble,
) {
    if let Err(error) = writing.open().await {
        return (Err(error), writing.trouble);
    }
    match introspect::tables(writing.connection, None).await {
        Ok(tables) => (Ok(tables), Trouble::None),
        Err(error) => {
            writing.trouble = failure::trouble(&error, false);
            undone(writing, failure::of(error)).await
        }
    }
}

async fn version(mut writing: Writing<'_>) -> (Result<u64, Error>, Trouble) {
    if let Err(error) = writing.open().await {
        return (Err(error), writing.trouble);
    }
    match introspect::versions(writing.connection).await {
        Ok(versions) => (Ok(versions.schema), Trouble::None),
        Err(error) => {
            writing.trouble = failure::trouble(&error, false);
            undone(writing, failure::of(error)).await
        }
    }
}

/// Takes back what an operation has done that failed.
async fn undone<T>(mut writing: Writing<'_>, error: Error) -> (Result<T, Error>, Trouble) {
    if writing.trouble != Trouble::Lost
        && let Err(lost) = writing.undo().await
    {
        // A transaction that cannot go back cannot go on either.
        writing.trouble = Trouble::Lost;
        tracing::error!(error = %lost, "a savepoint is gone");
    }
    (Err(error), writing.trouble)
}
