//! Tables that are changed within a transaction, on a server that changes tables in none.
//!
//! Every statement that changes a table commits what is under way on its connection, and waits for everybody who has
//! touched the table. So three connections take part:
//! - the *builder* changes tables, step by step, and writes to the journal how each step is taken back;
//! - the writing connection goes on with the transaction's rows, and keeps rows and journal by one commit;
//! - the *gate* holds a lock for as long as that lasts: the second row of `loggia_schema_version`.
//!
//! Before tables are changed, the writing connection commits and locks again, so that it holds no table that the
//! builder needs. By that commit the first row names the builder's connection in `changing`: whoever gets the lock
//! meanwhile gives it back and waits at the gate. Where it finds the gate open and the name still there, whoever began
//! the change is gone; then the journal takes it back.
//!
//! Rows that the transaction has written by then are committed too early, so their tables are copied before as they
//! were, and the journal says how they are restored.

use std::collections::BTreeSet;
use std::sync::Arc;

use loggia_model::plan::SchemaPlan;
use loggia_model::schema::Action;
use loggia_model::{Clock, Scalar};
use tokio::sync::oneshot;

use super::change::Alteration;
use super::connection::{Common, Connection, Failure};
use super::failure::{self, told};
use super::writer::{Quill, lock};
use super::{introspect, journal};
use crate::backends::remote::writer::{Group, Open, Over, answer, answered};
use crate::backends::remote::{Link as _, Mode, Trouble};
use crate::backends::turn::{Fate, Reply};
use crate::change::quoted;
use crate::{Error, change};

/// The gate's lock.
const GATE: &str = "SELECT id FROM loggia_schema_version WHERE id = 2 FOR UPDATE";
/// Says that nobody changes tables.
const OVER: &str = "UPDATE loggia_schema_version SET changing = 0 WHERE id = 1; COMMIT";

/// What takes part in a change of tables beside the writing connection.
pub(super) struct Building {
    builder: Connection,
    gate: Connection,
    /// Tables whose rows can be restored.
    copied: BTreeSet<String>,
}

impl Building {
    /// Waits until nobody else changes tables.
    async fn begin(common: &Arc<Common>) -> Result<Self, (Error, Trouble)> {
        let gate = pass(common).await?;
        let mut builder = builder(common).await?;
        // What is left of a change that was kept.
        told(journal::settle(&mut builder).await)?;
        Ok(Self {
            builder,
            gate,
            copied: BTreeSet::new(),
        })
    }

    /// Clears away what a change that was kept has left.
    pub(super) async fn finish(mut self) {
        if let Err(error) = journal::settle(&mut self.builder).await {
            // The next change does.
            tracing::warn!(
                error = failure::words(&error),
                "a change of tables is not cleared away"
            );
        }
    }

    pub(super) fn abandon(self) {
        self.builder.abandon();
        self.gate.abandon();
    }
}

impl Quill {
    /// Changes tables, all steps or none.
    pub(super) async fn change_tables(
        &mut self,
        plan: SchemaPlan,
        reply: Reply<()>,
        open: &mut Open,
        group: &mut Group,
        fate: &Fate,
    ) -> Result<(), Over> {
        if plan.steps.is_empty() {
            open.altered += 1;
            return answer((Ok(()), Trouble::None), reply, fate);
        }
        if let Err((error, trouble)) = self.set_aside(open, group).await {
            return answer((Err(error), trouble), reply, fate);
        }
        let Some(building) = &mut self.building else {
            return Err(Over::Lost("there is no connection".to_owned()));
        };
        let clock = &self.common.basics.clock;
        let canceller = building.builder.canceller();
        let work = async {
            let (outcome, trouble) = build(&mut building.builder, &plan, clock).await;
            open.altered += u64::from(outcome.is_ok());
            (outcome, trouble)
        };
        answered(work, canceller.cancel(), reply, fate).await
    }

