//! `cargo xtask …`: what a developer runs in this repository.
//!
//! - `serve` builds the release binary and serves it with its data in `./data`
//! - `test` installs what the tests need and is missing, runs everything, and ends with one line that counts
//! - `bench` builds the release binary, measures it, and writes a table and a plot
//! - `tidy` holds the house rules that the compiler does not know
//! - `arrows` prints which room may depend on which
//!
//! Invariants: no room depends on this crate and it depends on none; it never reaches into a running server.
//!
//! To add a command: a file here with `run`, a variant of [`Command`] and its line in `main`.
//! To add a house rule: see [`tidy`].
#![allow(clippy::print_stdout, reason = "a command-line tool talks to its terminal")]

mod arrows;
mod bench;
mod serve;
mod shell;
mod suites;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Serves, tests and tidies Loggia")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the release binary and serve on 127.0.0.1:8055 with the data in ./data
    Serve {
        /// Passed on to `loggia serve`, after `--`
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Run every test: Rust, then the official clients against the binary
    Test {
        /// Run only these suites
        #[arg(long = "only", value_enum)]
        only: Vec<suites::Suite>,
    },
    /// Measure the release binary beside a bare server; options as `-- --help` shows them
    Bench {
        /// Passed on to the benchmark, after `--`
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Check the house rules
    Tidy {
        /// Write the generated parts of documents instead of comparing them
        #[arg(long)]
        write: bool,
    },
    /// Print the rooms and who may depend on whom
    Arrows,
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Serve { rest } => serve::run(&rest),
        Command::Test { only } => suites::run(&only),
        Command::Bench { rest } => bench::run(&rest),
        Command::Tidy { write } => tidy::run(write),
        Command::Arrows => {
            println!("{}", arrows::diagram());
            Ok(true)
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
