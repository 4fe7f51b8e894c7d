//! What of a source its target cannot hold: found before anything is written, and told all together.

use std::fmt;

use indexmap::IndexMap;
use loggia_model::schema::Table;

use super::pages::{self, Pages};
use super::shape::{Shape, shown};
use super::{Doing, Progress, Stopped, Tell, source};
use crate::backends::Capacity;
use crate::{Store, Weight};

/// So many are told.
const MOST: usize = 1_000;

/// Something that a target cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The table.
    pub table: String,
    /// The column, where one is concerned.
    pub column: Option<String>,
    /// The key of the row, where one is concerned.
    pub key: Option<String>,
    /// What is the matter.
    pub what: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table)?;
        if let Some(column) = &self.column {
            write!(f, ".{column}")?;
        }
        if let Some(key) = &self.key {
            write!(f, " of item {key}")?;
        }
        // Texts of rows are shown as what they are, not as what they would do to a terminal.
        let quiet: String = self.what.chars().filter(|c| !c.is_control()).collect();
        write!(f, ": {quiet}")
    }
}

impl Misfit {
    pub(super) fn of_table(table: &str, what: impl Into<String>) -> Self {
        Self {
            table: table.to_owned(),
            column: None,
            key: None,
            what: what.into(),
        }
    }

    fn of_column(table: &str, column: &str, what: impl Into<String>) -> Self {
        Self {
            column: Some(column.to_owned()),
            ..Self::of_table(table, what)
        }
    }
}

/// Of names and of foreign keys.
pub(super) fn of_tables(
    capacity: &Capacity,
    shapes: &[Shape],
    tables: &IndexMap<String, Table>,
) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    let too_long = |name: &str| {
        let most = capacity.longest_name?;
        (name.len() > most).then(|| format!("its name has {} bytes; the target keeps {most}", name.len()))
    };
    for shape in shapes {
        let (name, table) = (shape.name(), &shape.table);
        misfits.extend(too_long(name).map(|what| Misfit::of_table(name, what)));
        for column in &table.columns {
            misfits.extend(too_long(&column.name).map(|what| Misfit::of_column(name, &column.name, what)));
        }
        match capacity.most_columns {
            Some(most) if table.columns.len() > most => {
                let what = format!("has {} columns; the target keeps {most}", table.columns.len());
                misfits.push(Misfit::of_table(name, what));
            }
            _ => {}
        }
        for key in &table.foreign_keys {
            let column = |table: &'_ Table, name: &str| {
                let found = table.columns.iter().find(|column| column.name == name);
                found.cloned()
            };
            let from = column(table, &key.column);
            let to = tables
                .get(&key.foreign_table)
                .and_then(|to| column(to, &key.foreign_column));
            if let Some((from, to)) = from.zip(to)
                && !(capacity.points)(&from, &to)
            {
                let what = format!(
                    "is {:?} and points to {}.{}, which is {:?}: the target makes no foreign key between them",
                    from.kind, key.foreign_table, key.foreign_column, to.kind
                );
                misfits.push(Misfit::of_column(name, &key.column, what));
            }
        }
    }
    misfits
}

/// Damage to the source itself, and foreign keys that do not hold in it.
pub(super) async fn of_rows_that_point_nowhere(from: &Store) -> Result<Vec<Misfit>, Stopped> {
    let findings = from.check().await.map_err(source)?;
    let bad = findings
        .into_iter()
        .filter(|finding| finding.weight == Weight::Bad);
    Ok(bad
        .map(|finding| {
            Misfit::of_table(
                finding.table.as_deref().unwrap_or("the source itself"),
                finding.what,
            )
        })
        .collect())
}

/// Of every value.
pub(super) async fn of_rows(
    from: &Store,
    shape: &Shape,
    capacity: &Capacity,
    misfits: &mut Vec<Misfit>,
    tell: &mut Tell<'_>,
) -> Result<(), Stopped> {
    let of = pages::count(from, shape).await.map_err(source)?;
    let (mut rows, mut bytes) = (0, 0);
    let mut pages = Pages::new(from, shape, source);
    loop {
        let records = pages.next().await?;
        if records.is_empty() {
            break;
        }
        let mut weight = 0;
        for record in &records {
            for (field, value) in shape.values(record) {
                let what = match (value, &field.column) {
                    (Ok(value), Some(column)) => {
                        weight += super::shape::weight(std::slice::from_ref(&value));
                        (capacity.unfit)(column, &value)
                    }
                    (Ok(_), None) => None,
                    (Err(what), _) => Some(what),
                };
                let Some(what) = what else { continue };
                match misfits.len() {
                    MOST => misfits.push(Misfit::of_table(shape.name(), "more were found and are not told")),
                    told if told < MOST => misfits.push(Misfit {
                        key: shape.key_in(record).ok().map(|key| shown(&key)),
                        ..Misfit::of_column(shape.name(), &field.name, what)
                    }),
                    _ => {}
                }
            }
        }
        pages.adapt(records.len(), weight);
        rows += records.len() as u64;
        bytes += weight;
        tell(Progress {
            doing: Doing::Checking,
            table: shape.name(),
            rows,
            of,
            bytes,
        });
    }
    // Others may have been added or gone meanwhile: that is another matter.
    let now = pages::count(from, shape).await.map_err(source)?;
    if rows < of.min(now) {
        let what = format!("{} row(s) have no key", of.min(now) - rows);
        misfits.push(Misfit::of_table(shape.name(), what));
    }
    Ok(())
}
