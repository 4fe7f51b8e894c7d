//! Leases: what only one of several processes shall do at a time.
//!
//! A lease is a row with its holder, and a number that the holder raises. No clocks are compared: whoever wants a lease
//! that another holds watches the row, and takes it over once nothing has moved there for [`RUNS_OUT`] by their own
//! clock. A holder that is gone loses its leases like that; one that stops gives them back.
//!
//! A holder that was held up for longer than that may find somebody else in its place: what is done under a lease must
//! not be wrong when it is done twice, only useless. What must never be done twice belongs into one transaction.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use loggia_access::Permit;
use loggia_model::filter::Test;
use loggia_model::plan::{DeletePlan, InsertPlan, Plan, ReadPlan, Selected, Source, UpdatePlan};
use loggia_model::schema::Column;
use loggia_model::{Collection, Filter, Record, Scalar, StorageKind};
use tokio::time::Instant;

use crate::migrations::{column, own_table};
use crate::{Error, Store, Tx};

/// The table of the leases.
const TABLE: &str = "loggia_leases";
const REASON: &str = "which process does what only one shall do";
/// A lease whose row has not moved for so long is nobody's.
pub const RUNS_OUT: Duration = Duration::from_secs(60);

/// The table of the leases.
pub(crate) fn table() -> Arc<Collection> {
    let text = |name: &str| Column {
        max_length: Some(100),
        ..column(name, StorageKind::String)
    };
    own_table(
        TABLE,
        [
            text("name"),
            text("holder"),
            column("beat", StorageKind::BigInteger),
        ],
    )
}

/// The leases as one process sees them.
pub struct Leases {
    store: Store,
    table: Arc<Collection>,
    /// This process, in words that no other has.
    holder: String,
    runs_out: Duration,
    /// What this process holds, as far as it knows.
    held: Vec<String>,
    /// Where others' leases stood, and since when they do.
    seen: HashMap<String, (Row, Instant)>,
}

/// A lease as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    holder: String,
    beat: i64,
}

impl std::fmt::Debug for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leases")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

impl Leases {
    /// `holder` must be said by no other process. `runs_out`: as [`RUNS_OUT`], the same in all processes.
    #[must_use]
    pub fn new(store: Store, holder: String, runs_out: Duration) -> Self {
        Self {
            store,
            table: table(),
            holder,
            runs_out,
            held: Vec::new(),
            seen: HashMap::new(),
        }
    }

    /// Takes a lease, or holds on to it: to be asked again within a third of the time after which it runs out, for as
    /// long as it is wanted. Whether this process has it now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn hold(&mut self, name: &str) -> Result<bool, Error> {
        // Nobody waits for the writer only to see that another is at it.
        let read = self.plan_of(name);
        let found = self.store.run(Permit::system(REASON, read)).await?.into_rows();
        if !self.is_free(name, row(&found)) {
            return Ok(false);
        }
        let mut tx = self.store.begin().await?;
        let found = row(&self.run(&mut tx, self.plan_of(name)).await?);
        if !self.is_free(name, found.clone()) {
            return Ok(false);
        }
        let beat = found.as_ref().map_or(0, |row| row.beat).wrapping_add(1);
        let plan = match found {
            None => Plan::Insert(InsertPlan {
                collection: self.table.clone(),
                rows: vec![self.values(&[
                    ("name", name.into()),
                    ("holder", self.holder.as_str().into()),
                    ("beat", Scalar::Int(beat)),
                ])],
            }),
            Some(_) => Plan::Update(UpdatePlan {
                collection: self.table.clone(),
                filter: self.equal("name", name),
                assign: self.values(&[
                    ("holder", self.holder.as_str().into()),
                    ("beat", Scalar::Int(beat)),
                ]),
            }),
        };
        // Before: where nobody learns whether it was kept, it is given back all the same.
        if !self.held.iter().any(|held| held == name) {
            self.held.push(name.to_owned());
        }
        tx.run_and_commit(vec![Permit::system(REASON, plan)]).await?;
        self.seen.remove(name);
        Ok(true)
    }

    /// Does something under a lease: takes it, holds on to it as long as that lasts, and gives it back. `None`: another
    /// process has it, or has taken it over meanwhile; then what was begun is given up.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn during<T>(&mut self, name: &str, work: impl Future<Output = T>) -> Result<Option<T>, Error> {
        if !self.hold(name).await? {
            return Ok(None);
        }
        let every = self.runs_out / 3;
        let holding = async {
            loop {
                tokio::time::sleep(every).await;
                match self.hold(name).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => tracing::warn!(%error, name, "a lease was not renewed"),
                }
            }
        };
        let done = tokio::select! {
            done = work => Some(done),
            () = holding => None,
        };
        if done.is_some() {
            self.give_back(name).await?;
        }
        Ok(done)
    }

    /// Gives a lease back, if this process has it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn give_back(&mut self, name: &str) -> Result<(), Error> {
        if !self.held.iter().any(|held| held == name) {
            return Ok(());
        }
        let ours = self.equal("name", name).and(self.equal("holder", &self.holder));
        let plan = Plan::Delete(DeletePlan {
            collection: self.table.clone(),
            filter: ours,
        });
        let tx = self.store.begin().await?;
        tx.run_and_commit(vec![Permit::system(REASON, plan)]).await?;
        self.held.retain(|held| held != name);
        Ok(())
    }

    /// Whether nobody else holds it, as far as is known by now.
    fn is_free(&mut self, name: &str, found: Option<Row>) -> bool {
        let Some(found) = found.filter(|row| row.holder != self.holder) else {
            return true;
        };
        match self.seen.get(name) {
            Some((row, since)) if *row == found => since.elapsed() >= self.runs_out,
            _ => {
                self.seen.insert(name.to_owned(), (found, Instant::now()));
                false
            }
        }
    }

    async fn run(&self, tx: &mut Tx, plan: Plan) -> Result<Vec<Record>, Error> {
        Ok(tx.run(Permit::system(REASON, plan)).await?.into_rows())
    }

    fn plan_of(&self, name: &str) -> Plan {
        Plan::Read(ReadPlan {
            collection: self.table.clone(),
            select: self
                .table
                .fields
                .values()
                .map(|field| Selected {
                    when: None,
                    alias: field.name.clone(),
                    source: Source::Field(field.clone()),
                })
                .collect(),
            filter: self.equal("name", name),
            sort: Vec::new(),
            limit: None,
            offset: 0,
        })
    }

    fn equal(&self, field: &str, value: &str) -> Filter {
        match self.table.field(field) {
            Some(field) => Filter::field(field, Test::Equal(value.into())),
            None => Filter::Nothing,
        }
    }

    fn values(&self, values: &[(&str, Scalar)]) -> Vec<(Arc<loggia_model::Field>, Scalar)> {
        let value = |(name, value): &(&str, Scalar)| Some((self.table.field(name)?.clone(), value.clone()));
        values.iter().filter_map(value).collect()
    }
}

fn row(found: &[Record]) -> Option<Row> {
    let row = found.first()?;
    Some(Row {
        holder: row.get("holder")?.as_str()?.to_owned(),
        // A large integer may be printed as a text.
        beat: match row.get("beat")? {
            serde_json::Value::String(beat) => beat.parse().ok()?,
            beat => beat.as_i64()?,
        },
    })
}
