//! `loggia copy`: a whole project to another database.
#![allow(
    clippy::print_stderr,
    reason = "how far it is belongs beside the answer, not into it"
)]

use crate::command_line::ConfigurationArguments;
use crate::configuration::{Configuration, DatabaseUrl, SchemaName, Setting};
use crate::{house, log};
use anyhow::Context;
use clap::Args;
use loggia_journal::verify;
use loggia_store::copy::{Copy, Doing, Progress, Report, Stopped};
use loggia_store::{Options, Store};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Where the password of the source may stand; not on the command line, which others can read.
const FROM_PASSWORD: &str = "LOGGIA_COPY_FROM_PASSWORD";
/// Where the password of the target may stand.
const TO_PASSWORD: &str = "LOGGIA_COPY_TO_PASSWORD";
/// How often it says how far it is.
const EVERY: Duration = Duration::from_secs(1);
/// The same, where what is said stays.
const EVERY_LINE: Duration = Duration::from_secs(10);

/// The options of `loggia copy`.
#[derive(Args)]
#[command(
    after_help = "Passwords may stand in the variables LOGGIA_COPY_FROM_PASSWORD and LOGGIA_COPY_TO_PASSWORD. \
    The target must be empty, or be what an earlier run has left: then it goes on."
)]
pub(crate) struct Arguments {
    /// The address of the database to copy [default: the one of the configuration]
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The address of the database to copy into
    #[arg(long, value_name = "URL")]
    to: String,
    /// The schema of the source, on a database server
    #[arg(long, value_name = "NAME", requires = "from")]
    from_schema: Option<String>,
    /// The schema of the target, on a database server; made where it is not there
    #[arg(long, value_name = "NAME")]
    to_schema: Option<String>,
    /// A table that is not to be copied; may be repeated
    #[arg(long, value_name = "TABLE")]
    leave_out: Vec<String>,
    /// Copy nothing: read both and say whether they are the same
    #[arg(long)]
    compare: bool,
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

/// Copies, or compares.
///
/// # Errors
/// When the target is not a whole copy afterwards, with the reason.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (configuration, _) = arguments.configuration.gather(&[])?;
    let from = match &arguments.from {
        None => configuration.database.options(),
        Some(url) => options(
            &configuration,
            ("--from", url),
            arguments.from_schema,
            FROM_PASSWORD,
        )?,
    };
    let to = options(
        &configuration,
        ("--to", &arguments.to),
        arguments.to_schema,
        TO_PASSWORD,
    )?;
    let copy = Copy {
        from,
        to,
        leave_out: arguments.leave_out,
    };
    log::start(&configuration.log);
    let outcome = house::runtime()?.block_on(copied(&copy, arguments.compare));
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Stopped::Misfits(misfits)) => {
            for misfit in &misfits {
                println!("cannot      {misfit}");
            }
            anyhow::bail!(
                "nothing was copied: the target cannot hold what is named above. Change it in the source first"
            )
        }
        Err(Stopped::Differs(tables)) => {
            for table in &tables {
                println!("differs     {table}");
            }
            anyhow::bail!(
                "the target is not the same as the source{}",
                if arguments.compare {
                    ", or no longer: one of them was written to since. For the source as it is now, copy into an empty database"
                } else {
                    ": run it again"
                }
            )
        }
        Err(Stopped::Changed) => anyhow::bail!(
            "the source has changed while it was read: stop what writes to it, and run this again; only what differs is copied then"
        ),
        Err(other) => Err(other.into()),
    }
}

/// How one of the two is opened: as the configuration says of its own, at another address.
fn options(
    configuration: &Configuration,
    (name, url): (&str, &str),
    schema: Option<String>,
    password: &str,
) -> anyhow::Result<Options> {
    // Never with the address itself, which may hold a password.
    let parsed = DatabaseUrl::parse(url)
        .with_context(|| DatabaseUrl::complaint(url).unwrap_or_else(|| DatabaseUrl::EXPECTS.to_owned()))
        .with_context(|| name.to_owned())?;
    let password = std::env::var(password)
        .ok()
        .filter(|password| !password.is_empty());
    if let Some(schema) = &schema {
        anyhow::ensure!(parsed.path().is_none(), "{name}-schema says nothing about a file");
        SchemaName::parse(schema)
            .with_context(|| format!("{name}-schema: expected {}", SchemaName::EXPECTS))?;
    }
    let mut options = configuration.database.options();
    parsed.reveal().clone_into(&mut options.url);
    options.remote.password = password;
    options.remote.schema = schema;
    Ok(options)
}

