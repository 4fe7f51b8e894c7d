//! The writing connection, see `remote::writer`: how groups begin and end here, and how operations run. How tables are
//! changed stands in `building`.
//!
//! The server checks foreign keys with every row, so none of a group can make its commit fail. Another node of a
//! cluster can: every group changes the one row that it locks, and where two nodes did so at once, one of the groups is
//! given up.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_model::Scalar;
use loggia_model::plan::Plan;
use loggia_model::schema::Table;

use super::building::{Building, end_of_another};
use super::connection::{self, Common, Connection, Failure};
use super::failure::{self, told, trouble};
use super::session::Writing;
use super::{introspect, journal};
use crate::backends::remote::writer::{GROUP, Group, Open, Over, Pen, answer, answered};
use crate::backends::remote::{Basics, Link as _, Mode, Patience, Trouble};
use crate::backends::turn::{Fate, Operation};
use crate::store::Outcome;
use crate::{Error, Versions, answer as plans};

/// Locks the row, and says what stands in it; at its end, the connection on which somebody changes tables, or 0.
const LOCK: &str =
    "SELECT version, rules, people, changing FROM loggia_schema_version WHERE id = 1 FOR UPDATE";
/// How often a group tries to begin where others are in its way.
const ATTEMPTS: usize = 5;
/// So many groups hold one transaction each after one was too late to change tables: when it is asked again, it shall be
/// the first of its group.
const ALONE: usize = 64;

/// The one connection that writes.
pub(super) struct Quill {
    pub(super) common: Arc<Common>,
    pub(super) connection: Option<Connection>,
    /// The key of this process in `loggia_writers`.
    number: i64,
    /// How many groups it has tried to keep.
    turn: i64,
    /// The tables that the transaction has written since it began, or since it was committed for a change of tables.
    pub(super) written: BTreeSet<String>,
    /// There where the transaction changes tables.
    pub(super) building: Option<Building>,
    /// Whether the group takes no more transactions.
    full: bool,
    /// How many groups are to hold one transaction only.
    alone: usize,
}

impl Pen for Quill {
    fn basics(&self) -> &Basics {
        &self.common.basics
    }

    /// Connects where there is no connection, and waits for the lock. Nothing has been done by then, so it is tried again
    /// where the connection breaks.
    async fn begin(&mut self) -> Result<Versions, Error> {
        self.full = false;
        self.alone = self.alone.saturating_sub(1);
        let patience = Patience::new(self.common.basics.patience);
        let mut attempts = 0;
        loop {
            if self.connection.as_ref().is_none_or(Connection::is_closed) {
                self.connection = Some(Connection::open(&self.common, Mode::Write).await?);
            }
            let Some(connection) = &mut self.connection else {
                continue;
            };
            let failed = match told(lock(connection).await) {
                Ok((versions, 0)) => {
                    self.common.basics.saw_version(versions.schema);
                    return Ok(versions);
                }
                Ok(_) => match told(connection.command("ROLLBACK").await) {
                    Ok(()) => end_of_another(&self.common).await.err(),
                    Err(failed) => Some(failed),
                },
                Err(failed) => Some(failed),
            };
            if let Some((error, trouble)) = failed {
                self.after(error, trouble, &patience, &mut attempts).await?;
            }
        }
    }

    fn most(&self) -> usize {
        match (self.full, self.alone) {
            (true, _) => 0,
            (false, 0) => GROUP,
            (false, _) => 1,
        }
    }

