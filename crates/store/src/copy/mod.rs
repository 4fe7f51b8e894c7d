//! Moves a whole project from one database to another, whatever kinds they are: every row of every table, the record
//! of changes and the counters of keys among them.
//!
//! - The target is told to be unfinished by a row in the table of its migrations, so that no server starts on it. It
//!   stands from before the first row until everything was compared, and names the source.
//! - Tables are made without foreign keys and indexes, which come when all rows are there: no order of tables or rows
//!   is needed, self references and rings included, and nothing of a superuser.
//! - Rows go in pages, by key. What a run that was ended has left is compared, not trusted: a row that is there is left,
//!   one that differs is written anew, one that the source does not have goes. So nothing is to be noted of how far it got.
//! - At the end both sides are read once more and compared by count and hash, and the source is asked whether it has
//!   changed meanwhile; only then foreign keys and indexes are made and the row goes, all in one transaction.
//!
//! Values travel in the canonical form of their kinds. What the target cannot hold is found before it is touched.

mod fitting;
mod marker;
mod moving;
mod pages;
mod shape;
mod tables;

use indexmap::IndexMap;
use loggia_model::schema::Table;

use crate::backends::{self, Inventory};
use crate::migrations::{COPYING, MIGRATIONS};
use crate::{Error, Options, Store};

pub use fitting::Misfit;
use marker::Project;
use moving::Counted;
use shape::Shape;
use tables::Chosen;

const REASON: &str = "a project moves to another database, with the record of its changes";
/// How long a transaction of the target may wait for rows of the source.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(600);

/// What is to be copied, and where to.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The project.
    pub from: Options,
    /// An empty database, or one that an earlier run has left.
    pub to: Options,
    /// Tables that are not copied.
    pub leave_out: Vec<String>,
}

/// What a copy is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Looks whether the target can hold what the source holds.
    Checking,
    /// Copies rows.
    Copying,
    /// Compares both sides.
    Comparing,
    /// Makes foreign keys and indexes.
    Finishing,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'p> {
    /// With what.
    pub doing: Doing,
    /// Where.
    pub table: &'p str,
    /// So many of its rows are done.
    pub rows: u64,
    /// So many it has.
    pub of: u64,
    /// What these rows come to, in bytes.
    pub bytes: u64,
}

/// Hears how far a copy is.
pub type Tell<'t> = dyn FnMut(Progress<'_>) + Send + 't;

/// What was copied of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The table.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// What they come to, in bytes.
    pub bytes: u64,
    /// Rows that were there already, of an earlier run.
    pub there: u64,
    /// Rows that were there and were not as in the source: written anew, or taken away.
    pub mended: u64,
}

/// What a copy comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// By table.
    pub tables: Vec<Moved>,
    /// What is not the same in the target, and what was left out.
    pub notes: Vec<String>,
    /// Whether an earlier run had begun it.
    pub resumed: bool,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// It was not begun.
    #[error("{0}")]
    Refused(String),
    /// The target cannot hold everything; nothing was written.
    #[error("the target cannot hold {} thing(s) of the source", .0.len())]
    Misfits(Vec<Misfit>),
    /// Tables differ.
    #[error("source and target differ: {}", .0.join("; "))]
    Differs(Vec<String>),
    /// The source was written to while it was read.
    #[error("the source has changed while it was read")]
    Changed,
    /// A database failed.
    #[error("the {0} database failed")]
    Database(&'static str, #[source] Error),
}

pub(crate) fn source(error: Error) -> Stopped {
    Stopped::Database("source", error)
}

pub(crate) fn target(error: Error) -> Stopped {
    Stopped::Database("target", error)
}

impl Copy {
    /// Copies everything, or goes on where an earlier run was ended.
    ///
    /// # Errors
    /// Why the target is not a whole copy. What was written of it stays for the next run.
    pub async fn run(&self, tell: &mut Tell<'_>) -> Result<Report, Stopped> {
        let from = self.open_source().await?;
        let to_options = self.target_options();
        let there = backends::inventory(to_options.clone()).await.map_err(target)?;
        let resumed = usable(&there)?;
        let source_tables = from.tables().await.map_err(source)?;
        let chosen = tables::chosen(&source_tables, &self.leave_out)?;
        let project = Project::of(&from, &self.from.url).await?;
        self.check(&from, &chosen, &source_tables, tell).await?;
        let to = Store::open_unfinished(to_options).await.map_err(target)?;
        if resumed {
            marker::must_be_of(&to, &project).await?;
        } else {
            marker::must_be_unused(&to).await?;
        }
        tables::prepare(&to, &chosen, (!resumed).then_some(&project)).await?;
        let mut report = Report {
            notes: chosen.notes.clone(),
            resumed,
            ..Report::default()
        };
        for shape in &chosen.shapes {
            report.tables.push(moving::table(&from, &to, shape, tell).await?);
        }
        compare_tables(&from, &to, &chosen.shapes, tell).await?;
        tell(Progress {
            doing: Doing::Finishing,
            table: "",
            rows: 0,
            of: 0,
            bytes: 0,
        });
        tables::finish(&from, &to, &chosen).await?;
        Ok(report)
    }