async fn copied(copy: &Copy, compare: bool) -> Result<(), Stopped> {
    let mut line = Line::new();
    let outcome = if compare {
        copy.compare(&mut |progress| line.tell(progress)).await
    } else {
        copy.run(&mut |progress| line.tell(progress)).await
    };
    line.end();
    let report = outcome?;
    told(&report, &line, compare);
    if compare {
        return Ok(());
    }
    // The very walk of `loggia audit verify`, on what stands there now.
    let failed = |error| Stopped::Database("target", error);
    let target = Options {
        server: false,
        ..copy.to.clone()
    };
    let store = Store::open(target).await.map_err(failed)?;
    let verdict = verify(&store, None).await;
    match verdict.map(|verdict| (verdict.changes, verdict.broken)) {
        Ok((changes, None)) => println!("record      {changes} changes, intact"),
        Ok((_, Some(broken))) => println!(
            "record      broken at change {}, as in the source: {}",
            broken.number, broken.what
        ),
        Err(error) => println!("record      cannot be read: {error}"),
    }
    Ok(())
}

fn told(report: &Report, line: &Line, compare: bool) {
    let (mut rows, mut bytes, mut there, mut mended) = (0, 0, 0, 0);
    for table in &report.tables {
        rows += table.rows;
        bytes += table.bytes;
        there += table.there;
        mended += table.mended;
        if table.mended > 0 {
            println!(
                "mended      {}: {} row(s) of the target were not as in the source",
                table.table, table.mended
            );
        }
    }
    for note in &report.notes {
        println!("note        {note}");
    }
    let tables = report.tables.len();
    let seconds = line.started.elapsed().as_secs_f64();
    if compare {
        println!("same        {rows} rows of {tables} tables, by count and by hash");
        return;
    }
    if report.resumed {
        println!("went on     {there} rows were there already, {mended} were mended");
    }
    println!(
        "copied      {rows} rows of {tables} tables, {} in {seconds:.1} s",
        size(bytes)
    );
    println!("compared    every table, by count and by hash");
}

/// What is said on the way: one line that changes on a terminal, and now and then a line elsewhere.
struct Line {
    started: Instant,
    on_terminal: bool,
    /// When something was said last, and of which table and what.
    last: Option<(Instant, Doing, String)>,
    /// When it came to what it is doing now.
    since: Instant,
}

impl Line {
    #[expect(
        clippy::disallowed_methods,
        reason = "a duration of this machine; nothing stored depends on it"
    )]
    fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            on_terminal: std::io::stderr().is_terminal(),
            last: None,
            since: now,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a duration of this machine; nothing stored depends on it"
    )]
    fn tell(&mut self, progress: Progress<'_>) {
        let now = Instant::now();
        let anew = match &self.last {
            Some((_, doing, table)) => *doing != progress.doing || table != progress.table,
            None => true,
        };
        if anew {
            self.since = now;
        }
        let due = match &self.last {
            Some((at, ..)) if !anew => {
                let every = if self.on_terminal { EVERY } else { EVERY_LINE };
                now.duration_since(*at) >= every
            }
            _ => true,
        };
        let whole = progress.rows >= progress.of;
        if !due && !whole {
            return;
        }
        let mut text = String::new();
        let word = match progress.doing {
            Doing::Checking => "checking",
            Doing::Copying => "copying",
            Doing::Comparing => "comparing",
            Doing::Finishing => "finishing",
        };
        let _ = write!(text, "{word:<11} {}", progress.table);
        if progress.doing != Doing::Finishing {
            let seconds = now.duration_since(self.since).as_secs_f64().max(0.001);
            let rate = progress.rows as f64 / seconds;
            let _ = write!(
                text,
                "  {} of {} rows, {}",
                progress.rows,
                progress.of,
                size(progress.bytes)
            );
            if seconds > 0.1 {
                let _ = write!(text, ", {rate:.0} rows/s");
            }
        }
        if self.on_terminal {
            // To the end of the line what stood there before is wiped.
            eprint!("\r{text}\x1b[K");
            // Nothing depends on it.
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{text}");
        }
        self.last = Some((now, progress.doing, progress.table.to_owned()));
    }

    fn end(&self) {
        if self.on_terminal && self.last.is_some() {
            eprintln!();
        }
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "kB", "MB", "GB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1_000.0 && unit + 1 < UNITS.len() {
        size /= 1_000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{size:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        for (bytes, expect) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_500, "1.5 kB"),
            (2_345_678, "2.3 MB"),
            (5_000_000_000_000, "5000.0 GB"),
        ] {
            assert_eq!(size(bytes), expect);
        }
    }
}
