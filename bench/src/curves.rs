//! How the cost grows: with the rows stored, and with the collections defined.

use crate::load::{self, Counter, Effort};
use crate::newspaper;
use crate::server::Program;
use crate::workloads::{self, Workload};
use anyhow::{Context, Result};
use rusqlite::Connection;
use std::path::Path;

/// Figures at growing sizes.
pub(crate) struct Curve {
    /// What grows, such as `rows stored`.
    pub(crate) of: &'static str,
    /// The sizes.
    pub(crate) sizes: Vec<u32>,
    /// A name and one figure for each size, in milliseconds: the median with one connection.
    pub(crate) lines: Vec<(&'static str, Vec<f64>)>,
}

impl Curve {
    fn new(of: &'static str) -> Curve {
        Curve {
            of,
            sizes: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn add(&mut self, name: &'static str, milliseconds: f64) {
        match self.lines.iter_mut().find(|(known, _)| *known == name) {
            Some((_, figures)) => figures.push(milliseconds),
            None => self.lines.push((name, vec![milliseconds])),
        }
    }

    /// Starts on the folder, measures the workloads and the start, and stops.
    async fn measure(
        &mut self,
        size: u32,
        program: &Program,
        folder: &Path,
        workloads: &[Workload],
        effort: &Effort,
    ) -> Result<()> {
        let counter = Counter::new();
        let running = program.start(folder).await?;
        self.sizes.push(size);
        for workload in workloads {
            let measured = load::alone(workload, &running, &counter, effort).await?;
            self.add(workload.name, measured.p50);
        }
        running.stop().await?;
        self.add("cold start", load::cold_start(program, folder, effort).await?);
        println!("{} {size}: done", self.of);
        Ok(())
    }
}

/// At 10³ to 10⁶ articles.
///
/// # Errors
/// When the server refuses something.
pub(crate) async fn by_rows(program: &Program, quick: bool, effort: &Effort) -> Result<Curve> {
    const FIRST: u32 = 1_000;
    let folder = tempfile::tempdir()?;
    let running = program.start(folder.path()).await?;
    newspaper::fill(&running.target, FIRST.into()).await?;
    running.stop().await?;
    let mut curve = Curve::new("articles stored");
    let sizes: &[u32] = if quick {
        &[FIRST, 3_000]
    } else {
        &[FIRST, 10_000, 100_000, 1_000_000]
    };
    for &size in sizes {
        multiply(
            &folder.path().join("data").join("loggia.db"),
            FIRST.into(),
            size.into(),
        )?;
        // Created items are left out of the curve: they would add rows between the sizes.
        let workloads = [
            workloads::read_by_key(size.into()),
            workloads::rest_read_by_key(size.into()),
            workloads::list_with_relations(size.into()),
        ];
        curve
            .measure(size, program, folder.path(), &workloads, effort)
            .await?;
    }
    Ok(curve)
}

/// At 5 to 500 collections, the newspaper's five among them.
///
/// # Errors
/// When the server refuses something.
pub(crate) async fn by_collections(program: &Program, quick: bool, effort: &Effort) -> Result<Curve> {
    const ARTICLES: u64 = 1_000;
    const OF_THE_NEWSPAPER: u32 = 5;
    let folder = tempfile::tempdir()?;
    let mut curve = Curve::new("collections");
    let mut there = OF_THE_NEWSPAPER;
    let sizes: &[u32] = if quick { &[5, 10] } else { &[5, 50, 500] };
    for &size in sizes {
        let running = program.start(folder.path()).await?;
        newspaper::fill(&running.target, ARTICLES).await?;
        newspaper::add_collections(&running.target, there..size).await?;
        there = size;
        running.stop().await?;
        let workloads = [
            workloads::read_by_key(ARTICLES),
            workloads::tools_list(),
            workloads::schema_of_one(),
            workloads::schema_overview(),
        ];
        curve
            .measure(size, program, folder.path(), &workloads, effort)
            .await?;
    }
    Ok(curve)
}

/// Copies the first articles with their tags until there are `size`, straight into the file of a stopped server: a
/// million rows over REST would take longer than all measurements. Only the tables that hold the content are
/// touched, and whatever form the server gives to values stays as it is.
fn multiply(file: &Path, first: i64, size: i64) -> Result<()> {
    let mut database = Connection::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let transaction = database.transaction()?;
    let there: i64 = transaction.query_row("SELECT max(id) FROM articles", [], |row| row.get(0))?;
    for copy in there / first..size / first {
        transaction
            .prepare_cached(
                "INSERT INTO articles (id, title, slug, body, views, published_on, status, author, category)
             SELECT id + ?1, title, slug || '-' || ?1, body, views, published_on, status, author, category
             FROM articles WHERE id <= ?2",
            )?
            .execute([copy * first, first])?;
        transaction
            .prepare_cached(
                "INSERT INTO articles_tags (articles_id, tags_id)
             SELECT articles_id + ?1, tags_id FROM articles_tags WHERE articles_id <= ?2",
            )?
            .execute([copy * first, first])?;
    }
    transaction.commit()?;
    Ok(())
}
