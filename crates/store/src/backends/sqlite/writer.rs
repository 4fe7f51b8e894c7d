//! The writing thread, and commits in groups.
//!
//! Each transaction is a savepoint inside one transaction of SQLite. When it is to be kept and another waits, that one
//! runs next, inside the same; SQLite commits (one sync) when nobody waits or a bound is reached, and only then are
//! the transactions of the group acknowledged. A transaction that fails, is dropped or idles rolls back to its
//! savepoint and leaves the others of its group alone.
//!
//! SQLite checks immediate foreign keys with every statement, so none of a group can make its commit fail. Where
//! another program declared deferred ones, groups hold one transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use loggia_model::Clock;
use loggia_model::plan::Plan;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::change::Alteration;
use super::connection::{Session, at_once, command};
use super::{failure, introspect};
use crate::backends::turn::{Counts, Fate, Operation, Reply, Turn, in_steps, last, only_reads};
use crate::store::Activity;
use crate::{Error, Raises, Versions, answer, change};

/// Most transactions of a group.
const GROUP: usize = 128;
/// A group takes no more transactions after so long: the first of it waits.
const GROUP_TIME: Duration = Duration::from_millis(20);
/// SQLite asks after so many steps of its machine whether the work is still wanted.
const STEPS: i32 = 4_000;

/// The writing thread of a database.
pub(super) struct Writer {
    /// `None` once the thread is told to go.
    begins: Option<Sender<Begin>>,
    thread: Option<std::thread::JoinHandle<()>>,
    counts: Arc<Counts>,
    idle: Duration,
}

/// A transaction that waits for its turn.
struct Begin {
    operations: Receiver<Operation>,
    ready: oneshot::Sender<Result<Versions, Error>>,
    fate: Arc<Fate>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, clock: Clock, idle: Duration) -> Result<Self, Error> {
        introspect::make_own_tables(&connection).map_err(failure::of)?;
        let counts = Arc::new(Counts::default());
        let (begins, queue) = crossbeam_channel::unbounded();
        let mut pen = Pen {
            single: introspect::has_deferred_keys(&connection).map_err(failure::of)?,
            connection,
            clock,
            idle,
            counts: counts.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("loggia-writer".to_owned())
            .spawn(move || {
                while let Ok(begin) = queue.recv() {
                    if catch_unwind(AssertUnwindSafe(|| pen.group(begin, &queue))).is_err() {
                        // Whoever waited gets no answer, and nothing of the group is kept; the next is served.
                        tracing::error!("a write panicked");
                        pen.unwatch();
                        pen.abort();
                    }
                }
            })
            .map_err(|error| Error::internal(format!("no writing thread: {error}")))?;
        Ok(Self {
            begins: Some(begins),
            thread: Some(thread),
            counts,
            idle,
        })
    }

    /// Waits for a turn.
    pub(super) async fn turn(writer: &Arc<Self>) -> Result<Turn, Error> {
        let gone = || Error::internal("the writing thread has ended");
        let (operations, queue) = crossbeam_channel::unbounded();
        let (ready, begun) = oneshot::channel();
        let fate = Arc::new(Fate::default());
        let mut turn = Turn {
            versions: Versions::default(),
            ask: Box::new(move |operation| {
                // Where the writer has ended the transaction, nobody takes it.
                let _ = operations.send(operation);
            }),
            fate: fate.clone(),
            idle: writer.idle,
            _writer: writer.clone(),
        };
        let begin = Begin {
            operations: queue,
            ready,
            fate,
        };
        match &writer.begins {
            Some(begins) => begins.send(begin).map_err(|_| gone())?,
            None => return Err(gone()),
        }
        turn.versions = begun.await.map_err(|_| gone())??;
        Ok(turn)
    }

    pub(super) fn activity(&self, readers: usize) -> Activity {
        self.counts.activity(readers)
    }

    /// The count of statements, for readers to count theirs.
    pub(super) fn statements(&self) -> Arc<AtomicU64> {
        self.counts.statements.clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.begins = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to close.
            let _ = thread.join();
        }
    }
}

/// The writing thread's own: the one connection that writes.
struct Pen {
    connection: Connection,
    clock: Clock,
    idle: Duration,
    counts: Arc<Counts>,
    /// Groups hold one transaction.
    single: bool,
}

/// How a transaction of a group ended.
enum End {
    /// To be kept and acknowledged once the group is committed. `last`: nobody may follow before that, since it has raised
    /// versions.
    Kept { reply: Reply<()>, last: bool },
    /// Rolled back to its savepoint.
    Undone,
    /// SQLite gave up the whole group.
    GroupLost(String),
}

