//! `cargo xtask bench`: what a call costs, beside the least that it could cost, and how the cost grows.
//!
//! Starts the release binary as its users do, fills it over REST, and drives it over loopback with a closed loop:
//! every connection sends its next request when it has the answer to the last one. The bare server
//! (`bare/main.rs`) does the same work with nothing between the socket and SQLite and is measured in the same
//! minutes, in turns: machines are shared and noisy, so the ratio counts more than the figure.
//!
//! Invariants: knows Loggia only from outside (HTTP, the log, the process, the documented tables); no room depends
//! on this crate. An answer that is not the expected one ends the run: nothing that failed is timed.
//!
//! To add a workload: one row in [`workloads::all`]. To add a curve: one function in [`curves`] and its call.
#![allow(clippy::print_stdout, reason = "a command-line tool talks to its terminal")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod changes;
mod connection;
mod curves;
mod load;
mod machine;
mod newspaper;
mod plot;
mod report;
mod rights;
mod server;
mod workloads;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use load::{Counter, Effort};
use report::{Report, Row, Servers};
use server::{Program, Target};
use std::path::PathBuf;

/// What names the measurements of permissions, and those of changes and what takes them back.
const RIGHTS: &str = "rights";
const CHANGES: &str = "changes";

/// On a server's database, at least so much of the requests in a second that the bare server answers.
const SHARE_OF_BARE: f64 = 0.5;

/// Measures Loggia and writes a table and a plot
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Options {
    /// Short runs and small data, to check the benchmark itself; its figures mean little
    #[arg(long)]
    quick: bool,
    /// Only the workloads, without the cost curves
    #[arg(long)]
    no_curves: bool,
    /// Only the cost curves
    #[arg(long, conflicts_with_all = ["no_curves", "only", "directus"])]
    only_curves: bool,
    /// Only the workloads whose name contains this; `rights` and `changes` name what is not repeated in a loop
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// An empty PostgreSQL database to measure on, in the place of an SQLite file; only the workloads then
    #[arg(long, value_name = "URL", conflicts_with = "only_curves")]
    database: Option<String>,
    /// The release binary [default: beside this program]
    #[arg(long, value_name = "PATH")]
    loggia: Option<PathBuf>,
    /// Where the table and the plot are written
    #[arg(long, value_name = "FOLDER", default_value = "bench/results")]
    results: PathBuf,
    /// A running Directus to measure beside ours; it is filled if it has no articles yet
    #[arg(long, value_name = "URL", requires = "token")]
    directus: Option<String>,
    /// A token of its administrator
    #[arg(long, requires = "directus")]
    token: Option<String>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let here = std::env::current_exe()?;
    let beside = here.parent().context("this program lies in no folder")?;
    let database = options.database.as_deref();
    let loggia = options.loggia.clone().unwrap_or_else(|| beside.join("loggia"));
    let loggia = Program::loggia(loggia, database);
    let bare = Program::bare(beside.join("bare-server"), database);
    for program in [&loggia, &bare] {
        ensure!(
            program.path.is_file(),
            "{} is missing: run `cargo xtask bench`, which builds it",
            program.path.display()
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(measure(&options, &loggia, &bare))?;
    let (table, plot) = report.write(&options.results)?;
    println!("\n{}", report.markdown());
    println!("written: {}, {}", table.display(), plot.display());
    Ok(())
}

async fn measure(options: &Options, loggia: &Program, bare: &Program) -> Result<Report> {
    let effort = if options.quick {
        Effort::quick()
    } else {
        Effort::full()
    };
    let mut report = Report::new(options.quick, loggia)?;
    if !options.only_curves {
        side_by_side(options, loggia, bare, &effort, &mut report).await?;
    }
    if !options.no_curves && options.only.is_empty() && options.database.is_none() {
        report.curves = vec![
            curves::by_rows(loggia, options.quick, &effort).await?,
            curves::by_collections(loggia, options.quick, &effort).await?,
        ];
    }
    Ok(report)
}

/// The workloads, ours and the others' in turns, and what the processes take.
async fn side_by_side(
    options: &Options,
    loggia: &Program,
    bare: &Program,
    effort: &Effort,
    report: &mut Report,
) -> Result<()> {
    let articles = if options.quick { 500 } else { newspaper::ARTICLES };
    println!("filling both servers with {articles} articles");
    let folder = tempfile::tempdir()?;
    let ours = loggia.start(folder.path()).await?;
    newspaper::fill(&ours.target, articles).await?;
    let bare_folder = tempfile::tempdir()?;
    let floor = bare.start(bare_folder.path()).await?;
    let peer = match (&options.directus, &options.token) {
        (Some(url), Some(token)) => Some(Target::elsewhere(url, token)?),
        _ => None,
    };
    if let Some(peer) = &peer {
        newspaper::fill(peer, articles).await?;
    }

    let servers = Servers {
        ours: &ours,
        bare: &floor,
        peer: peer.as_ref(),
    };
    let counter = Counter::new();
    // What must be reached on a server's database is a share of what the bare server reaches on it.
    let share = options.database.as_ref().map(|_| SHARE_OF_BARE);
    for workload in workloads::all(articles) {
        if workload.name.contains(&options.only) {
            for connections in [1, 32] {
                let row = Row::measure(&workload, connections, &servers, share, &counter, effort).await?;
                println!("{}", row.line());
                report.rows.push(row);
            }
        }
    }
    // What follows starts servers on files of their own.
    if options.database.is_some() {
        ours.stop().await?;
        floor.stop().await?;
        return Ok(());
    }
    if RIGHTS.contains(&options.only) {
        let costs = rights::many_rules(&ours, articles, &counter, effort).await?;
        report.add_costs(costs);
        report.add_costs(vec![rights::first_answer(loggia, effort).await?]);
    }
    if CHANGES.contains(&options.only) {
        report.add_costs(changes::there_and_back(loggia, articles, effort.rounds).await?);
    }
    let (ours, floor) = (ours.stop().await?, floor.stop().await?);
    if options.only.is_empty() {
        println!("cold starts and memory");
        report.process = Some(report::Processes {
            ours: load::process_figures(loggia, &ours, articles, effort).await?,
            bare: load::process_figures(bare, &floor, articles, effort).await?,
        });
    }
    Ok(())
}
