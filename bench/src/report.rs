//! The table: ours beside the bare server, beside a peer if one was named, beside what must be reached.

use crate::curves::Curve;
use crate::load::{self, Counter, Effort, Measured, ProcessFigures};
use crate::machine::Machine;
use crate::plot;
use crate::server::{Program, Running, Target};
use crate::workloads::Workload;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Everything that a run found.
pub(crate) struct Report {
    machine: Machine,
    version: String,
    quick: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) costs: Vec<Cost>,
    pub(crate) process: Option<Processes>,
    pub(crate) curves: Vec<Curve>,
}

/// Both processes.
pub(crate) struct Processes {
    pub(crate) ours: ProcessFigures,
    pub(crate) bare: ProcessFigures,
}

/// What something costs, by itself or beside something else.
pub(crate) struct Cost {
    pub(crate) what: String,
    pub(crate) milliseconds: f64,
    /// What it is compared with, and how long that took.
    pub(crate) beside: Option<(&'static str, f64)>,
    /// Most milliseconds; where it is compared, most times as long.
    pub(crate) most: f64,
}

impl Cost {
    fn held(&self) -> bool {
        match self.beside {
            Some((_, beside)) => self.milliseconds <= beside * self.most,
            None => self.milliseconds <= self.most,
        }
    }

    /// The row for the terminal while the run goes on.
    pub(crate) fn line(&self) -> String {
        let beside = self.beside.map_or_else(String::new, |(what, beside)| {
            format!("  {:.2} times {what} {beside:.3} ms", self.milliseconds / beside)
        });
        format!(
            "{:<70} {:>8.3} ms{beside}  {}",
            self.what,
            self.milliseconds,
            verdict(self.held())
        )
    }
}

fn verdict(held: bool) -> &'static str {
    if held { "held" } else { "**missed**" }
}

/// The servers of a comparison.
pub(crate) struct Servers<'a> {
    pub(crate) ours: &'a Running,
    pub(crate) bare: &'a Running,
    pub(crate) peer: Option<&'a Target>,
}

/// One workload with so many connections.
pub(crate) struct Row {
    name: &'static str,
    connections: usize,
    ours: Measured,
    bare: Measured,
    peer: Option<Measured>,
    must_reach: Option<Goal>,
}

/// What must be reached.
#[derive(Clone, Copy)]
enum Goal {
    /// Most milliseconds of the median.
    Median(f64),
    /// Fewest requests in a second.
    Rate(f64),
    /// At least so many times the requests in a second of the bare server.
    OfBare(f64),
}

impl Row {
    /// Measures the servers in turns, so that what else the machine does falls on all of them.
    ///
    /// # Errors
    /// When an answer is not the expected one.
    pub(crate) async fn measure(
        workload: &Workload,
        connections: usize,
        servers: &Servers<'_>,
        share_of_bare: Option<f64>,
        counter: &Counter,
        effort: &Effort,
    ) -> Result<Row> {
        let Servers { ours, bare, peer } = *servers;
        let (mut of_ours, mut of_bare, mut of_peer) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..effort.rounds {
            for (server, rounds) in [(bare, &mut of_bare), (ours, &mut of_ours)] {
                rounds.push(
                    load::round(
                        workload,
                        &server.target,
                        Some(server),
                        connections,
                        counter,
                        effort,
                    )
                    .await?,
                );
            }
            if let Some(peer) = peer {
                of_peer.push(load::round(workload, peer, None, connections, counter, effort).await?);
            }
        }
        Ok(Row {
            name: workload.name,
            connections,
            ours: load::median(of_ours),
            bare: load::median(of_bare),
            peer: peer.map(|_| load::median(of_peer)),
            must_reach: match (share_of_bare, connections) {
                (Some(share), _) => Some(Goal::OfBare(share)),
                (None, 1) => workload.median_within.map(Goal::Median),
                (None, _) => workload.at_least.map(Goal::Rate),
            },
        })
    }

    /// The row for the terminal while the run goes on.
    pub(crate) fn line(&self) -> String {
        format!(
            "{:<34} {:>2} connections  p50 {:>8.3} ms  p99 {:>8.3} ms  {:>7.0}/s  {}",
            self.name,
            self.connections,
            self.ours.p50,
            self.ours.p99,
            self.ours.per_second,
            self.held()
        )
    }

    /// What must be reached, and whether it is.
    fn held(&self) -> String {
        match self.must_reach {
            Some(Goal::Median(most)) => format!("≤ {most} ms: {}", verdict(self.ours.p50 <= most)),
            Some(Goal::Rate(fewest)) => format!("≥ {fewest}/s: {}", verdict(self.ours.per_second >= fewest)),
            Some(Goal::OfBare(share)) => {
                let reached = self.ours.per_second / self.bare.per_second;
                format!("≥ {share} × bare: {reached:.2}, {}", verdict(reached >= share))
            }
            None => "–".to_owned(),
        }
    }
}

