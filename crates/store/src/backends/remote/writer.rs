//! The writing connection: one transaction after the other, and commits in groups.
//!
//! A transaction is alone at the writer among all processes that use the database: its group begins by locking the one
//! row of the table of the schema's version, and holds it to its end. Rows are locked by every server, and by whatever
//! stands before it; advisory locks are not known to all of them.
//!
//! Each transaction is a savepoint, named `turn`, inside one transaction of the server. When it is to be kept and
//! another waits, that one runs next, inside the same; the server commits (one sync) when nobody waits or a bound is
//! reached, and only then are the transactions of the group acknowledged. A transaction that fails, is dropped or idles
//! rolls back to its savepoint and leaves the others of its group alone.
//!
//! A transaction reads what is committed at each of its statements (`READ COMMITTED`): the writers before it have
//! committed by the time its group holds the lock.
//!
//! Each process has a row in `loggia_writers`, and counts its groups there, each inside itself. Where the connection
//! breaks during a commit, that row tells what has become of it, also after the server was restarted or replaced.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use loggia_model::plan::Plan;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{Basics, Trouble, again, whole};
use crate::backends::turn::{Fate, Operation, Reply, Turn, last};
use crate::{Error, Raises, Versions};

/// Most transactions of a group.
pub(crate) const GROUP: usize = 128;
/// A group takes no more transactions after so long: the first of it waits, and so do other processes.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// The one connection of a process that writes.
pub(crate) trait Pen: Send + 'static {
    /// What all connections have in common.
    fn basics(&self) -> &Basics;
    /// Begins a group: waits until no other process writes. Answers with what is committed by then.
    fn begin(&mut self) -> impl Future<Output = Result<Versions, Error>> + Send;
    /// Most transactions that the group may keep.
    fn most(&self) -> usize;
    /// Runs one operation of a transaction and answers.
    fn serve(
        &mut self,
        operation: Operation,
        open: &mut Open,
        group: &mut Group,
        fate: &Fate,
    ) -> impl Future<Output = Result<(), Over>> + Send;
    /// Ends a transaction that its group shall keep. Where it fails, the group is lost.
    fn keep(&mut self, open: &Open) -> impl Future<Output = Result<(), Error>> + Send;
    /// Takes back what a transaction has done. Where it fails, the group is lost, and why.
    fn undo(&mut self, open: &Open) -> impl Future<Output = Result<(), String>> + Send;
    /// Ends a group of which transactions are to be kept.
    fn commit(&mut self, group: &Group) -> impl Future<Output = Result<(), Error>> + Send;
    /// Ends a group of which nothing is to be kept.
    fn release(&mut self) -> impl Future<Output = ()> + Send;
    /// Stops whatever is under way; the server rolls it back.
    fn discard(&mut self);
}

/// A transaction of a group.
#[derive(Default)]
pub(crate) struct Open {
    /// Whether it has done anything, and so has a savepoint.
    pub(crate) begun: bool,
    /// How often it has changed tables.
    pub(crate) altered: u64,
    /// What it raises besides.
    pub(crate) raises: Raises,
}

/// A group that has begun.
pub(crate) struct Group {
    /// What was committed when it began.
    versions: Versions,
    /// How often its last transaction has changed tables.
    pub(crate) altered: u64,
    /// Whether its last transaction has raised versions: none follows, so that nobody meets what is not committed.
    pub(crate) raised: bool,
    /// Those that are to be kept.
    kept: Vec<Reply<()>>,
}

impl Group {
    /// The version of the schema, with what is to be kept.
    pub(crate) fn version(&self) -> u64 {
        self.versions.schema + self.altered
    }

