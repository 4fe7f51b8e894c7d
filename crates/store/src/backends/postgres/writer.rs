//! The writing connection: one transaction after the other, and commits in groups.
//!
//! A transaction is alone at the writer among all processes that use the database: its group begins by locking the one
//! row of the table of the schema's version, and holds it to its end. Rows are locked by every server that speaks
//! PostgreSQL's protocol; advisory locks are not known to all of them.
//!
//! Each transaction is a savepoint, named `turn`, inside one transaction of the server. When it is to be kept and
//! another waits, that one runs next, inside the same; the server commits (one sync) when nobody waits or a bound is
//! reached, and only then are the transactions of the group acknowledged. A transaction that fails, is dropped or idles
//! rolls back to its savepoint and leaves the others of its group alone.
//!
//! The server checks immediate foreign keys with every statement, so none of a group can make its commit fail. Where
//! other programs declared deferred ones, groups hold one transaction.
//!
//! A transaction reads what is committed at each of its statements (`READ COMMITTED`): the writers before it have
//! committed by the time its group holds the lock.
//!
//! Each process has a row in `loggia_writers`, and counts its groups there, each inside itself. Where the connection
//! breaks during a commit, that row tells what has become of it, also after the server was restarted or replaced.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use loggia_model::Scalar;
use loggia_model::plan::{Plan, SchemaPlan};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::change::Alteration;
use super::connection::{Common, Connection, Mode, Patience};
use super::failure::{self, Trouble};
use super::introspect;
use super::session::Writing;
use crate::backends::turn::{Fate, Operation, Reply, Turn, in_steps, last};
use crate::store::Outcome;
use crate::{Error, Raises, Versions, answer, change};

/// Locks the row, and says what stands in it.
const LOCK: &str = "SELECT version, rules, people FROM loggia_schema_version WHERE id = 1 FOR UPDATE";
/// How often a group tries to begin where others are in its way.
const ATTEMPTS: usize = 5;
/// Most transactions of a group.
const GROUP: usize = 128;
/// A group takes no more transactions after so long: the first of it waits, and so do other processes.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// The writer of a database.
pub(super) struct Writer {
    begins: mpsc::UnboundedSender<Begin>,
    common: Arc<Common>,
}

/// A transaction that waits for its turn.
struct Begin {
    operations: mpsc::UnboundedReceiver<Operation>,
    ready: oneshot::Sender<Result<Versions, Error>>,
    fate: Arc<Fate>,
}

impl Writer {
    /// Starts the task that serves transactions on a connection.
    pub(super) fn start(common: Arc<Common>, connection: Connection, number: i64) -> Self {
        let (begins, mut queue) = mpsc::unbounded_channel();
        let mut pen = Pen {
            common: common.clone(),
            connection: Some(connection),
            number,
            turn: 0,
        };
        tokio::spawn(async move {
            while let Some(begin) = queue.recv().await {
                let served = AssertUnwindSafe(pen.group(begin, &mut queue)).catch_unwind();
                if served.await.is_err() {
                    // Whoever waited gets no answer, and nothing of the group is kept; the next is served.
                    tracing::error!("a write panicked");
                    pen.discard();
                }
            }
        });
        Self { begins, common }
    }

    /// Waits for a turn.
    pub(super) async fn turn(writer: &Arc<Self>) -> Result<Turn, Error> {
        let gone = || Error::internal("the writer has ended");
        let (operations, queue) = mpsc::unbounded_channel();
        let (ready, begun) = oneshot::channel();
        let fate = Arc::new(Fate::default());
        let mut turn = Turn {
            versions: Versions::default(),
            ask: Box::new(move |operation| {
                // Where the writer has ended the transaction, nobody takes it.
                let _ = operations.send(operation);
            }),
            fate: fate.clone(),
            idle: writer.common.idle,
            _writer: writer.clone(),
        };
        let begin = Begin {
            operations: queue,
            ready,
            fate,
        };
        writer.begins.send(begin).map_err(|_| gone())?;
        turn.versions = begun.await.map_err(|_| gone())??;
        Ok(turn)
    }
}

/// The task's own: the one connection that writes.
struct Pen {
    common: Arc<Common>,
    connection: Option<Connection>,
    /// The key of this process in `loggia_writers`.
    number: i64,
    /// How many groups it has tried to keep.
    turn: i64,
}

/// A group that has begun.
struct Group {
    /// The versions that it found.
    versions: Versions,
    /// How often its last transaction has changed tables.
    altered: u64,
    /// Whether its last transaction has raised versions: none follows, so that nobody meets what is not committed.
    raised: bool,
    /// Those that are to be kept.
    kept: Vec<Reply<()>>,
}

/// How a transaction of a group ended.
enum End {
    /// To be kept and acknowledged once the group is committed.
    Kept(Reply<()>),
    /// Rolled back to its savepoint.
    Undone,
    /// The connection is gone, and the group with it.
    GroupLost(String),
}

