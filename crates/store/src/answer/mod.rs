//! Runs plans: statements go to an [`Executor`], rows come back, answers are put together. The same for every database.

use std::borrow::Cow;
use std::future::Future;

use loggia_model::plan::{Plan, Source};
use loggia_model::schema::ForeignKey;
use loggia_model::{Clock, Scalar};

use crate::lower::{Dialect, Statement};
use crate::{Error, Outcome};

mod figures;
mod keys;
mod reading;
mod writing;

pub(crate) use writing::now;

/// A connection that runs statements, one after the other.
pub(crate) trait Executor: Send {
    /// How statements must be written.
    fn dialect(&self) -> &'static dyn Dialect;
    /// Runs one statement and gives all of its rows.
    fn query(&mut self, statement: Statement<'_>) -> impl Future<Output = Result<Rows, Error>> + Send;
    /// Runs statements that only read and gives the rows of each. `last`: nothing is run afterwards.
    fn query_all(
        &mut self,
        statements: Vec<Statement<'_>>,
        _last: bool,
    ) -> impl Future<Output = Result<Vec<Rows>, Error>> + Send {
        async move {
            let mut all = Vec::with_capacity(statements.len());
            for statement in statements {
                all.push(self.query(statement).await?);
            }
            Ok(all)
        }
    }
    /// Whether an answer is far, so that it is better to ask for a little too much than to wait once more.
    fn is_far(&self) -> bool {
        false
    }
    /// Runs one statement that changes rows, and gives the keys of those that it changed. Where it fails, the connection
    /// is as it was before.
    fn change(&mut self, statement: Statement<'_>) -> impl Future<Output = Result<Rows, Error>> + Send {
        self.query(statement)
    }
    /// Runs one statement that inserts a row for each list of values, one after the other, and gives the rows of all: the
    /// keys, or where statements do not answer with them, the numbers that the database has counted. Where one fails:
    /// which of them (counted from 0), and why; what those before it did stays for the caller to undo.
    fn query_each(
        &mut self,
        text: &str,
        values: &[Vec<Cow<'_, Scalar>>],
    ) -> impl Future<Output = Result<Rows, (usize, Error)>> + Send;
    /// The foreign keys of all tables that point to `table`, with the table that each belongs to.
    fn pointing_to(
        &mut self,
        table: &str,
    ) -> impl Future<Output = Result<Vec<(String, ForeignKey)>, Error>> + Send;
    /// The columns of an index of `table`, where an error named the index.
    fn columns_of_index(
        &mut self,
        _table: &str,
        index: &str,
    ) -> impl Future<Output = Result<Vec<String>, Error>> + Send {
        let columns = Ok(vec![index.to_owned()]);
        async move { columns }
    }
}

/// The rows of a statement's answer, one after the other in one list.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// How many cells a row has.
    pub(crate) width: usize,
    /// The cells of all rows.
    pub(crate) cells: Vec<Scalar>,
}

impl Rows {
    /// Each row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[Scalar]> {
        self.cells.chunks_exact(self.width.max(1))
    }

    /// Each row, mutable, so that values can be moved out.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut [Scalar]> {
        self.cells.chunks_exact_mut(self.width.max(1))
    }

    /// The first cell of the first row as a count.
    pub(crate) fn count(&self) -> u64 {
        match self.cells.first() {
            Some(Scalar::Int(count)) => u64::try_from(*count).unwrap_or(0),
            _ => 0,
        }
    }
}

/// Whether plans that read take one statement together, so that they need no transaction to see one snapshot.
pub(crate) fn is_one_statement(plans: &[Plan]) -> bool {
    match plans {
        [Plan::Read(plan)] => {
            let related = |source: &Source| matches!(source, Source::Related(_));
            !plan.select.iter().any(|selected| related(&selected.source))
        }
        [Plan::Aggregate(_)] => true,
        _ => false,
    }
}

/// Runs a plan.
pub(crate) async fn run<E: Executor>(executor: &mut E, plan: &Plan, clock: &Clock) -> Result<Outcome, Error> {
    match plan {
        Plan::Read(plan) => reading::read(executor, plan).await.map(Outcome::Rows),
        Plan::Aggregate(plan) => figures::aggregate(executor, plan).await.map(Outcome::Rows),
        Plan::Insert(plan) => writing::insert(executor, plan, clock).await.map(Outcome::Keys),
        Plan::Update(plan) => writing::update(executor, plan).await.map(Outcome::Keys),
        Plan::Delete(plan) => writing::delete(executor, plan).await.map(Outcome::Keys),
    }
}
