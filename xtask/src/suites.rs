//! `cargo xtask test`: every suite, whatever it needs installed first, one line at the end that counts.
//!
//! A suite that cannot run counts as one failure: what was not tested did not pass.
//!
//! To add a suite: a variant of [`Suite`], its arm in [`run_one`], and its runner's summary line in [`Count::read`].

mod clients;
mod databases;

use crate::shell;
use anyhow::Result;
use clap::ValueEnum;
use std::ops::AddAssign;

/// A group of tests with one runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// The tests of every room
    Rust,
    /// Once more on PostgreSQL, those that run over a database and have not run on it by themselves
    Postgres,
    /// The same on MariaDB; only where it is asked for
    Mariadb,
    /// The examples in the documentation
    Doc,
    /// The official JavaScript clients against the binary
    Node,
    /// The official Python client against the binary
    Python,
}

/// What runs when nothing is chosen.
const USUAL: &[Suite] = &[
    Suite::Rust,
    Suite::Postgres,
    Suite::Doc,
    Suite::Node,
    Suite::Python,
];

/// The programs that run tests, each with a summary of its own. A failed test may print what looks like the summary
/// of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    Nextest,
    Cargo,
    Node,
    Pytest,
}

/// How many tests ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Count {
    /// Adds what a line of this runner's output says, if it is a summary line.
    fn read(&mut self, runner: Runner, line: &str) {
        let line = line.trim();
        let numbers = match runner {
            // `Summary [ 1.2s] 12 tests run: 11 passed, 1 failed, 2 skipped`
            Runner::Nextest => line
                .strip_prefix("Summary [")
                .and_then(|rest| rest.split_once("run: ")),
            // `test result: ok. 5 passed; 0 failed; 1 ignored; …`
            Runner::Cargo => line
                .strip_prefix("test result: ")
                .and_then(|rest| rest.split_once(". ")),
            // `==== 3 passed, 1 failed in 0.52s ====`
            Runner::Pytest => line
                .starts_with('=')
                .then(|| line.trim_matches(['=', ' ']))
                .filter(|rest| rest.contains(" in "))
                .map(|rest| ("", rest)),
            // `ℹ pass 3` or `# pass 3`, one number a line, the word first
            Runner::Node => {
                if let Some((word, number)) = line
                    .strip_prefix("ℹ ")
                    .or_else(|| line.strip_prefix("# "))
                    .and_then(|rest| rest.split_once(' '))
                    && let Ok(number) = number.parse()
                {
                    self.add(word, number);
                }
                None
            }
        };
        for part in numbers.map_or("", |(_, rest)| rest).split([',', ';']) {
            self.add_words(part);
        }
    }

    fn add_words(&mut self, part: &str) {
        let mut words = part.split_whitespace();
        if let (Some(number), Some(word)) = (words.next(), words.next())
            && let Ok(number) = number.parse()
        {
            self.add(word, number);
        }
    }

    fn add(&mut self, word: &str, number: u64) {
        match word {
            "pass" | "passed" => self.passed += number,
            "fail" | "failed" | "error" | "errors" | "timed" | "exec" | "cancelled" => self.failed += number,
            "skipped" | "ignored" => self.skipped += number,
            _ => {}
        }
    }
}

/// Runs the chosen suites, the usual ones when none is chosen, and prints the summary. Answers whether all passed.
///
/// # Errors
/// When the workspace cannot be described.
pub(crate) fn run(only: &[Suite]) -> Result<bool> {
    let chosen = if only.is_empty() { USUAL } else { only };
    if only.is_empty() {
        println!(
            "left out: the rooms above the store on MariaDB, which takes as long again; `--only mariadb` runs them"
        );
    }
    let mut total = Count::default();
    for suite in chosen {
        println!("── {suite:?}");
        let count = run_one(*suite).unwrap_or_else(|error| {
            println!("{suite:?} could not run: {error:#}");
            Count {
                failed: 1,
                ..Count::default()
            }
        });
        println!(
            "── {suite:?}: {} passed, {} failed, {} skipped",
            count.passed, count.failed, count.skipped
        );
        total += count;
    }
    println!(
        "{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.skipped
    );
    Ok(total.failed == 0)
}

fn run_one(suite: Suite) -> Result<Count> {
    match suite {
        Suite::Rust => rust(),
        Suite::Postgres => databases::POSTGRES.run(),
        Suite::Mariadb => databases::MARIADB.run(),
        Suite::Doc => counted(
            Runner::Cargo,
            shell::cargo().args(["test", "--workspace", "--locked", "--doc", "--quiet"]),
        ),
        Suite::Node => clients::node(),
        Suite::Python => clients::python(),
    }
}

