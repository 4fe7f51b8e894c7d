//! `cargo xtask serve`: from a clone to a running server in one command.

use crate::shell;
use anyhow::Result;
use std::process::Command;

/// Builds the release binary and runs `loggia serve` in the repository's root until it stops.
/// What follows `--` on the command line is handed on, after the defaults, so it wins over them.
///
/// # Errors
/// When the build fails or the server cannot be started.
pub(crate) fn run(rest: &[String]) -> Result<bool> {
    shell::must(shell::cargo().args(["build", "--release", "--locked", "--package", "loggia"]))?;
    let binary = shell::target_directory()?.join("release").join("loggia");
    let mut server = Command::new(binary);
    server.current_dir(shell::root()).arg("serve");
    if !given(rest, "--listen") {
        server.args(["--listen", "127.0.0.1:8055"]);
    }
    if !given(rest, "--data") {
        server.args(["--data", "./data"]);
    }
    Ok(server.args(rest).status()?.success())
}

fn given(rest: &[String], option: &str) -> bool {
    rest.iter().any(|word| {
        word == option
            || word
                .strip_prefix(option)
                .is_some_and(|tail| tail.starts_with('='))
    })
}