    /// Whether no transaction is to be kept by it.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Says to those that are to be kept what has become of them.
    pub(crate) fn acknowledge(&mut self, committed: Result<(), Error>, basics: &Basics) {
        let kept = std::mem::take(&mut self.kept);
        match committed {
            Ok(()) => {
                self.versions.schema += std::mem::take(&mut self.altered);
                basics.saw_version(self.versions.schema);
                if kept.is_empty() {
                    return;
                }
                let counts = &basics.counts;
                counts.commits.fetch_add(1, Ordering::Relaxed);
                counts
                    .transactions
                    .fetch_add(kept.len() as u64, Ordering::Relaxed);
                for reply in kept {
                    // Nobody waits: nothing to tell.
                    let _ = reply.send(Ok(()));
                }
            }
            Err(error) => {
                for reply in kept {
                    let _ = reply.send(Err(again(&error)));
                }
            }
        }
    }
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
pub(crate) enum Over {
    /// Nobody waits for it.
    Abandoned,
    /// The connection is gone.
    Lost(String),
}

/// The writer of a database.
pub(crate) struct Writer {
    begins: mpsc::UnboundedSender<Begin>,
    idle: Duration,
}

/// A transaction that waits for its turn.
struct Begin {
    operations: mpsc::UnboundedReceiver<Operation>,
    ready: oneshot::Sender<Result<Versions, Error>>,
    fate: Arc<Fate>,
}

impl Writer {
    /// Starts the task that serves transactions.
    pub(crate) fn start(pen: impl Pen) -> Self {
        let (begins, mut queue) = mpsc::unbounded_channel();
        let idle = pen.basics().idle;
        let mut desk = Desk { pen };
        tokio::spawn(async move {
            while let Some(begin) = queue.recv().await {
                let served = AssertUnwindSafe(desk.group(begin, &mut queue)).catch_unwind();
                if served.await.is_err() {
                    // Whoever waited gets no answer, and nothing of the group is kept; the next is served.
                    tracing::error!("a write panicked");
                    desk.pen.discard();
                }
            }
        });
        Self { begins, idle }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(writer: &Arc<Self>) -> Result<Turn, Error> {
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
            idle: writer.idle,
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

/// The task's own.
struct Desk<P> {
    pen: P,
}

impl<P: Pen> Desk<P> {
    async fn group(&mut self, first: Begin, queue: &mut mpsc::UnboundedReceiver<Begin>) {
        let Begin {
            operations,
            mut ready,
            fate,
        } = first;
        let begun = {
            let begun = std::pin::pin!(self.pen.begin());
            tokio::select! {
                biased;
                begun = begun => Some(begun),
                () = ready.closed() => None,
            }
        };
        let mut group = match begun {
            Some(Ok(versions)) => Group {
                versions,
                altered: 0,
                raised: false,
                kept: Vec::new(),
            },
            Some(Err(error)) => {
                // Nobody waits: nothing to tell.
                let _ = ready.send(Err(error));
                return;
            }
            None => return self.pen.discard(),
        };
        let started = Instant::now();
        let mut next = Some(Begin {
            operations,
            ready,
            fate,
        });
        while let Some(begin) = next.take() {
            match self.transaction(begin, &mut group).await {
                End::Kept(reply) => group.kept.push(reply),
                End::Undone => {}
                End::GroupLost(why) => {
                    self.pen.discard();
                    self.pen.basics().saw_version(group.versions.schema);
                    let lost = Error::Unavailable {
                        what: "the database gave up a transaction".to_owned(),
                        source: Some(why.into()),
                    };
                    return group.acknowledge(Err(lost), self.pen.basics());
                }
            }
            if !group.raised && group.kept.len() < self.pen.most() && started.elapsed() < GROUP_TIME {
                next = queue.try_recv().ok();
            }
        }
        if group.is_empty() {
            return self.pen.release().await;
        }
        let committed = self.pen.commit(&group).await;
        group.acknowledge(committed, self.pen.basics());
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
        let idle = self.pen.basics().idle;
        loop {
            let operation = match tokio::time::timeout(idle, operations.recv()).await {
                Ok(Some(Operation::Commit(plans, raises, reply))) => {
                    open.raises = raises;
                    return self.end(plans, reply, (&mut open, &fate), group).await;
                }
                Ok(Some(operation)) => operation,
                Ok(None) => return self.undo(&open).await,
                Err(_) => {
                    fate.stalled.store(true, Ordering::Relaxed);
                    tracing::warn!(
                        seconds = idle.as_secs(),
                        "a transaction was idle and has been rolled back"
                    );
                    return self.undo(&open).await;
                }
            };
            match self.pen.serve(operation, &mut open, group, &fate).await {
                Ok(()) => {}
                Err(Over::Abandoned) => return self.undo(&open).await,
                Err(Over::Lost(why)) => {
                    tracing::warn!(why, "a transaction was lost with its connection");
                    return End::GroupLost(why);
                }
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
        if let Err(Over::Lost(why)) = self.pen.serve(operation, open, group, fate).await {
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
        match self.pen.keep(open).await {
            Ok(()) => {
                group.altered += open.altered;
                group.raised = open.raises.any() || open.altered > 0;
                End::Kept(reply)
            }
            Err(error) => {
                let why = whole(&error);
                let _ = reply.send(Err(error));
                End::GroupLost(why)
            }
        }
    }

    async fn undo(&mut self, open: &Open) -> End {
        match self.pen.undo(open).await {
            Ok(()) => End::Undone,
            Err(why) => End::GroupLost(why),
        }
    }
}

/// Notes the outcome of an operation's work and sends its answer.
pub(crate) fn answer<T>(
    (outcome, trouble): (Result<T, Error>, Trouble),
    reply: Reply<T>,
    fate: &Fate,
) -> Result<(), Over> {
    let lost = match (&outcome, trouble) {
        (Err(error), Trouble::Lost) => Some(whole(error)),
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

/// Waits for an operation's work and sends its answer. What nobody waits for any more is cancelled: others of the group
/// may have something to lose, so the statement ends, and the connection goes on.
pub(crate) async fn answered<T>(
    work: impl Future<Output = (Result<T, Error>, Trouble)>,
    cancel: impl Future<Output = ()>,
    mut reply: Reply<T>,
    fate: &Fate,
) -> Result<(), Over> {
    let mut work = std::pin::pin!(work);
    let done = tokio::select! {
        biased;
        outcome = &mut work => Some(outcome),
        () = reply.closed() => None,
    };
    if let Some(done) = done {
        return answer(done, reply, fate);
    }
    let ((), (_, trouble)) = futures_util::future::join(cancel, work).await;
    Err(match trouble {
        Trouble::Lost => Over::Lost("the connection broke".to_owned()),
        _ => Over::Abandoned,
    })
}
