//! Connections that run plans.
//!
//! The server takes back what a statement did that fails, and nothing else. So an operation of a transaction that
//! writes stands in a savepoint of its own, named `step`, inside that of the transaction, named `turn`; each operation
//! replaces that of the one before. One that only reads needs none.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use loggia_model::Scalar;
use loggia_model::schema::ForeignKey;

use super::connection::{Connection, Failure};
use super::failure::{self, trouble};
use super::{introspect, shapes};
use crate::Error;
use crate::answer::{Executor, Rows};
use crate::backends::remote::Trouble;
use crate::lower::{Dialect, Statement};

/// A connection that reads.
pub(super) struct Reading<'c> {
    connection: &'c mut Connection,
    /// What the last failure asks for.
    pub(super) trouble: Trouble,
}

impl<'c> Reading<'c> {
    pub(super) fn new(connection: &'c mut Connection) -> Self {
        Self {
            connection,
            trouble: Trouble::None,
        }
    }

    fn told<T>(&mut self, answer: Result<T, Failure>) -> Result<T, Error> {
        answer.map_err(|error| {
            self.trouble = trouble(&error);
            failure::of(error)
        })
    }
}

impl Executor for Reading<'_> {
    fn dialect(&self) -> &'static dyn Dialect {
        self.connection.dialect()
    }

    async fn query(&mut self, statement: Statement<'_>) -> Result<Rows, Error> {
        let rows = run(self.connection, statement).await;
        self.told(rows)
    }

    async fn query_each(&mut self, _: &str, _: &[Vec<Cow<'_, Scalar>>]) -> Result<Rows, (usize, Error)> {
        Err((0, Error::NeedsTransaction))
    }

    async fn pointing_to(&mut self, table: &str) -> Result<Vec<(String, ForeignKey)>, Error> {
        let pointing = introspect::pointing_to(self.connection, table).await;
        self.told(pointing)
    }
}

/// A connection inside a transaction that writes, during one operation.
pub(super) struct Writing<'c> {
    pub(super) connection: &'c mut Connection,
    /// Whether the transaction has a savepoint, and so may have written.
    begun: &'c mut bool,
    /// Whether the operation has one.
    opened: bool,
    /// What the last failure asks for.
    pub(super) trouble: Trouble,
}

impl<'c> Writing<'c> {
    /// `begun`: whether the transaction has a savepoint; noted where the operation makes it.
    pub(super) fn new(connection: &'c mut Connection, begun: &'c mut bool) -> Self {
        Self {
            connection,
            begun,
            opened: false,
            trouble: Trouble::None,
        }
    }

    /// Opens the operation's savepoint, the first time.
    async fn open(&mut self) -> Result<(), Error> {
        if self.opened {
            return Ok(());
        }
        let opening = if *self.begun {
            "SAVEPOINT step"
        } else {
            "SAVEPOINT turn; SAVEPOINT step"
        };
        let opened = self.connection.command(opening).await;
        self.told(opened)?;
        *self.begun = true;
        self.opened = true;
        Ok(())
    }

    /// Takes back what the operation has done.
    pub(super) async fn undo(&mut self) -> Result<(), Error> {
        if !self.opened {
            return Ok(());
        }
        let undone = self.connection.command("ROLLBACK TO SAVEPOINT step").await;
        self.told(undone)
    }

    pub(super) fn told<T>(&mut self, answer: Result<T, Failure>) -> Result<T, Error> {
        answer.map_err(|error| {
            self.trouble = trouble(&error);
            failure::of(error)
        })
    }
}

impl Executor for Writing<'_> {
    fn dialect(&self) -> &'static dyn Dialect {
        self.connection.dialect()
    }

    async fn query(&mut self, statement: Statement<'_>) -> Result<Rows, Error> {
        let rows = run(self.connection, statement).await;
        self.told(rows)
    }

    async fn change(&mut self, statement: Statement<'_>) -> Result<Rows, Error> {
        self.open().await?;
        let rows = run(self.connection, statement).await;
        self.told(rows)
    }

    /// Answers with the number that each row has got.
    async fn query_each(
        &mut self,
        text: &str,
        values: &[Vec<Cow<'_, Scalar>>],
    ) -> Result<Rows, (usize, Error)> {
        self.open().await.map_err(|error| (0, error))?;
        count(self.connection, values.len());
        let mut rows = Rows {
            width: 1,
            cells: Vec::with_capacity(values.len()),
        };
        for (at, values) in values.iter().enumerate() {
            let values = values.iter().map(AsRef::as_ref);
            let inserted = self.connection.insert(text, values).await;
            let number = self.told(inserted).map_err(|error| (at, error))?;
            let number = number.and_then(|number| i64::try_from(number).ok());
            rows.cells.push(number.map_or(Scalar::Null, Scalar::Int));
        }
        Ok(rows)
    }

    async fn pointing_to(&mut self, table: &str) -> Result<Vec<(String, ForeignKey)>, Error> {
        let pointing = introspect::pointing_to(self.connection, table).await;
        self.told(pointing)
    }

    async fn columns_of_index(&mut self, table: &str, index: &str) -> Result<Vec<String>, Error> {
        let columns = introspect::columns_of_index(self.connection, table, index).await;
        self.told(columns)
    }
}

async fn run(connection: &mut Connection, mut statement: Statement<'_>) -> Result<Rows, Failure> {
    count(connection, 1);
    shapes::look_up(connection, &mut statement).await?;
    let values = statement.binds.iter().map(AsRef::as_ref);
    connection.fetch(&statement.text, values).await
}

fn count(connection: &Connection, statements: usize) {
    let counts = &connection.common().basics.counts;
    counts.statements.fetch_add(statements as u64, Ordering::Relaxed);
}