    /// Compares a target with its source, and writes nothing.
    ///
    /// # Errors
    /// What differs, and why it cannot be found out.
    pub async fn compare(&self, tell: &mut Tell<'_>) -> Result<Report, Stopped> {
        let from = self.open_source().await?;
        let options = self.target_options();
        let there = backends::inventory(options.clone()).await.map_err(target)?;
        match there.ran {
            Some(COPYING) => return Err(target(Error::Unfinished)),
            ran if ran != Some(MIGRATIONS.len() as u64) => {
                return Err(Stopped::Refused(
                    "the target is no database of this version of Loggia: there is nothing to compare"
                        .to_owned(),
                ));
            }
            _ => {}
        }
        let to = Store::open(Options {
            server: false,
            ..options
        })
        .await
        .map_err(target)?;
        let (source_tables, target_tables) = (
            from.tables().await.map_err(source)?,
            to.tables().await.map_err(target)?,
        );
        let chosen = tables::chosen(&source_tables, &self.leave_out)?;
        tables::must_match(&chosen, &target_tables)?;
        let counted = compare_tables(&from, &to, &chosen.shapes, tell).await?;
        let tables = chosen.shapes.iter().zip(counted).map(|(shape, counted)| Moved {
            table: shape.name().to_owned(),
            rows: counted.rows,
            bytes: counted.bytes,
            there: counted.rows,
            mended: 0,
        });
        Ok(Report {
            tables: tables.collect(),
            notes: chosen.notes,
            resumed: false,
        })
    }

    /// The source is only read.
    async fn open_source(&self) -> Result<Store, Stopped> {
        let refused = |why: String| Err(Stopped::Refused(why));
        let [from, to] = [&self.from, &self.to].map(|options| {
            let address = Store::address(&options.url);
            (address.unwrap_or_default(), options.remote.schema.clone())
        });
        if from == to {
            return refused(format!("source and target are both {}", to.0));
        }
        let options = Options {
            server: false,
            ..self.from.clone()
        };
        let there = backends::inventory(options.clone()).await.map_err(source)?;
        match there.ran {
            None => return refused("the source holds no Loggia: nothing to copy".to_owned()),
            Some(COPYING) => return Err(source(Error::Unfinished)),
            Some(ran) if ran < MIGRATIONS.len() as u64 => {
                return refused(
                    "the source was last used by an older Loggia: start this version on it first, which brings its tables \
                     up to date"
                        .to_owned(),
                );
            }
            Some(_) => {}
        }
        Store::open(options).await.map_err(source)
    }

    /// Alone, where the kind of database has locks for servers.
    fn target_options(&self) -> Options {
        Options {
            server: true,
            idle: PATIENCE,
            ..self.to.clone()
        }
    }

    /// Everything that stands against a copy, before anything is written.
    async fn check(
        &self,
        from: &Store,
        chosen: &Chosen,
        tables: &IndexMap<String, Table>,
        tell: &mut Tell<'_>,
    ) -> Result<(), Stopped> {
        let capacity = backends::capacity(&self.to.url).map_err(target)?;
        let mut misfits = chosen.misfits.clone();
        misfits.extend(fitting::of_tables(&capacity, &chosen.shapes, tables));
        misfits.extend(fitting::of_rows_that_point_nowhere(from).await?);
        for shape in &chosen.shapes {
            fitting::of_rows(from, shape, &capacity, &mut misfits, tell).await?;
        }
        if misfits.is_empty() {
            Ok(())
        } else {
            Err(Stopped::Misfits(misfits))
        }
    }
}

/// Whether an earlier run has begun; refused where the target is somebody else's.
fn usable(there: &Inventory) -> Result<bool, Stopped> {
    let named = || {
        let names: Vec<_> = there.tables.iter().take(10).map(String::as_str).collect();
        names.join(", ")
    };
    match there.ran {
        Some(COPYING) => Ok(true),
        Some(ran) if ran == MIGRATIONS.len() as u64 => Ok(false),
        Some(_) => Err(Stopped::Refused(
            "the target was used by another version of Loggia: take an empty database".to_owned(),
        )),
        None if there.tables.is_empty() => Ok(false),
        None => Err(Stopped::Refused(format!(
            "the target holds tables of other programs ({}): take an empty database or schema",
            named()
        ))),
    }
}

/// Reads both sides and compares them, table by table; the source must stay as it is meanwhile.
async fn compare_tables(
    from: &Store,
    to: &Store,
    shapes: &[Shape],
    tell: &mut Tell<'_>,
) -> Result<Vec<Counted>, Stopped> {
    let before = marker::state(from).await?;
    let mut all = Vec::with_capacity(shapes.len());
    let mut differ = Vec::new();
    for shape in shapes {
        let (ours, theirs) = moving::count_both(from, to, shape, tell).await?;
        if let Some(what) = ours.differs(&theirs) {
            differ.push(format!("{}: {what}", shape.name()));
        }
        all.push(ours);
    }
    // What changed is another trouble than what was not copied.
    if marker::state(from).await? != before {
        return Err(Stopped::Changed);
    }
    if differ.is_empty() {
        Ok(all)
    } else {
        Err(Stopped::Differs(differ))
    }
}