/// Why a transaction is over before its owner has ended it.
enum Over {
    /// Nobody waits for it.
    Abandoned,
    /// The connection is gone.
    Lost(String),
}

impl Pen {
    async fn group(&mut self, first: Begin, queue: &mut mpsc::UnboundedReceiver<Begin>) {
        let Begin {
            operations,
            mut ready,
            fate,
        } = first;
        let begun = {
            let begun = std::pin::pin!(self.begin());
            tokio::select! {
                biased;
                begun = begun => Some(begun),
                () = ready.closed() => None,
            }
        };
        let mut group = match begun {
            Some(Ok(group)) => group,
            Some(Err(error)) => {
                // Nobody waits: nothing to tell.
                let _ = ready.send(Err(error));
                return;
            }
            None => return self.discard(),
        };
        let started = Instant::now();
        let mut next = Some(Begin {
            operations,
            ready,
            fate,
        });
        let most = if self.common.has_deferred_keys() { 1 } else { GROUP };
        while let Some(begin) = next.take() {
            match self.transaction(begin, &mut group).await {
                End::Kept(reply) => group.kept.push(reply),
                End::Undone => {}
                End::GroupLost(why) => {
                    self.discard();
                    self.common.saw_version(group.versions.schema);
                    return tell(group.kept, || Error::Unavailable {
                        what: "the database gave up a transaction".to_owned(),
                        source: Some(why.clone().into()),
                    });
                }
            }
            if !group.raised && group.kept.len() < most && started.elapsed() < GROUP_TIME {
                next = queue.try_recv().ok();
            }
        }
        self.end_group(group).await;
    }