impl Report {
    /// An empty report on this machine.
    ///
    /// # Errors
    /// When the binary does not say its version.
    pub(crate) fn new(quick: bool, program: &Program) -> Result<Report> {
        let output = std::process::Command::new(&program.path)
            .arg("--version")
            .output()?;
        Ok(Report {
            machine: Machine::look(),
            version: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            quick,
            rows: Vec::new(),
            costs: Vec::new(),
            process: None,
            curves: Vec::new(),
        })
    }

    /// Adds costs, and says them on the terminal.
    pub(crate) fn add_costs(&mut self, costs: Vec<Cost>) {
        for cost in costs {
            println!("{}", cost.line());
            self.costs.push(cost);
        }
    }

    /// Writes the table and the plot into a folder. Answers with both files.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<(PathBuf, PathBuf)> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (table, plot) = (folder.join("bench.md"), folder.join("bench.svg"));
        std::fs::write(&table, self.markdown())?;
        std::fs::write(&plot, plot::svg(&self.curves))?;
        Ok((table, plot))
    }

    /// The whole report as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}, on {}.\n", self.version, self.machine);
        if self.quick {
            text.push_str("\nA quick run, to check the benchmark itself: its figures mean little.\n");
        }
        text.push_str(&self.workloads());
        text.push_str(&self.costs());
        text.push_str(&self.processes());
        for curve in &self.curves {
            text.push_str(&curve_table(curve));
        }
        text
    }

    fn workloads(&self) -> String {
        let with_peer = self.rows.iter().any(|row| row.peer.is_some());
        let mut text = String::from(
            "\n| workload | connections | p50 ms | p99 ms | requests/s | processor µs | answer bytes | bare p50 ms | bare requests/s \
             | bare processor µs | times the bare p50 | must reach |",
        );
        if with_peer {
            text.push_str(" peer p50 ms | peer requests/s | faster than the peer |");
        }
        let columns = if with_peer { 15 } else { 12 };
        let _ = writeln!(text, "\n|{}", "---|".repeat(columns));
        for row in &self.rows {
            let Measured {
                p50,
                p99,
                per_second,
                bytes,
                processor,
            } = &row.ours;
            let _ = write!(
                text,
                "| {} | {} | {p50:.3} | {p99:.3} | {per_second:.0} | {} | {bytes} | {:.3} | {:.0} | {} | {:.1} | {} |",
                row.name,
                row.connections,
                microseconds(*processor),
                row.bare.p50,
                row.bare.per_second,
                microseconds(row.bare.processor),
                p50 / row.bare.p50,
                row.held(),
            );
            if let Some(peer) = &row.peer {
                let _ = write!(
                    text,
                    " {:.1} | {:.0} | {:.0} × |",
                    peer.p50,
                    peer.per_second,
                    peer.p50 / p50
                );
            }
            text.push('\n');
        }
        text
    }

    fn costs(&self) -> String {
        if self.costs.is_empty() {
            return String::new();
        }
        let mut text =
            String::from("\n| rights and records | ms | beside | must reach |\n|---|---|---|---|\n");
        for cost in &self.costs {
            let Cost {
                what,
                milliseconds,
                beside,
                most,
            } = cost;
            let (beside, bound) = match beside {
                Some((other, beside)) => (
                    format!("{:.2} times {other} {beside:.3} ms", milliseconds / beside),
                    format!("≤ {most} times"),
                ),
                None => ("–".to_owned(), format!("≤ {most} ms")),
            };
            let held = verdict(cost.held());
            let _ = writeln!(
                text,
                "| {what} | {milliseconds:.3} | {beside} | {bound}: {held} |"
            );
        }
        text
    }

    fn processes(&self) -> String {
        let Some(Processes { ours, bare }) = &self.process else {
            return String::new();
        };
        let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
        let after = format!("resident memory after {} calls, MiB", ours.calls);
        let mut text = String::from("\n| process | Loggia | bare | must reach |\n|---|---|---|---|\n");
        for (name, ours, bare, most) in [
            (
                "cold start to the first answer, ms",
                ours.cold_start,
                bare.cold_start,
                150.0,
            ),
            ("resident memory idle, MiB", mib(ours.idle), mib(bare.idle), 40.0),
            (&after, mib(ours.after_calls), mib(bare.after_calls), 120.0),
            ("binary, MiB", mib(ours.binary), mib(bare.binary), 60.0),
        ] {
            let _ = writeln!(
                text,
                "| {name} | {ours:.1} | {bare:.1} | ≤ {most}: {} |",
                verdict(ours <= most)
            );
        }
        text
    }
}

fn microseconds(figure: Option<f64>) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.0}"))
}

fn curve_table(curve: &Curve) -> String {
    let mut text = format!("\n| p50 in ms by {} |", curve.of);
    for size in &curve.sizes {
        let _ = write!(text, " {size} |");
    }
    let _ = writeln!(text, "\n|{}", "---|".repeat(curve.sizes.len() + 1));
    for (name, figures) in &curve.lines {
        let _ = write!(text, "| {name} |");
        for figure in figures {
            let _ = write!(text, " {figure:.3} |");
        }
        text.push('\n');
    }
    text
}
