//! Connections that run plans.
//!
//! PostgreSQL gives up a whole transaction when a statement of it fails, so every operation of a transaction that
//! writes stands in a savepoint of its own, named `step`, inside that of the transaction, named `turn`; each operation
//! replaces that of the one before. Where an
//! operation writes more than once, each writing statement stands in one more, named `part`, so that a look at the
//! rows can tell what was wrong. Savepoints are sent along with the statements and wait for no answer of their own.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{join, join_all, join3};
use loggia_model::schema::ForeignKey;
use loggia_model::{Clock, Scalar};

use super::connection::{Connection, Failure, Prepared};
use super::values::Bound;
use super::{dialect, failure, introspect};
use crate::Error;
use crate::answer::{Executor, Rows};
use crate::backends::remote::Trouble;
use crate::lower::{Dialect, Statement};

/// So many rows of an insert are under way at the same time.
const UNDER_WAY: usize = 256;

fn bound<'v>(values: &'v [Cow<'_, Scalar>]) -> Vec<Bound<'v>> {
    values.iter().map(|value| Bound(value)).collect()
}

/// One snapshot for several statements.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A connection that reads.
pub(super) struct Reading<'c> {
    connection: &'c Connection,
    statements: &'c AtomicU64,
    /// What is still to be sent in front of the next statement, so that those that follow see the same.
    begin: Option<&'static str>,
    /// Whether a transaction has begun and its end was not sent.
    open: bool,
    /// What the last failure asks for.
    pub(super) trouble: Trouble,
}

impl<'c> Reading<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            statements: &connection.common().basics.counts.statements,
            begin: None,
            open: false,
            trouble: Trouble::None,
        }
    }

    /// For several statements that see one snapshot: a transaction begins with the first of them, and ends with the last.
    pub(super) fn on_a_snapshot(connection: &'c Connection) -> Self {
        Self {
            begin: Some(BEGIN),
            ..Self::new(connection)
        }
    }

    pub(super) fn clock(&self) -> &'c Clock {
        &self.connection.common().basics.clock
    }

    /// Ends the transaction, where the last statement has not; waits for nothing.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            self.connection.command_later("COMMIT");
        }
    }

    /// Everything is under way at the same time.
    async fn fetch_all(
        &mut self,
        statements: &[Statement<'_>],
        last: bool,
    ) -> Result<Vec<Rows>, (Failure, bool)> {
        let mut known = Vec::with_capacity(statements.len());
        for statement in statements {
            // What waits stands in front of what is sent together.
            known.push(match self.connection.prepared(&statement.text) {
                Some(prepared) => (prepared, true),
                None => match self.connection.prepare(&statement.text).await {
                    Ok(prepared) => (prepared, false),
                    Err(error) => return Err((error, false)),
                },
            });
        }
        let begin = self.begin.take();
        self.open |= begin.is_some();
        let ends = last && std::mem::take(&mut self.open);
        let fetches = known.iter().zip(statements);
        let fetches = fetches
            .map(|((prepared, _), statement)| self.connection.fetch(prepared, bound(&statement.binds)));
        // In the order in which they are sent.
        let (begun, answers, ended) = join3(
            self.connection.command(begin.unwrap_or_default()),
            join_all(fetches),
            self.connection.command(if ends { "COMMIT" } else { "" }),
        )
        .await;
        begun.map_err(|error| (error, false))?;
        let answers = answers.into_iter().zip(&known);
        let rows = answers.map(|(answer, (_, cached))| answer.map_err(|error| (error, *cached)));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        ended.map_err(|error| (error, false))?;
        Ok(rows)
    }
}

