//! Which tables travel, and how they are made: bare at first, whole at the end. What is to be done is what differs, so
//! it can be done again.

use std::collections::HashSet;

use indexmap::IndexMap;
use loggia_access::Permit;
use loggia_model::plan::{DeletePlan, Plan, SchemaPlan, SchemaStep};
use loggia_model::schema::{Column, Default, ForeignKey, Table};
use loggia_model::{Filter, system};

use super::fitting::Misfit;
use super::marker::{self, Project};
use super::shape::Shape;
use super::{REASON, Stopped, source, target};
use crate::Store;

/// What is copied of a source.
pub(super) struct Chosen {
    pub(super) shapes: Vec<Shape>,
    /// What is not the same afterwards.
    pub(super) notes: Vec<String>,
    /// Tables that cannot be copied, and were not left out.
    pub(super) misfits: Vec<Misfit>,
}

/// Chooses among the tables of the source.
pub(super) fn chosen(tables: &IndexMap<String, Table>, leave_out: &[String]) -> Result<Chosen, Stopped> {
    for name in leave_out {
        if !tables.contains_key(name) {
            return Err(Stopped::Refused(format!(
                "there is no table {name:?} to leave out in the source"
            )));
        }
        if system::collection(name).is_some() {
            return Err(Stopped::Refused(format!(
                "{name} is part of every project and cannot be left out"
            )));
        }
    }
    let mut chosen = Chosen {
        shapes: Vec::new(),
        notes: Vec::new(),
        misfits: Vec::new(),
    };
    for (name, table) in tables {
        if leave_out.contains(name) {
            chosen.notes.push(format!("{name}: left out, as was asked"));
        } else if system::is_reserved(name) && system::collection(name).is_none() {
            chosen
                .notes
                .push(format!("{name}: left out, as it is no table of Loggia"));
        } else if table.view {
            chosen.notes.push(format!(
                "{name}: left out, as it is a view: make it in the target"
            ));
        } else if let Some(shape) = Shape::of(name, table) {
            chosen.notes.extend(changes(name, table));
            chosen.shapes.push(shape);
        } else {
            chosen.misfits.push(Misfit::of_table(
                name,
                "has no primary key of one column, by which its rows could be told apart: copy it by other means, and leave it \
                 out here (--leave-out)",
            ));
        }
    }
    let names: HashSet<_> = chosen.shapes.iter().map(Shape::name).collect();
    let lost = chosen.shapes.iter().flat_map(|shape| {
        let keys = shape.table.foreign_keys.iter();
        keys.filter(|key| !names.contains(key.foreign_table.as_str()))
            .map(|key| {
                format!(
                    "{}.{}: without its foreign key, as {} is not copied",
                    shape.name(),
                    key.column,
                    key.foreign_table
                )
            })
    });
    let lost: Vec<_> = lost.collect();
    chosen.notes.extend(lost);
    Ok(chosen)
}

/// What other programs declared and we do not make.
fn changes(name: &str, table: &Table) -> Vec<String> {
    let of = |column: &Column| {
        let mut notes = Vec::new();
        if column.generated {
            notes.push("is an ordinary column in the target: the database worked it out");
        }
        if matches!(column.default, Default::Expression(_)) {
            notes.push("has no default in the target: it is an expression of the source's own");
        }
        if !column.choices.is_empty() {
            notes.push("takes any text in the target: its type lists the values");
        }
        let told = notes
            .into_iter()
            .map(|note| format!("{name}.{}: {note}", column.name));
        told.collect::<Vec<_>>()
    };
    table.columns.iter().flat_map(of).collect()
}

/// A column as it is made at first.
fn bare(column: &Column) -> Column {
    Column {
        unique: column.primary_key,
        indexed: false,
        generated: false,
        collation: None,
        choices: Vec::new(),
        comment: None,
        default: match &column.default {
            Default::Expression(_) => Default::None,
            default => default.clone(),
        },
        ..column.clone()
    }
}