/// Runs a command and counts what it reports. A run that fails without a failed test, such as one that does
/// not compile, counts as one failure.
fn counted(runner: Runner, command: &mut std::process::Command) -> Result<Count> {
    let mut count = Count::default();
    let succeeded = shell::watched(command, |line| count.read(runner, line))?;
    if !succeeded && count.failed == 0 {
        count.failed = 1;
    }
    Ok(count)
}

fn rust() -> Result<Count> {
    for server in [databases::POSTGRES, databases::MARIADB] {
        if let Err(error) = server.install() {
            println!(
                "{error:#}; what needs a server of {} is left out, and says so",
                server.name
            );
        }
    }
    tests(&[], &[])
}

/// Runs the tests of some packages, of all where none is named, with these variables.
fn tests(packages: &[&str], variables: &[(&str, &str)]) -> Result<Count> {
    let mut cargo = shell::cargo();
    cargo.envs(variables.iter().copied());
    let runner = if nextest_is_there() {
        Runner::Nextest
    } else {
        Runner::Cargo
    };
    if runner == Runner::Nextest {
        cargo.args(["nextest", "run", "--workspace"]);
        if !packages.is_empty() {
            // Chosen from everything, which is built already: the packages alone would be built with other features.
            let chosen: Vec<_> = packages.iter().map(|name| format!("package({name})")).collect();
            cargo.args(["-E", &chosen.join(" | ")]);
        }
        cargo.args(["--locked", "--no-fail-fast", "--status-level", "fail"]);
        // A failure prints once, where it happens, and again in the end for whoever reads only that.
        cargo.args(["--failure-output", "immediate-final", "--no-tests", "pass"]);
    } else {
        cargo.arg("test");
        match packages {
            [] => _ = cargo.arg("--workspace"),
            packages => _ = cargo.args(packages.iter().flat_map(|name| ["-p", *name])),
        }
        cargo.args(["--locked", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    counted(runner, &mut cargo)
}

/// Installs the test runner once where it is missing; the plain runner does as well where that fails.
fn nextest_is_there() -> bool {
    let there = || shell::works("cargo", &["nextest", "--version"]);
    if !there() {
        println!("installing cargo-nextest");
        let installed = shell::must(shell::cargo().args(["install", "cargo-nextest", "--locked"]));
        if let Err(error) = installed {
            println!("{error:#}; the tests run with `cargo test`");
        }
    }
    there()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(runner: Runner, lines: &[&str], passed: u64, failed: u64, skipped: u64) {
        let mut count = Count::default();
        for line in lines {
            count.read(runner, line);
        }
        assert_eq!(
            count,
            Count {
                passed,
                failed,
                skipped
            },
            "{lines:?}"
        );
    }

    #[test]
    fn each_runner_is_understood() {
        use Runner::{Cargo, Nextest, Node, Pytest};
        check(
            Nextest,
            &["     Summary [   0.004s] 12 tests run: 11 passed, 1 failed, 2 skipped"],
            11,
            1,
            2,
        );
        check(
            Nextest,
            &["     Summary [   0.004s] 3 tests run: 2 passed (1 slow), 1 timed out, 0 skipped"],
            2,
            1,
            0,
        );
        check(
            Nextest,
            &["     Summary [   0.004s] 1 test run: 1 passed, 0 skipped"],
            1,
            0,
            0,
        );
        check(
            Nextest,
            &[
                "    test result: FAILED. 0 passed; 1 failed; 0 ignored",
                "1 passed",
            ],
            0,
            0,
            0,
        );
        check(
            Cargo,
            &["test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out"],
            5,
            0,
            1,
        );
        check(
            Cargo,
            &["test result: FAILED. 5 passed; 2 failed; 0 ignored"],
            5,
            2,
            0,
        );
        check(
            Node,
            &["ℹ tests 4", "ℹ pass 3", "ℹ fail 1", "ℹ skipped 0"],
            3,
            1,
            0,
        );
        check(Node, &["# tests 4", "# pass 3", "# fail 1"], 3, 1, 0);
        check(
            Pytest,
            &["=========== 1 failed, 3 passed, 1 error in 0.52s ==========="],
            3,
            2,
            0,
        );
        check(
            Pytest,
            &[
                "3 passed by the gate",
                "=== FAILURES ===",
                "# heading of something",
            ],
            0,
            0,
            0,
        );
    }
}
