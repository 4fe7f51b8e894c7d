//! A transaction's turn at the writer: its owner asks by messages, and the writer answers each. So the owner can go at
//! any time, and the writer can end a transaction whose owner does nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indexmap::IndexMap;
use loggia_model::plan::{Plan, SchemaPlan};
use loggia_model::schema::Table;
use tokio::sync::oneshot;

use super::{Promise, Transaction};
use crate::store::{Activity, Outcome};
use crate::{Error, Raises, Versions};

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What a transaction can ask of the writer.
pub(super) enum Operation {
    /// Plans, all or none.
    Run(Vec<Plan>, Reply<Vec<Outcome>>),
    /// Changes of tables.
    ChangeSchema(SchemaPlan, Reply<()>),
    /// The tables as they are.
    Tables(Reply<IndexMap<String, Table>>),
    /// The schema's version as it is.
    SchemaVersion(Reply<u64>),
    /// The end, after plans that must succeed.
    Commit(Vec<Plan>, Raises, Reply<()>),
}

/// What both sides know of a transaction.
#[derive(Default)]
pub(super) struct Fate {
    /// The owner has gone.
    pub(super) abandoned: AtomicBool,
    /// The writer has ended it.
    pub(super) stalled: AtomicBool,
    /// Why it is lost, though its owner did nothing wrong.
    pub(super) lost: OnceLock<String>,
}

/// What has been done since the database was opened.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) transactions: AtomicU64,
    pub(super) commits: AtomicU64,
    /// Of readers as well.
    pub(super) statements: Arc<AtomicU64>,
}

impl Counts {
    pub(super) fn activity(&self, readers: usize) -> Activity {
        Activity {
            transactions: self.transactions.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            readers,
            statements: self.statements.load(Ordering::Relaxed),
        }
    }
}

/// A transaction's turn, as its owner holds it.
pub(super) struct Turn {
    /// Hands an operation to the writer; goes to nobody where the writer has ended the transaction.
    pub(super) ask: Box<dyn Fn(Operation) + Send + Sync>,
    pub(super) fate: Arc<Fate>,
    pub(super) idle: Duration,
    /// What was committed when it began.
    pub(super) versions: Versions,
    /// The database stays open while a transaction is.
    pub(super) _writer: Arc<dyn std::any::Any + Send + Sync>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.fate.abandoned.store(true, Ordering::Relaxed);
    }
}

impl Turn {
    /// Asks the writer for something and waits for the answer.
    fn asked<T: Send + 'static>(
        &mut self,
        operation: impl FnOnce(Reply<T>) -> Operation,
    ) -> Promise<'static, T> {
        let (reply, answer) = oneshot::channel();
        (self.ask)(operation(reply));
        let fate = self.fate.clone();
        let seconds = self.idle.as_secs();
        Box::pin(async move {
            match answer.await {
                Ok(outcome) => outcome,
                // Where the writer has ended the transaction, the answer never comes, and the fate says why.
                Err(_) if fate.stalled.load(Ordering::Relaxed) => Err(Error::Stalled { seconds }),
                Err(_) => Err(match fate.lost.get() {
                    Some(why) => Error::Unavailable {
                        what: "the transaction was lost".to_owned(),
                        source: Some(why.as_str().into()),
                    },
                    None => Error::Cancelled,
                }),
            }
        })
    }
}

impl Transaction for Turn {
    fn run(&mut self, plans: Vec<Plan>) -> Promise<'_, Vec<Outcome>> {
        self.asked(|reply| Operation::Run(plans, reply))
    }

    fn change_schema(&mut self, plan: SchemaPlan) -> Promise<'_, ()> {
        self.asked(|reply| Operation::ChangeSchema(plan, reply))
    }

    fn tables(&mut self) -> Promise<'_, IndexMap<String, Table>> {
        self.asked(Operation::Tables)
    }

    fn schema_version(&mut self) -> Promise<'_, u64> {
        self.asked(Operation::SchemaVersion)
    }

    fn versions(&self) -> Versions {
        self.versions
    }

    fn commit(mut self: Box<Self>, plans: Vec<Plan>, raises: Raises) -> Promise<'static, ()> {
        Box::pin(async move { self.asked(|reply| Operation::Commit(plans, raises, reply)).await })
    }
}

/// The last plans of a transaction as an operation of their own, and where its outcome will be.
pub(super) fn last(plans: Vec<Plan>) -> (Operation, LastOutcome) {
    let (reply, outcome) = oneshot::channel();
    (Operation::Run(plans, reply), LastOutcome(outcome))
}

/// The outcome of [`last`], once it was served.
pub(super) struct LastOutcome(oneshot::Receiver<Result<Vec<Outcome>, Error>>);

impl LastOutcome {
    pub(super) fn get(mut self) -> Result<(), Error> {
        let unserved = || Error::internal("the last plans of a transaction were not served");
        self.0.try_recv().map_err(|_| unserved())?.map(drop)
    }
}

/// Whether a plan writes nothing.
pub(super) fn only_reads(plan: &Plan) -> bool {
    matches!(plan, Plan::Read(_) | Plan::Aggregate(_))
}

/// Whether plans write by more than one statement, so that a failure may come when something is written already.
pub(super) fn in_steps(plans: &[Plan]) -> bool {
    let statements = plans.iter().map(|plan| match plan {
        Plan::Read(_) | Plan::Aggregate(_) => 0,
        Plan::Insert(insert) => insert.rows.len(),
        Plan::Update(_) | Plan::Delete(_) => 1,
    });
    // What fails last has nothing after it; but a read that fails after a write must take it back.
    statements.sum::<usize>() > 1 || (plans.len() > 1 && !plans.iter().all(only_reads))
}