    /// Makes the writing connection hold nothing but its lock.
    async fn set_aside(&mut self, open: &mut Open, group: &mut Group) -> Result<(), (Error, Trouble)> {
        if self.building.is_none() {
            if open.begun && !group.is_empty() {
                // Its rows cannot be told from those of the others any more.
                self.be_alone();
                let why = "tables cannot be changed by a transaction that has written rows behind another";
                return Err((Error::Contended(why.into()), Trouble::None));
            }
            self.building = Some(Building::begin(&self.common).await?);
        }
        if open.begun {
            self.copy_written().await?;
        }
        let (Some(building), Some(connection)) = (&self.building, &mut self.connection) else {
            return Err(gone());
        };
        let id = building.builder.id();
        if open.begun {
            told(connection.command("RELEASE SAVEPOINT turn").await)?;
        }
        let committed = self.commit_with(group.altered, id, "").await;
        let lost = committed.as_ref().err().map(crate::backends::remote::again);
        group.acknowledge(committed, &self.common.basics);
        if let Some(error) = lost {
            return Err((error, Trouble::Lost));
        }
        // A connection that broke during the commit is not there.
        let Some(connection) = self.connection.as_mut().filter(|_| self.building.is_some()) else {
            return Err(gone());
        };
        told(lock(connection).await).map_err(|(error, _)| (error, Trouble::Lost))?;
        open.begun = false;
        self.written.clear();
        Ok(())
    }

    /// Copies the tables that the transaction has written as they were before it, and notes how they are restored.
    async fn copy_written(&mut self) -> Result<(), (Error, Trouble)> {
        let (Some(building), Some(connection)) = (&mut self.building, &mut self.connection) else {
            return Err(gone());
        };
        let mut waiting: Vec<String> = self.written.iter().cloned().collect();
        let mut seen = BTreeSet::new();
        while let Some(table) = waiting.pop() {
            if !seen.insert(table.clone()) {
                continue;
            }
            // Rows that point to it may have changed with it.
            let acts = |action| !matches!(action, Action::NoAction | Action::Restrict);
            let pointing = told(introspect::pointing_to(connection, &table).await)?;
            let changed = pointing
                .into_iter()
                .filter(|(_, key)| acts(key.on_delete) || acts(key.on_update));
            waiting.extend(changed.map(|(by, _)| by));
            if building.copied.insert(table.clone()) {
                let number = building.copied.len();
                told(copy(&mut building.builder, &table, number).await)?;
            }
        }
        Ok(())
    }

    /// Takes back everything that the transaction has done, its tables included.
    pub(super) async fn tear_down(&mut self) -> Result<(), Failure> {
        let (Some(mut building), Some(connection)) = (self.building.take(), &mut self.connection) else {
            return Ok(());
        };
        connection.command("ROLLBACK").await?;
        journal::settle(&mut building.builder).await?;
        connection.command(OVER).await
    }
}

fn gone() -> (Error, Trouble) {
    let error = Error::Unavailable {
        what: "the connection to the database is lost".to_owned(),
        source: None,
    };
    (error, Trouble::Lost)
}

/// Passes the gate, and closes it behind.
async fn pass(common: &Arc<Common>) -> Result<Connection, (Error, Trouble)> {
    let opened = Connection::open(common, Mode::Write).await;
    let mut gate = opened.map_err(|error| (error, Trouble::None))?;
    told(gate.ask(GATE, &[]).await)?;
    Ok(gate)
}

/// A connection that changes tables: every statement stands for itself.
async fn builder(common: &Arc<Common>) -> Result<Connection, (Error, Trouble)> {
    let opened = Connection::open(common, Mode::Write).await;
    let mut builder = opened.map_err(|error| (error, Trouble::None))?;
    told(builder.command("SET autocommit = 1").await)?;
    Ok(builder)
}

