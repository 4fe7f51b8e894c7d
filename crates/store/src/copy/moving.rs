//! Rows on their way, and both sides compared.

use std::collections::HashMap;

use futures_util::future::try_join;
use loggia_access::Permit;
use loggia_model::filter::Test;
use loggia_model::plan::{DeletePlan, InsertPlan, Plan};
use loggia_model::{Filter, Record, Scalar};

use super::pages::{self, Pages};
use super::shape::{self, Row, Shape};
use super::{Doing, Moved, Progress, REASON, Stopped, Tell, source, target};
use crate::{Store, Tx};

/// A transaction ends after so many rows,
const ROWS: u64 = 10_000;
/// or so many bytes.
const BYTES: u64 = 32 << 20;

/// Copies the rows of a table.
pub(super) async fn table(
    from: &Store,
    to: &Store,
    shape: &Shape,
    tell: &mut Tell<'_>,
) -> Result<Moved, Stopped> {
    let of = pages::count(from, shape).await.map_err(source)?;
    let mut target_side = Writer {
        to,
        shape,
        unmet: pages::count(to, shape).await.map_err(target)?,
        open: None,
        moved: Moved {
            table: shape.name().to_owned(),
            rows: 0,
            bytes: 0,
            there: 0,
            mended: 0,
        },
    };
    let mut pages = Pages::new(from, shape, source);
    let mut rows = parsed(shape, &pages.next().await?)?;
    while !rows.is_empty() {
        let bytes = rows.iter().map(|row| shape::weight(row)).sum();
        pages.adapt(rows.len(), bytes);
        target_side.moved.rows += rows.len() as u64;
        target_side.moved.bytes += bytes;
        // The next are read while these are written.
        let (next, ()) = try_join(pages.next(), target_side.write(rows, bytes)).await?;
        rows = parsed(shape, &next)?;
        tell(Progress {
            doing: Doing::Copying,
            table: shape.name(),
            rows: target_side.moved.rows,
            of,
            bytes: target_side.moved.bytes,
        });
    }
    target_side.keep().await?;
    if target_side.unmet > 0 {
        target_side.sweep(from).await?;
    }
    Ok(target_side.moved)
}

/// Rows in canonical form. That all of them have one was checked; what came since is a change of the source.
fn parsed(shape: &Shape, records: &[Record]) -> Result<Vec<Row>, Stopped> {
    let rows = records.iter().map(|record| {
        shape.row(record).map_err(|(column, what)| {
            let what = format!("{}.{column} of the source: {what}", shape.name());
            Stopped::Refused(what)
        })
    });
    rows.collect()
}

/// What writes the rows of a table.
struct Writer<'w> {
    to: &'w Store,
    shape: &'w Shape,
    /// Rows that were there when it began, and that no row of the source has met yet.
    unmet: u64,
    /// The transaction that is open, and what is in it.
    open: Option<(Tx, u64, u64)>,
    moved: Moved,
}