    async fn serve(
        &mut self,
        operation: Operation,
        open: &mut Open,
        group: &mut Group,
        fate: &Fate,
    ) -> Result<(), Over> {
        if !open.begun {
            self.written.clear();
        }
        let Some(connection) = &mut self.connection else {
            return Err(Over::Lost("there is no connection".to_owned()));
        };
        let canceller = connection.canceller();
        match operation {
            Operation::Run(plans, reply) => {
                self.written.extend(plans.iter().filter_map(written));
                let clock = &self.common.basics.clock;
                let work = run(Writing::new(connection, &mut open.begun), &plans, clock);
                answered(work, canceller.cancel(), reply, fate).await
            }
            Operation::ChangeSchema(plan, reply) => self.change_tables(plan, reply, open, group, fate).await,
            Operation::Tables(reply) => answered(tables(connection), canceller.cancel(), reply, fate).await,
            // Noted when the group is committed.
            Operation::SchemaVersion(reply) => {
                let version = group.version() + open.altered;
                answer((Ok(version), Trouble::None), reply, fate)
            }
            Operation::Commit(.., reply) => {
                let _ = reply.send(Err(Error::internal("a commit is not an operation")));
                Ok(())
            }
        }
    }

    async fn keep(&mut self, open: &Open) -> Result<(), Error> {
        if self.building.is_some() {
            self.full = true;
        }
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let mut texts = Vec::new();
        if open.raises.any() {
            texts.push(open.raises.statement());
        }
        if open.begun {
            texts.push("RELEASE SAVEPOINT turn".to_owned());
        }
        connection.command(&texts.join("; ")).await.map_err(failure::of)
    }

    /// Rolls back to the savepoint of the transaction; tables that it has changed become what they were.
    async fn undo(&mut self, open: &Open) -> Result<(), String> {
        const UNDO: &str = "ROLLBACK TO SAVEPOINT turn; RELEASE SAVEPOINT turn";
        if self.building.is_some() {
            self.full = true;
            return self.tear_down().await.map_err(|error| failure::words(&error));
        }
        let Some(connection) = self.connection.as_mut().filter(|_| open.begun) else {
            return Ok(());
        };
        let mut undone = connection.command(UNDO).await;
        // A statement was to be cancelled that had ended already: this one was met instead.
        if undone.as_ref().is_err_and(failure::is_cancelled) {
            undone = connection.command(UNDO).await;
        }
        undone.map_err(|error| failure::words(&error))
    }

    async fn commit(&mut self, group: &Group) -> Result<(), Error> {
        let keep = match &self.building {
            Some(_) => journal::KEEP,
            None => "",
        };
        let committed = self.commit_with(group.altered, 0, keep).await;
        match (self.building.take(), &committed) {
            (Some(building), Ok(())) => building.finish().await,
            (building @ Some(_), Err(_)) => {
                self.building = building;
                if let Err(error) = self.tear_down().await {
                    tracing::warn!(error = failure::words(&error), "tables stay changed for now");
                    self.discard();
                }
            }
            (None, _) => {}
        }
        committed
    }

    async fn release(&mut self) {
        if let Some(connection) = &mut self.connection
            && connection.command("ROLLBACK").await.is_err()
        {
            self.connection = None;
        }
    }

