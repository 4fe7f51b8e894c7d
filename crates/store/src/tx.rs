//! A transaction.

use indexmap::IndexMap;
use loggia_access::Permit;
use loggia_model::plan::{Plan, SchemaPlan};
use loggia_model::schema::Table;

use crate::backends::Transaction;
use crate::{Error, Outcome, Raises, Versions};

/// A transaction: alone at the writer from [`crate::Store::begin`] until it is committed or dropped. Dropping it rolls
/// everything back. One that is left idle for too long is rolled back as well, so that nobody waits forever.
pub struct Tx {
    transaction: Box<dyn Transaction>,
    /// Whether the answer to an operation was not waited for: what it did is unknown, so nothing may be kept.
    adrift: bool,
    raises: Raises,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Tx {
    pub(crate) fn new(transaction: Box<dyn Transaction>) -> Self {
        Self {
            transaction,
            adrift: false,
            raises: Raises::default(),
        }
    }

    /// Runs a plan of any kind; reads see what the transaction has written. When it fails, the transaction is as it
    /// was before. Dropping the future leaves a transaction that can only be rolled back.
    ///
    /// # Errors
    /// What the database refuses, and [`Error::Stalled`] and [`Error::Cancelled`] when the transaction is over.
    pub async fn run(&mut self, permit: Permit<Plan>) -> Result<Outcome, Error> {
        let mut outcomes = self.run_all(vec![permit]).await?;
        outcomes
            .pop()
            .ok_or_else(|| Error::internal("a plan gave no outcome"))
    }

    /// Runs plans of any kind one after the other, all of them or none, with one wait for the writer; the outcomes
    /// come in the order of the plans, and each plan sees what those before it have written.
    ///
    /// # Errors
    /// As [`Tx::run`]: the first failure of all.
    pub async fn run_all(&mut self, permits: Vec<Permit<Plan>>) -> Result<Vec<Outcome>, Error> {
        if permits.is_empty() {
            return Ok(Vec::new());
        }
        self.embark()?;
        let plans = permits.into_iter().map(Permit::into_plan).collect();
        let outcomes = self.transaction.run(plans).await;
        self.adrift = false;
        outcomes
    }

    /// Changes tables, all steps or none, and counts the schema's version up.
    ///
    /// # Errors
    /// What stands against a step; the transaction is as it was before.
    pub async fn change_schema(&mut self, permit: Permit<SchemaPlan>) -> Result<(), Error> {
        self.embark()?;
        let outcome = self.transaction.change_schema(permit.into_plan()).await;
        self.adrift = false;
        outcome
    }

    /// The tables as the transaction sees them; as [`crate::Store::tables`].
    ///
    /// # Errors
    /// When the transaction is over or the database cannot be read.
    pub async fn tables(&mut self) -> Result<IndexMap<String, Table>, Error> {
        self.embark()?;
        let outcome = self.transaction.tables().await;
        self.adrift = false;
        outcome
    }

    /// The schema's version, with what this transaction has done to it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn schema_version(&mut self) -> Result<u64, Error> {
        self.embark()?;
        let outcome = self.transaction.schema_version().await;
        self.adrift = false;
        outcome
    }

    /// What was committed when the transaction began; nobody raises it before the transaction ends.
    #[must_use]
    pub fn versions(&self) -> Versions {
        self.transaction.versions()
    }

    /// Raises versions with the commit.
    pub fn raise(&mut self, raises: Raises) {
        self.raises.rules |= raises.rules;
        self.raises.people |= raises.people;
    }

    /// Keeps everything; returns when it is durable.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn commit(self) -> Result<(), Error> {
        self.run_and_commit(Vec::new()).await
    }

    /// Runs plans and keeps everything, with one wait for the writer.
    ///
    /// # Errors
    /// As [`Tx::run_all`] and [`Tx::commit`]: then nothing was kept.
    pub async fn run_and_commit(mut self, permits: Vec<Permit<Plan>>) -> Result<(), Error> {
        self.embark()?;
        let plans = permits.into_iter().map(Permit::into_plan).collect();
        self.transaction.commit(plans, self.raises).await
    }

    fn embark(&mut self) -> Result<(), Error> {
        if self.adrift {
            return Err(Error::Cancelled);
        }
        self.adrift = true;
        Ok(())
    }
}