impl Executor for Reading<'_> {
    fn dialect(&self) -> &'static dyn Dialect {
        &dialect::POSTGRES
    }

    async fn query(&mut self, statement: Statement<'_>) -> Result<Rows, Error> {
        let rows = self.query_all(vec![statement], false).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    async fn query_all(&mut self, statements: Vec<Statement<'_>>, last: bool) -> Result<Vec<Rows>, Error> {
        self.statements
            .fetch_add(statements.len() as u64, Ordering::Relaxed);
        let rows = self.fetch_all(&statements, last).await;
        rows.map_err(|(error, cached)| {
            self.trouble = failure::trouble(&error, cached);
            failure::of(error)
        })
    }

    fn is_far(&self) -> bool {
        true
    }

    async fn query_each(&mut self, _: &str, _: &[Vec<Cow<'_, Scalar>>]) -> Result<Rows, (usize, Error)> {
        Err((0, Error::NeedsTransaction))
    }

    async fn pointing_to(&mut self, table: &str) -> Result<Vec<(String, ForeignKey)>, Error> {
        introspect::pointing_to(self.connection, table)
            .await
            .map_err(failure::of)
    }
}

/// A connection inside a transaction that writes, during one operation.
pub(super) struct Writing<'c> {
    pub(super) connection: &'c Connection,
    /// What opens the operation's savepoint; sent along with its first statement.
    opening: Option<&'static str>,
    /// Whether the transaction has a savepoint.
    begun: &'c mut bool,
    /// Whether the operation writes more than once.
    several: bool,
    /// What the last failure asks for.
    pub(super) trouble: Trouble,
}

/// How far something got.
struct Failed {
    error: Failure,
    cached: bool,
    /// Which of several, counted from 0.
    at: usize,
}

impl<'c> Writing<'c> {
    /// `begun`: whether the transaction has a savepoint; noted where the operation makes it.
    pub(super) fn new(connection: &'c Connection, begun: &'c mut bool, several: bool) -> Self {
        let opening = if *begun {
            "RELEASE SAVEPOINT step; SAVEPOINT step"
        } else {
            "SAVEPOINT turn; SAVEPOINT step"
        };
        Self {
            connection,
            opening: Some(opening),
            begun,
            several,
            trouble: Trouble::None,
        }
    }

    /// Opens the operation's savepoint now.
    pub(super) async fn open(&mut self) -> Result<(), Error> {
        let opening = self.opening().unwrap_or_default();
        self.connection
            .command(opening)
            .await
            .map_err(|error| self.note(error, false))
    }