    fn discard(&mut self) {
        if let Some(building) = self.building.take() {
            building.abandon();
        }
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
            written: BTreeSet::new(),
            building: None,
            full: false,
            alone: 0,
        }
    }

    /// The next groups hold one transaction each.
    pub(super) fn be_alone(&mut self) {
        self.alone = ALONE;
    }

    /// What is done when a transaction could not begin; an error where nothing more can be.
    async fn after(
        &mut self,
        error: Error,
        trouble: Trouble,
        patience: &Patience,
        attempts: &mut usize,
    ) -> Result<(), Error> {
        *attempts += 1;
        match trouble {
            Trouble::Lost => {
                self.connection = None;
                if patience.wait().await { Ok(()) } else { Err(error) }
            }
            Trouble::Stale | Trouble::Contended if *attempts < ATTEMPTS => {
                self.release().await;
                Ok(())
            }
            _ => {
                self.release().await;
                Err(error)
            }
        }
    }

    /// Commits what the connection has done, under this process's number. `changing`: the connection that goes on to
    /// change tables; 0: none. `with`: what is kept by the same commit.
    pub(super) async fn commit_with(&mut self, altered: u64, changing: u32, with: &str) -> Result<(), Error> {
        let Some(connection) = &mut self.connection else {
            return Err(Error::internal("there is no connection"));
        };
        self.turn += 1;
        let (number, turn) = (self.number, self.turn);
        let text = format!(
            "INSERT INTO loggia_writers (id, turn, seen) VALUES ({number}, {turn}, UTC_TIMESTAMP()) \
             ON DUPLICATE KEY UPDATE turn = {turn}, seen = UTC_TIMESTAMP(); \
             UPDATE loggia_schema_version SET version = version + {altered}, turns = turns + 1, \
             changing = {changing} WHERE id = 1; {with}{} COMMIT",
            if with.is_empty() { "" } else { ";" }
        );
        match connection.command(&text).await {
            Ok(()) => Ok(()),
            Err(error) if trouble(&error) == Trouble::Lost => {
                self.discard();
                self.find_out(&error).await
            }
            Err(error) => {
                self.release().await;
                Err(failure::of(error))
            }
        }
    }

    /// The connection broke during a commit: what has become of it is known once the lock is free.
    async fn find_out(&mut self, broken: &Failure) -> Result<(), Error> {
        const TURN: &str = "SELECT turn FROM loggia_writers WHERE id = ?";
        let unsure = || Error::Unsure(failure::words(broken).into());
        let (number, turn) = (self.number, self.turn);
        // Nothing is done here but to look.
        self.begin().await.map_err(|_| unsure())?;
        let Some(connection) = &mut self.connection else {
            return Err(unsure());
        };
        let found = connection.ask(TURN, &[Scalar::Int(number)]).await;
        self.release().await;
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

/// Waits for the lock. Answers with what is committed, and the connection on which somebody changes tables, or 0.
pub(super) async fn lock(connection: &mut Connection) -> Result<(Versions, i64), Failure> {
    let rows = connection.ask(LOCK, &[]).await?;
    match rows.cells.last() {
        Some(Scalar::Int(changing)) => Ok((connection::of_row(&rows), *changing)),
        _ => Err(Failure::Other("the row of the schema's version is gone".into())),
    }
}

/// The table that a plan writes.
fn written(plan: &Plan) -> Option<String> {
    let collection = match plan {
        Plan::Read(_) | Plan::Aggregate(_) => return None,
        Plan::Insert(plan) => &plan.collection,
        Plan::Update(plan) => &plan.collection,
        Plan::Delete(plan) => &plan.collection,
    };
    Some(collection.name.clone())
}

/// Runs plans whole or not at all.
async fn run(
    mut writing: Writing<'_>,
    plans: &[Plan],
    clock: &loggia_model::Clock,
) -> (Result<Vec<Outcome>, Error>, Trouble) {
    let mut outcomes = Vec::with_capacity(plans.len());
    for plan in plans {
        match plans::run(&mut writing, plan, clock).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => return undone(writing, error).await,
        }
    }
    (Ok(outcomes), Trouble::None)
}

async fn tables(connection: &mut Connection) -> (Result<IndexMap<String, Table>, Error>, Trouble) {
    match told(introspect::tables(connection, None).await) {
        Ok(tables) => (Ok(tables), Trouble::None),
        Err((error, trouble)) => (Err(error), trouble),
    }
}

/// Takes back what an operation has done that failed.
async fn undone<T>(mut writing: Writing<'_>, error: Error) -> (Result<T, Error>, Trouble) {
    let gone = match writing.trouble {
        Trouble::Lost => true,
        // With a deadlock the server has taken back everything.
        Trouble::Contended => true,
        _ => match writing.undo().await {
            Ok(()) => false,
            Err(lost) => {
                tracing::error!(error = %lost, "a savepoint is gone");
                true
            }
        },
    };
    // A transaction that cannot go back cannot go on either.
    (Err(error), if gone { Trouble::Lost } else { Trouble::None })
}