/// Runs a plan on the builder.
async fn build(builder: &mut Connection, plan: &SchemaPlan, clock: &Clock) -> (Result<(), Error>, Trouble) {
    let mark = match told(journal::mark(builder).await) {
        Ok(mark) => mark,
        Err((error, trouble)) => return (Err(error), trouble),
    };
    let mut alteration = Alteration::new(builder);
    let Err(error) = change::run(&mut alteration, plan, clock).await else {
        return (Ok(()), Trouble::None);
    };
    let mut trouble = alteration.trouble;
    if trouble != Trouble::Lost
        && let Err(lost) = journal::undo(builder, mark).await
    {
        // A change that cannot be taken back cannot be kept either.
        tracing::error!(
            error = failure::words(&lost),
            "a change of tables is not taken back yet"
        );
        trouble = Trouble::Lost;
    }
    (Err(error), trouble)
}

/// Copies a table's rows as they are committed, and notes how they are restored: the copy is whole before anything relies
/// on it, and goes only when nothing does any more.
async fn copy(builder: &mut Connection, table: &str, number: usize) -> Result<(), Failure> {
    let dialect = builder.dialect();
    let name = quoted(dialect, table);
    let kept = quoted(dialect, &journal::hidden(&format!("rows_{number}")));
    let found = introspect::tables(builder, Some(table)).await?;
    let columns = found.values().flat_map(|table| &table.columns);
    let columns: Vec<_> = columns
        .filter(|column| !column.generated)
        .map(|column| quoted(dialect, &column.name))
        .collect();
    let columns = columns.join(", ");
    let clean = [format!("DROP TABLE IF EXISTS {kept}")];
    journal::note(builder, &clean, &clean).await?;
    for text in [
        clean[0].clone(),
        format!("CREATE TABLE {kept} LIKE {name}"),
        format!("INSERT INTO {kept} ({columns}) SELECT {columns} FROM {name}"),
    ] {
        builder.command(&text).await?;
    }
    let undo = [
        "SET SESSION foreign_key_checks = 0".to_owned(),
        "START TRANSACTION".to_owned(),
        format!("DELETE FROM {name}"),
        format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM {kept}"),
        "COMMIT".to_owned(),
        "SET SESSION foreign_key_checks = 1".to_owned(),
    ];
    journal::note(builder, &undo, &[]).await
}

/// Waits for the end of another process's change of tables; takes it back where that process is gone. Begun, it is done
/// to its end, whoever waits for it.
pub(super) async fn end_of_another(common: &Arc<Common>) -> Result<(), (Error, Trouble)> {
    let (done, ended) = oneshot::channel();
    let common = common.clone();
    tokio::spawn(async move {
        let _ = done.send(end(&common).await);
    });
    ended.await.unwrap_or_else(|_| Err(gone()))
}

async fn end(common: &Arc<Common>) -> Result<(), (Error, Trouble)> {
    const CHANGING: &str = "SELECT changing FROM loggia_schema_version WHERE id = 1";
    let mut gate = pass(common).await?;
    let rows = told(gate.ask(CHANGING, &[]).await)?;
    if rows.count() == 0 {
        return told(gate.command("ROLLBACK").await);
    }
    // Its last commit may be on its way still.
    let (_, changing) = told(lock(&mut gate).await)?;
    if changing != 0 {
        tracing::warn!("a change of tables was not brought to its end; it is taken back");
        let mut builder = builder(common).await?;
        if changing != i64::from(builder.id()) {
            told(end_connection(&mut builder, changing).await)?;
        }
        told(journal::settle(&mut builder).await)?;
    }
    told(gate.command(OVER).await)
}

/// Ends a connection that may still be busy for somebody who is gone, and waits until it is.
async fn end_connection(by: &mut Connection, id: i64) -> Result<(), Failure> {
    const THERE: &str = "SELECT COUNT(*) FROM information_schema.processlist WHERE id = ?";
    const STEP: std::time::Duration = std::time::Duration::from_millis(20);
    while by.ask(THERE, &[Scalar::Int(id)]).await?.count() > 0 {
        // It may have gone by itself.
        if let Err(error) = by.command(&format!("KILL {id}")).await {
            tracing::debug!(error = failure::words(&error), "a connection was not ended");
        }
        tokio::time::sleep(STEP).await;
    }
    Ok(())
}