    /// What opens the operation's savepoint, the first time.
    fn opening(&mut self) -> Option<&'static str> {
        *self.begun = true;
        self.opening.take()
    }

    /// Takes back what the operation has done.
    pub(super) async fn undo(&mut self) -> Result<(), Error> {
        if self.opening.is_some() {
            return Ok(());
        }
        self.connection
            .command("ROLLBACK TO SAVEPOINT step")
            .await
            .map_err(|error| self.note(error, false))
    }

    fn note(&mut self, error: Failure, cached: bool) -> Error {
        self.trouble = failure::trouble(&error, cached);
        failure::of(error)
    }

    /// Runs a statement for each list of values, all of them under way at the same time.
    async fn attempt(
        &mut self,
        text: &str,
        values: &[Vec<Cow<'_, Scalar>>],
        part: bool,
    ) -> Result<Rows, Failed> {
        let failed = |error, cached, at| Failed { error, cached, at };
        let opening = self.opening();
        let mut before = match (opening, part) {
            (Some(opening), true) => format!("{opening}; SAVEPOINT part"),
            (Some(opening), false) => opening.to_owned(),
            (None, true) => "SAVEPOINT part".to_owned(),
            (None, false) => String::new(),
        };
        let after = if part { "RELEASE SAVEPOINT part" } else { "" };
        let known = self.connection.prepared(text);
        let cached = known.is_some();
        let prepared: Prepared = match known {
            Some(prepared) => prepared,
            None => {
                // What cannot be prepared must not cost the transaction: it is prepared behind the savepoint.
                let opened = std::mem::take(&mut before);
                let both = join(self.connection.command(&opened), self.connection.prepare(text));
                let (opened, prepared) = both.await;
                opened.map_err(|error| failed(error, false, 0))?;
                prepared.map_err(|error| failed(error, false, 0))?
            }
        };
        let mut run = Vec::with_capacity(values.len());
        for values in values {
            run.push(self.connection.fetch(&prepared, bound(values)));
        }
        let all = join3(
            self.connection.command(&before),
            join_all(run),
            self.connection.command(after),
        );
        let (opened, answers, closed) = all.await;
        opened.map_err(|error| failed(error, false, 0))?;
        let mut rows = Rows {
            width: prepared.columns().len(),
            cells: Vec::new(),
        };
        for (at, answer) in answers.into_iter().enumerate() {
            let answer = answer.map_err(|error| failed(error, cached, at))?;
            rows.cells.extend(answer.cells);
        }
        closed.map_err(|error| failed(error, false, 0))?;
        Ok(rows)
    }

    /// The same, once more where the statement was prepared for tables that have changed since. Where it fails, the
    /// connection is as it was before, but for what those did that stand before the one that failed.
    async fn settled(
        &mut self,
        text: &str,
        values: &[Vec<Cow<'_, Scalar>>],
        part: bool,
    ) -> Result<Rows, (usize, Error)> {
        let mut again = true;
        loop {
            let failed = match self.attempt(text, values, part).await {
                Ok(rows) => return Ok(rows),
                Err(failed) => failed,
            };
            self.trouble = failure::trouble(&failed.error, failed.cached);
            if self.trouble == Trouble::Lost {
                return Err((failed.at, failure::of(failed.error)));
            }
            let back = if part {
                "ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part"
            } else {
                "ROLLBACK TO SAVEPOINT step"
            };
            if let Err(error) = self.connection.command(back).await {
                return Err((failed.at, self.note(error, false)));
            }
            if self.trouble == Trouble::Stale && std::mem::take(&mut again) {
                self.connection.forget();
                continue;
            }
            let error = self.named(failed.error).await;
            if failed.at > 0 {
                // They worked before: a look at the rows sees them.
                let worked = &values[..failed.at];
                if let Err(failed) = self.attempt(text, worked, false).await {
                    return Err((failed.at, self.note(failed.error, false)));
                }
            }
            return Err((failed.at, error));
        }
    }

    /// An error, with the columns of the constraint that it names.
    async fn named(&mut self, error: Failure) -> Error {
        let constraint = error
            .as_db_error()
            .and_then(|said| said.constraint().map(str::to_owned));
        match (failure::of(error), constraint) {
            (
                Error::Unique {
                    table, value, row, ..
                },
                Some(constraint),
            ) => {
                let columns = introspect::columns_of(self.connection, &table, &constraint).await;
                Error::Unique {
                    columns: columns.unwrap_or_default(),
                    table,
                    value,
                    row,
                }
            }
            (error, _) => error,
        }
    }
}

impl Executor for Writing<'_> {
    fn dialect(&self) -> &'static dyn Dialect {
        &dialect::POSTGRES
    }

    async fn query(&mut self, statement: Statement<'_>) -> Result<Rows, Error> {
        self.count(1);
        self.settled(&statement.text, &[statement.binds], false)
            .await
            .map_err(|(_, error)| error)
    }

    async fn change(&mut self, statement: Statement<'_>) -> Result<Rows, Error> {
        self.count(1);
        self.settled(&statement.text, &[statement.binds], self.several)
            .await
            .map_err(|(_, error)| error)
    }

    async fn query_each(
        &mut self,
        text: &str,
        values: &[Vec<Cow<'_, Scalar>>],
    ) -> Result<Rows, (usize, Error)> {
        self.count(values.len());
        let mut rows = Rows::default();
        for (i, some) in values.chunks(UNDER_WAY).enumerate() {
            let answer = self.settled(text, some, self.several).await;
            let answer = answer.map_err(|(at, error)| (i * UNDER_WAY + at, error))?;
            rows.width = answer.width;
            rows.cells.extend(answer.cells);
        }
        Ok(rows)
    }

    async fn pointing_to(&mut self, table: &str) -> Result<Vec<(String, ForeignKey)>, Error> {
        introspect::pointing_to(self.connection, table)
            .await
            .map_err(|error| self.note(error, false))
    }
}

impl Writing<'_> {
    fn count(&self, statements: usize) {
        let counts = &self.connection.common().basics.counts;
        counts.statements.fetch_add(statements as u64, Ordering::Relaxed);
    }
}