impl Writer<'_> {
    async fn write(&mut self, rows: Vec<Row>, bytes: u64) -> Result<(), Stopped> {
        let (missing, differing) = self.missing(rows).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let mut permits = Vec::with_capacity(2);
        if !differing.is_empty() {
            self.moved.mended += differing.len() as u64;
            permits.push(self.deletion(differing));
        }
        let fields = &self.shape.fields;
        let count = missing.len() as u64;
        let rows = missing
            .into_iter()
            .map(|row| fields.iter().cloned().zip(row).collect());
        let insert = InsertPlan {
            collection: self.shape.collection.clone(),
            rows: rows.collect(),
        };
        permits.push(Permit::system(REASON, Plan::Insert(insert)));
        let (mut tx, before, bytes_before) = match self.open.take() {
            Some(open) => open,
            None => (self.to.begin().await.map_err(target)?, 0, 0),
        };
        tx.run_all(permits).await.map_err(target)?;
        self.open = Some((tx, before + count, bytes_before + bytes));
        if before + count >= ROWS || bytes_before + bytes >= BYTES {
            self.keep().await?;
        }
        Ok(())
    }

    /// The rows that the target does not have as they are, and the keys of those that it has in another way.
    async fn missing(&mut self, rows: Vec<Row>) -> Result<(Vec<Row>, Vec<Scalar>), Stopped> {
        if self.unmet == 0 {
            return Ok((rows, Vec::new()));
        }
        let keys = rows.iter().map(|row| self.shape.key_of(row).clone()).collect();
        let there = pages::of_keys(self.to, self.shape, keys, true);
        let mut known = HashMap::new();
        for record in there.await.map_err(target)? {
            if let Ok(key) = self.shape.key_in(&record) {
                // What cannot be read differs from everything.
                known.insert(shape::shown(&key), self.shape.row(&record).ok());
            }
        }
        self.unmet = self.unmet.saturating_sub(known.len() as u64);
        let (mut missing, mut differing) = (Vec::new(), Vec::new());
        for row in rows {
            let key = self.shape.key_of(&row);
            match known.get(&shape::shown(key)) {
                Some(Some(found)) if same(found, &row) => self.moved.there += 1,
                Some(_) => {
                    differing.push(key.clone());
                    missing.push(row);
                }
                None => missing.push(row),
            }
        }
        Ok((missing, differing))
    }

    fn deletion(&self, keys: Vec<Scalar>) -> Permit<Plan> {
        let plan = DeletePlan {
            collection: self.shape.collection.clone(),
            filter: Filter::field(self.shape.key(), Test::In(keys)),
        };
        Permit::system(REASON, Plan::Delete(plan))
    }

    async fn keep(&mut self) -> Result<(), Stopped> {
        match self.open.take() {
            Some((tx, _, _)) => tx.commit().await.map_err(target),
            None => Ok(()),
        }
    }

    /// Takes rows away that the source does not have.
    async fn sweep(&mut self, from: &Store) -> Result<(), Stopped> {
        let mut pages = Pages::of_keys(self.to, self.shape, target);
        loop {
            let records = pages.next().await?;
            if records.is_empty() {
                return Ok(());
            }
            let keys: Vec<_> = records
                .iter()
                .filter_map(|record| self.shape.key_in(record).ok())
                .collect();
            let known = pages::of_keys(from, self.shape, keys.clone(), false).await;
            let known: std::collections::HashSet<_> = known
                .map_err(source)?
                .iter()
                .filter_map(|record| self.shape.key_in(record).ok())
                .map(|key| shape::shown(&key))
                .collect();
            let strange: Vec<_> = keys
                .into_iter()
                .filter(|key| !known.contains(&shape::shown(key)))
                .collect();
            if strange.is_empty() {
                continue;
            }
            self.moved.mended += strange.len() as u64;
            let mut tx = self.to.begin().await.map_err(target)?;
            tx.run(self.deletion(strange)).await.map_err(target)?;
            tx.commit().await.map_err(target)?;
        }
    }
}

fn same(left: &Row, right: &Row) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| same_value(left, right))
}

/// No sign of zero travels: not every database keeps it.
fn same_value(left: &Scalar, right: &Scalar) -> bool {
    match (left, right) {
        (Scalar::Real(left), Scalar::Real(right)) => left == right,
        (left, right) => left == right,
    }
}

/// How many rows a table has, and what they are. The order in which a database gives its rows makes no difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// The sum of the hashes of the rows.
    sum: [u128; 2],
}

impl Counted {
    fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.bytes += shape::weight(row);
        let hash = shape::hash(row);
        for (sum, half) in self.sum.iter_mut().zip(hash) {
            *sum = sum.wrapping_add(half);
        }
    }

    /// What differs, if anything does.
    pub(super) fn differs(&self, target: &Self) -> Option<String> {
        if self.rows != target.rows {
            return Some(format!(
                "{} rows in the source, {} in the target",
                self.rows, target.rows
            ));
        }
        (self.sum != target.sum).then(|| "as many rows, with another content".to_owned())
    }
}

/// Reads a table on both sides, at the same time.
pub(super) async fn count_both(
    from: &Store,
    to: &Store,
    shape: &Shape,
    tell: &mut Tell<'_>,
) -> Result<(Counted, Counted), Stopped> {
    let of = pages::count(from, shape).await.map_err(source)?;
    let mut ignore = |_: &Counted| {};
    let mut told = |counted: &Counted| {
        tell(Progress {
            doing: Doing::Comparing,
            table: shape.name(),
            rows: counted.rows,
            of,
            bytes: counted.bytes,
        });
    };
    try_join(
        counted(Pages::new(from, shape, source), shape, &mut told),
        counted(Pages::new(to, shape, target), shape, &mut ignore),
    )
    .await
}

async fn counted(
    mut pages: Pages<'_>,
    shape: &Shape,
    told: &mut (dyn FnMut(&Counted) + Send),
) -> Result<Counted, Stopped> {
    let mut counted = Counted::default();
    loop {
        let records = pages.next().await?;
        if records.is_empty() {
            return Ok(counted);
        }
        let before = counted.bytes;
        for record in &records {
            match shape.row(record) {
                Ok(row) => counted.add(&row),
                // It is in the count, and in no sum that the other side could have.
                Err((column, what)) => {
                    counted.add(&vec![Scalar::Text(format!("{column} {what}")), Scalar::Null])
                }
            }
        }
        pages.adapt(records.len(), counted.bytes - before);
        told(&counted);
    }
}