/// Makes what is missing of the tables, without foreign keys and indexes; the first time also the row that says that
/// they are not whole, and no rows but that one.
pub(super) async fn prepare(to: &Store, chosen: &Chosen, begin: Option<&Project>) -> Result<(), Stopped> {
    let mut tx = to.begin().await.map_err(target)?;
    let there = tx.tables().await.map_err(target)?;
    let mut steps = Vec::new();
    for shape in &chosen.shapes {
        let table = shape.name().to_owned();
        let Some(found) = there.get(shape.name()) else {
            steps.push(SchemaStep::CreateTable {
                table,
                columns: shape.table.columns.iter().map(bare).collect(),
                foreign_keys: Vec::new(),
            });
            continue;
        };
        for key in &found.foreign_keys {
            steps.push(SchemaStep::DropForeignKey {
                table: table.clone(),
                column: key.column.clone(),
            });
        }
        for column in &found.columns {
            if !column.primary_key && (column.unique || column.indexed) {
                steps.push(SchemaStep::AlterColumn {
                    table: table.clone(),
                    column: Column {
                        unique: false,
                        indexed: false,
                        ..column.clone()
                    },
                });
            }
        }
        let is_missing = |column: &&Column| found.columns.iter().all(|known| known.name != column.name);
        for column in shape.table.columns.iter().filter(is_missing) {
            steps.push(SchemaStep::AddColumn {
                table: table.clone(),
                column: bare(column),
            });
        }
    }
    let mut permits = Vec::new();
    if let Some(project) = begin {
        // What every database begins with comes from the source as well.
        let ours = chosen.shapes.iter();
        permits.extend(
            ours.filter(|shape| there.contains_key(shape.name()))
                .map(|shape| {
                    let plan = DeletePlan {
                        collection: shape.collection.clone(),
                        filter: Filter::All,
                    };
                    Permit::system(REASON, Plan::Delete(plan))
                }),
        );
        permits.push(project.insertion());
    }
    if !steps.is_empty() {
        let plan = Permit::system(REASON, SchemaPlan { steps });
        tx.change_schema(plan).await.map_err(target)?;
    }
    tx.run_and_commit(permits).await.map_err(target)
}

/// Makes indexes and foreign keys, sets the counters, and takes the row away.
pub(super) async fn finish(from: &Store, to: &Store, chosen: &Chosen) -> Result<(), Stopped> {
    let counters = from.counters().await.map_err(source)?;
    let mut tx = to.begin().await.map_err(target)?;
    let there = tx.tables().await.map_err(target)?;
    let names: HashSet<_> = chosen.shapes.iter().map(Shape::name).collect();
    let (mut steps, mut keys) = (Vec::new(), Vec::new());
    for shape in &chosen.shapes {
        let Some(found) = there.get(shape.name()) else {
            continue;
        };
        steps.extend(indexes(shape, found));
        let is_missing = |key: &&ForeignKey| {
            names.contains(key.foreign_table.as_str())
                && found.foreign_keys.iter().all(|known| known.column != key.column)
        };
        let missing = shape.table.foreign_keys.iter().filter(is_missing);
        keys.extend(missing.map(|key| SchemaStep::AddForeignKey {
            table: shape.name().to_owned(),
            key: key.clone(),
        }));
        let together = shape.table.uniques.iter();
        let is_missing = |columns: &&Vec<String>| !found.uniques.contains(columns);
        steps.extend(together.filter(is_missing).map(|columns| SchemaStep::AddUnique {
            table: shape.name().to_owned(),
            columns: columns.clone(),
        }));
        let counted = found.columns.iter().find(|column| column.auto_increment);
        if let Some((column, last)) = counted.zip(counters.get(shape.name())) {
            steps.push(SchemaStep::CountFrom {
                table: shape.name().to_owned(),
                column: column.name.clone(),
                last: *last,
            });
        }
    }
    // What is pointed to must be unique before.
    steps.extend(keys);
    let plan = Permit::system(REASON, SchemaPlan { steps });
    tx.change_schema(plan).await.map_err(target)?;
    tx.run_and_commit(vec![marker::deletion()]).await.map_err(target)
}

/// The indexes that a table of the target lacks.
fn indexes<'s>(shape: &'s Shape, found: &'s Table) -> impl Iterator<Item = SchemaStep> + 's {
    shape.table.columns.iter().filter_map(|column| {
        let known = found.columns.iter().find(|known| known.name == column.name)?;
        let differs = (known.unique, known.indexed && !known.unique)
            != (column.unique, column.indexed && !column.unique);
        (differs && !column.primary_key).then(|| SchemaStep::AlterColumn {
            table: shape.name().to_owned(),
            column: Column {
                unique: column.unique,
                indexed: column.indexed,
                ..known.clone()
            },
        })
    })
}

/// Refuses a target whose tables are not those of the source.
pub(super) fn must_match(chosen: &Chosen, there: &IndexMap<String, Table>) -> Result<(), Stopped> {
    let mut differ = Vec::new();
    for shape in &chosen.shapes {
        let Some(found) = there.get(shape.name()) else {
            differ.push(format!("{}: is not in the target", shape.name()));
            continue;
        };
        let is_missing = |column: &&Column| found.columns.iter().all(|known| known.name != column.name);
        let missing = shape.table.columns.iter().filter(is_missing);
        differ
            .extend(missing.map(|column| format!("{}.{}: is not in the target", shape.name(), column.name)));
    }
    if differ.is_empty() {
        Ok(())
    } else {
        Err(Stopped::Differs(differ))
    }
}