impl Pen {
    #[expect(
        clippy::disallowed_methods,
        reason = "a duration of this machine; nothing stored depends on it"
    )]
    fn group(&mut self, first: Begin, queue: &Receiver<Begin>) {
        if let Err(error) = command(&self.connection, "BEGIN IMMEDIATE") {
            // Nobody waits: nothing to tell.
            let _ = first.ready.send(Err(error));
            return;
        }
        let started = Instant::now();
        let mut kept = Vec::new();
        let mut next = Some(first);
        while let Some(begin) = next.take() {
            let mut ends = false;
            match self.transaction(begin, kept.is_empty()) {
                End::Kept { reply, last } => {
                    kept.push(reply);
                    ends = last;
                }
                End::Undone => {}
                End::GroupLost(why) => {
                    self.abort();
                    tell(
                        kept,
                        &Error::Unavailable {
                            what: "the database gave up a transaction".to_owned(),
                            source: Some(why.into()),
                        },
                    );
                    return;
                }
            }
            let most = if self.single { 1 } else { GROUP };
            if !ends && kept.len() < most && started.elapsed() < GROUP_TIME {
                next = queue.try_recv().ok();
            }
        }
        self.end_group(kept);
    }

    fn end_group(&mut self, kept: Vec<Reply<()>>) {
        if kept.is_empty() {
            self.abort();
            return;
        }
        match command(&self.connection, "COMMIT") {
            Ok(()) => {
                self.counts.commits.fetch_add(1, Ordering::Relaxed);
                self.counts
                    .transactions
                    .fetch_add(kept.len() as u64, Ordering::Relaxed);
                for reply in kept {
                    let _ = reply.send(Ok(()));
                }
            }
            Err(error) => {
                self.abort();
                tell(kept, &error);
            }
        }
    }

    /// Rolls back whatever is open. When even that fails, SQLite has rolled back by itself.
    fn abort(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = command(&self.connection, "ROLLBACK")
        {
            tracing::error!(%error, "a rollback failed");
        }
    }

    /// Serves one transaction; `alone`: the group has nothing else to lose yet.
    fn transaction(&mut self, begin: Begin, alone: bool) -> End {
        if begin.ready.is_closed() {
            return End::Undone;
        }
        if let Err(error) = command(&self.connection, "SAVEPOINT turn") {
            let lost = self.connection.is_autocommit().then(|| error.to_string());
            let _ = begin.ready.send(Err(error));
            return lost.map_or(End::Undone, End::GroupLost);
        }
        let versions = introspect::versions(&self.connection).map_err(failure::of);
        let begun = begin.ready.send(versions).is_ok();
        let (mut end, mut altered) = (None, false);
        while begun && end.is_none() {
            let operation = match begin.operations.recv_timeout(self.idle) {
                Ok(Operation::Commit(plans, raises, reply)) => match self.run_last(plans, &begin.fate, alone)
                {
                    Ok(Ok(())) => {
                        end = Some((reply, raises));
                        break;
                    }
                    Ok(Err(error)) => {
                        let undone = self.undo();
                        let _ = reply.send(Err(error));
                        return undone;
                    }
                    Err(why) => {
                        let _ = begin.fate.lost.set(why.clone());
                        return End::GroupLost(why);
                    }
                },
                Ok(operation) => operation,
                Err(RecvTimeoutError::Timeout) => {
                    begin.fate.stalled.store(true, Ordering::Relaxed);
                    tracing::warn!(
                        seconds = self.idle.as_secs(),
                        "a transaction was idle and has been rolled back"
                    );
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            altered |= matches!(operation, Operation::ChangeSchema(..));
            if let Err(why) = self.serve(operation, &begin.fate, alone) {
                // Known before the queue goes, so that whoever asks next learns it.
                let _ = begin.fate.lost.set(why.clone());
                return End::GroupLost(why);
            }
        }
        match end {
            Some((reply, raises)) => match self.raise(raises) {
                Ok(()) => End::Kept {
                    reply,
                    last: altered || raises.any(),
                },
                Err(error) => {
                    let undone = self.undo();
                    let _ = reply.send(Err(error));
                    undone
                }
            },
            None => self.undo(),
        }
    }

    /// Raises versions, and ends the savepoint of the transaction.
    fn raise(&self, raises: Raises) -> Result<(), Error> {
        if raises.any() {
            command(&self.connection, &raises.statement())?;
        }
        command(&self.connection, "RELEASE turn")
    }

    /// Rolls back to the savepoint of the transaction.
    fn undo(&self) -> End {
        let undone = command(&self.connection, "ROLLBACK TO turn")
            .and_then(|()| command(&self.connection, "RELEASE turn"));
        match undone {
            Ok(()) => End::Undone,
            Err(error) => End::GroupLost(error.to_string()),
        }
    }

    /// Runs what a transaction does last. The error outside is that of [`Pen::serve`].
    fn run_last(
        &mut self,
        plans: Vec<Plan>,
        fate: &Arc<Fate>,
        alone: bool,
    ) -> Result<Result<(), Error>, String> {
        if plans.is_empty() {
            return Ok(Ok(()));
        }
        let (operation, outcome) = last(plans);
        self.serve(operation, fate, alone)?;
        Ok(outcome.get())
    }

    /// Runs one operation. The error says why SQLite gave up everything that the group has done.
    fn serve(&mut self, operation: Operation, fate: &Arc<Fate>, alone: bool) -> Result<(), String> {
        let reads = match &operation {
            Operation::Tables(_) | Operation::SchemaVersion(_) => true,
            Operation::Run(plans, _) => plans.iter().all(only_reads),
            Operation::ChangeSchema(..) | Operation::Commit(..) => false,
        };
        self.watch(fate, reads || alone);
        let served = self.execute(operation);
        // The one who waits may go as soon as it has its answer: that must interrupt nothing that comes after.
        self.unwatch();
        served
    }

    fn execute(&mut self, operation: Operation) -> Result<(), String> {
        match operation {
            Operation::Run(plans, reply) => {
                let outcome = self.guarded(in_steps(&plans), |pen| {
                    let mut session = Session(&mut pen.connection, &pen.counts.statements);
                    plans
                        .iter()
                        .map(|plan| at_once(answer::run(&mut session, plan, &pen.clock)))
                        .collect()
                });
                self.reply(reply, outcome)
            }
            Operation::ChangeSchema(plan, reply) => {
                let outcome = self.guarded(true, |pen| {
                    let mut alteration = Alteration(&mut pen.connection);
                    at_once(change::run(&mut alteration, &plan, &pen.clock))
                });
                self.connection.flush_prepared_statement_cache();
                self.reply(reply, outcome)
            }
            Operation::Tables(reply) => {
                let outcome = introspect::tables(&self.connection);
                self.reply(reply, outcome)
            }
            Operation::SchemaVersion(reply) => {
                let versions = introspect::versions(&self.connection).map_err(failure::of);
                let outcome = versions.map(|versions| versions.schema);
                self.reply(reply, outcome)
            }
            Operation::Commit(.., reply) => {
                let _ = reply.send(Err(Error::internal("a commit is not an operation")));
                Ok(())
            }
        }
    }

    /// Lets an operation that nobody waits for be interrupted. A statement that writes only where the group has
    /// nothing to lose: SQLite rolls back everything when it is interrupted.
    fn watch(&mut self, fate: &Arc<Fate>, interruptible: bool) {
        let fate = fate.clone();
        let handler = move || fate.abandoned.load(Ordering::Relaxed);
        if let Err(error) = self
            .connection
            .progress_handler(STEPS, interruptible.then_some(handler))
        {
            tracing::error!(%error, "a statement cannot be watched");
        }
    }

    fn unwatch(&mut self) {
        if let Err(error) = self.connection.progress_handler(0, None::<fn() -> bool>) {
            tracing::error!(%error, "a statement is still watched");
        }
    }

    /// Runs something whole or not at all; one statement is so by itself.
    fn guarded<T>(
        &mut self,
        several: bool,
        run: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if !several {
            return run(self);
        }
        command(&self.connection, "SAVEPOINT step")?;
        let outcome = run(self);
        if self.connection.is_autocommit() {
            return outcome;
        }
        if outcome.is_err() {
            command(&self.connection, "ROLLBACK TO step")?;
        }
        command(&self.connection, "RELEASE step")?;
        outcome
    }

    fn reply<T>(&mut self, reply: Reply<T>, outcome: Result<T, Error>) -> Result<(), String> {
        let why = outcome.as_ref().err().map(std::string::ToString::to_string);
        let _ = reply.send(outcome);
        if self.connection.is_autocommit() {
            Err(why.unwrap_or_else(|| "the transaction ended by itself".to_owned()))
        } else {
            Ok(())
        }
    }
}

/// The same failure to all of a group.
fn tell(kept: Vec<Reply<()>>, error: &Error) {
    for reply in kept {
        let _ = reply.send(Err(failure::again(error)));
    }
}
