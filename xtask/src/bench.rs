//! `cargo xtask bench`: builds the release binaries and measures them.

use crate::shell;
use anyhow::Result;
use std::process::Command;

/// Builds `loggia` and the benchmark for release, and runs the benchmark with `rest` as its options.
/// Answers whether it succeeded; no figure makes it fail.
///
/// # Errors
/// When a build fails or the benchmark cannot be started.
pub(crate) fn run(rest: &[String]) -> Result<bool> {
    let packages = ["--package", "loggia", "--package", "loggia-bench"];
    shell::must(
        shell::cargo()
            .args(["build", "--release", "--locked"])
            .args(packages),
    )?;
    let folder = shell::target_directory()?.join("release");
    let status = Command::new(folder.join("loggia-bench"))
        .current_dir(shell::root())
        .args(rest)
        .status()?;
    Ok(status.success())
}