    /// Connects where there is no connection, and waits for the lock. Nothing has been done by then, so it is tried again
    /// where the connection breaks.
    async fn begin(&mut self) -> Result<Group, Error> {
        let patience = Patience::new(self.common.patience);
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
                    self.common.saw_version(versions.schema);
                    return Ok(Group {
                        versions,
                        altered: 0,
                        raised: false,
                        kept: Vec::new(),
                    });
                }
                Err(error) => self.after(&error, &patience, &mut attempts).await?,
            }
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

    /// Serves one transaction of a group from its beginning to its end.
    async fn transaction(&mut self, begin: Begin, group: &mut Group) -> End {
        let Begin {
            mut operations,
            ready,
            fate,
        } = begin;
        let mut open = Open::default();
        if ready.send(Ok(group.versions)).is_err() {
            return End::Undone;
        }
        loop {
            let operation = match tokio::time::timeout(self.common.idle, operations.recv()).await {
                Ok(Some(Operation::Commit(plans, raises, reply))) => {
                    open.raises = raises;
                    return self.end(plans, reply, (&mut open, &fate), group).await;
                }
                Ok(Some(operation)) => operation,
                Ok(None) => return self.undo(&open).await,
                Err(_) => {
                    fate.stalled.store(true, Ordering::Relaxed);
                    tracing::warn!(
                        seconds = self.common.idle.as_secs(),
                        "a transaction was idle and has been rolled back"
                    );
                    return self.undo(&open).await;
                }
            };
            match self.serve(operation, &mut open, &fate).await {
                Ok(()) => {}
                Err(Over::Abandoned) => return self.undo(&open).await,
                Err(Over::Lost(why)) => {
                    tracing::warn!(why, "a transaction was lost with its connection");
                    return End::GroupLost(why);
                }
            }
        }
    }

    /// Runs one operation and answers.
    async fn serve(&mut self, operation: Operation, open: &mut Open, fate: &Fate) -> Result<(), Over> {
        let Some(connection) = &self.connection else {
            return Err(Over::Lost("there is no connection".to_owned()));
        };
        let clock = &self.common.clock;
        match operation {
            Operation::Run(plans, reply) => {
                let writing = Writing::new(connection, &mut open.begun, in_steps(&plans));
                answered(connection, run(writing, &plans, clock), reply, fate).await
            }
            Operation::ChangeSchema(plan, reply) => {
                open.altered += 1;
                let writing = Writing::new(connection, &mut open.begun, true);
                let changed = answered(connection, alter(writing, &plan, clock), reply, fate).await;
                connection.forget();
                changed
            }
            Operation::Tables(reply) => {
                let writing = Writing::new(connection, &mut open.begun, false);
                answered(connection, tables(writing), reply, fate).await
            }
            Operation::SchemaVersion(reply) => {
                let writing = Writing::new(connection, &mut open.begun, false);
                answered(connection, version(writing), reply, fate).await
            }
            Operation::Commit(.., reply) => {
                let _ = reply.send(Err(Error::internal("a commit is not an operation")));
                Ok(())
            }
        }
    }

    /// Runs what a transaction does last, and ends it.
    async fn end(
        &mut self,
        plans: Vec<Plan>,
        reply: Reply<()>,
        (open, fate): (&mut Open, &Fate),
        group: &mut Group,
    ) -> End {
        if plans.is_empty() {
            return self.keep(open, reply, group).await;
        }
        let (operation, outcome) = last(plans);
        if let Err(Over::Lost(why)) = self.serve(operation, open, fate).await {
            tracing::warn!(why, "a transaction was lost with its connection");
            return End::GroupLost(why);
        }
        match outcome.get() {
            Ok(()) => self.keep(open, reply, group).await,
            Err(error) => {
                let undone = self.undo(open).await;
                let _ = reply.send(Err(error));
                undone
            }
        }
    }

    /// Ends a transaction that its group shall keep.
    async fn keep(&mut self, open: &Open, reply: Reply<()>, group: &mut Group) -> End {
        let Some(connection) = self.connection.as_ref().filter(|_| open.begun) else {
            return End::Kept(reply);
        };
        let mut text = "RELEASE SAVEPOINT turn".to_owned();
        if open.raises.any() {
            text = format!("{}; {text}", open.raises.statement());
        }
        match connection.command(&text).await {
            Ok(()) => {
                group.altered += open.altered;
                group.raised = open.raises.any() || open.altered > 0;
                End::Kept(reply)
            }
            Err(error) => {
                let why = failure::words(&error);
                let _ = reply.send(Err(failure::of(error)));
                End::GroupLost(why)
            }
        }
    }

    /// Rolls back to the savepoint of the transaction.
    async fn undo(&mut self, open: &Open) -> End {
        const UNDO: &str = "ROLLBACK TO SAVEPOINT turn; RELEASE SAVEPOINT turn";
        let Some(connection) = self.connection.as_ref().filter(|_| open.begun) else {
            return End::Undone;
        };
        let mut undone = connection.command(UNDO).await;
        // A statement was to be cancelled that had ended already: this one was met instead.
        if undone.as_ref().is_err_and(failure::is_cancelled) {
            undone = connection.command(UNDO).await;
        }
        if open.altered > 0 {
            connection.forget();
        }
        match undone {
            Ok(()) => End::Undone,
            Err(error) => End::GroupLost(failure::words(&error)),
        }
    }

    async fn end_group(&mut self, group: Group) {
        let Some(connection) = &self.connection else {
            return;
        };
        if group.kept.is_empty() {
            if connection.command("ROLLBACK").await.is_err() {
                self.connection = None;
            }
            return;
        }
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
        match committed {
            Ok(()) => {
                self.common.saw_version(group.versions.schema + group.altered);
                let counts = &self.common.counts;
                counts.commits.fetch_add(1, Ordering::Relaxed);
                counts
                    .transactions
                    .fetch_add(group.kept.len() as u64, Ordering::Relaxed);
                for reply in group.kept {
                    let _ = reply.send(Ok(()));
                }
            }
            Err(error) => tell(group.kept, || failure::again(&error)),
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

    /// Stops whatever is under way; the server rolls it back.
    fn discard(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.abandon();
        }
    }
}

/// A transaction of a group.
#[derive(Default)]
struct Open {
    /// Whether it has done anything, and so has a savepoint.
    begun: bool,
    /// How often it has changed tables.
    altered: u64,
    /// What it raises besides.
    raises: Raises,
}

/// The same failure to all of a group.
fn tell(kept: Vec<Reply<()>>, error: impl Fn() -> Error) {
    for reply in kept {
        let _ = reply.send(Err(error()));
    }
}

/// Waits for an operation and sends its answer. What nobody waits for any more is cancelled.
async fn answered<T>(
    connection: &Connection,
    work: impl Future<Output = (Result<T, Error>, Trouble)>,
    mut reply: Reply<T>,
    fate: &Fate,
) -> Result<(), Over> {
    let mut work = std::pin::pin!(work);
    let done = tokio::select! {
        biased;
        outcome = &mut work => Some(outcome),
        () = reply.closed() => None,
    };
    let Some((outcome, trouble)) = done else {
        // Others of the group may have something to lose: the statement ends, and the connection goes on.
        let ((), (_, trouble)) = join(connection.cancel(), work).await;
        return Err(match trouble {
            Trouble::Lost => Over::Lost("the connection broke".to_owned()),
            _ => Over::Abandoned,
        });
    };
    let lost = match (&outcome, trouble) {
        (Err(error), Trouble::Lost) => Some(failure::whole(error)),
        _ => None,
    };
    if let Some(why) = &lost {
        // Known before the answer goes, so that whoever asks next learns it.
        let _ = fate.lost.set(why.clone());
    }
    let _ = reply.send(outcome);
    match lost {
        Some(why) => Err(Over::Lost(why)),
        None => Ok(()),
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
