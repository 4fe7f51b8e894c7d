//! Reads a table in the order of its keys, a page at a time, so that no more than a page is held.

use loggia_access::Permit;
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, Plan, ReadPlan, Selected, Sort, Source};
use loggia_model::{Field, Filter, Record, Scalar};
use std::sync::Arc;

use super::shape::Shape;
use super::{REASON, Stopped};
use crate::{Error, Store};

/// Rows of a page at most.
const MOST: u64 = 1_000;
/// Rows of the first page: nothing is known of their size yet.
const FIRST: u64 = 50;
/// What a page should come to.
const BYTES: u64 = 4 << 20;

/// Reads a table from its first key to its last.
pub(super) struct Pages<'p> {
    store: &'p Store,
    shape: &'p Shape,
    /// What of each row: the key alone, or everything.
    select: Vec<Arc<Field>>,
    after: Option<Scalar>,
    most: u64,
    over: bool,
    failed: fn(Error) -> Stopped,
}

impl<'p> Pages<'p> {
    pub(super) fn new(store: &'p Store, shape: &'p Shape, failed: fn(Error) -> Stopped) -> Self {
        Self {
            store,
            shape,
            select: shape.fields.clone(),
            after: None,
            most: FIRST,
            over: false,
            failed,
        }
    }

    /// The same of the keys alone.
    pub(super) fn of_keys(store: &'p Store, shape: &'p Shape, failed: fn(Error) -> Stopped) -> Self {
        Self {
            select: vec![shape.key().clone()],
            most: MOST,
            ..Self::new(store, shape, failed)
        }
    }

    /// The next rows; none: that was all.
    pub(super) async fn next(&mut self) -> Result<Vec<Record>, Stopped> {
        if self.over {
            return Ok(Vec::new());
        }
        let key = self.shape.key();
        // Rows without a key cannot be told apart: they were counted before, and refused.
        let behind = self.after.clone().map_or(Test::NotNull, Test::Greater);
        let plan = ReadPlan {
            filter: Filter::field(key, behind),
            sort: vec![Sort {
                operand: Operand::Field(key.clone()),
                descending: false,
            }],
            limit: Some(self.most),
            ..read(self.shape, &self.select)
        };
        let rows = run(self.store, plan).await.map_err(self.failed)?;
        self.over = (rows.len() as u64) < self.most;
        if let Some(last) = rows.last() {
            let last = self.shape.key_in(last);
            let unreadable = |what: String| Stopped::Refused(format!("{}: {what}", self.shape.name()));
            self.after = Some(last.map_err(unreadable)?);
        }
        Ok(rows)
    }

    /// Makes the next page as large as the rows of the last one let it be.
    pub(super) fn adapt(&mut self, rows: usize, bytes: u64) {
        let rows = rows.max(1) as u64;
        let fitting = BYTES / (bytes / rows).max(1);
        self.most = fitting.clamp(1, (self.most * 2).min(MOST));
    }
}

fn read(shape: &Shape, select: &[Arc<Field>]) -> ReadPlan {
    ReadPlan {
        collection: shape.collection.clone(),
        select: select
            .iter()
            .map(|field| Selected::new(field.name.as_str(), Source::Field(field.clone())))
            .collect(),
        filter: Filter::All,
        sort: Vec::new(),
        limit: None,
        offset: 0,
    }
}

async fn run(store: &Store, plan: ReadPlan) -> Result<Vec<Record>, Error> {
    let rows = store.run(Permit::system(REASON, Plan::Read(plan))).await?;
    Ok(rows.into_rows())
}

/// The rows of these keys, in any order.
pub(super) async fn of_keys(
    store: &Store,
    shape: &Shape,
    keys: Vec<Scalar>,
    whole: bool,
) -> Result<Vec<Record>, Error> {
    let key = std::slice::from_ref(shape.key());
    let plan = ReadPlan {
        filter: Filter::field(shape.key(), Test::In(keys)),
        ..read(shape, if whole { &shape.fields } else { key })
    };
    run(store, plan).await
}

/// How many rows a table has.
pub(super) async fn count(store: &Store, shape: &Shape) -> Result<u64, Error> {
    let plan = AggregatePlan {
        collection: shape.collection.clone(),
        filter: Filter::All,
        group_by: Vec::new(),
        figures: vec![Figure {
            when: None,
            function: Aggregate::CountAll,
            field: None,
        }],
        sort: Vec::new(),
        limit: None,
        offset: 0,
    };
    let rows = store.run(Permit::system(REASON, Plan::Aggregate(plan))).await?;
    let rows = rows.into_rows();
    let count = rows.first().and_then(|row| row.values().next());
    Ok(count.map_or(0, |count| match count {
        serde_json::Value::String(text) => text.parse().unwrap_or(0),
        count => count.as_u64().unwrap_or(0),
    }))
}
