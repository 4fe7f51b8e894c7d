//! The command line: what can be asked of the binary.
//!
//! To add a command: a file in `commands/` with its `Arguments` and `run`, one variant of [`Command`], one line in
//! [`Command::run`].

use crate::commands::{doctor, mcp, serve};
use crate::configuration::{Configuration, Layers, Sources};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// A headless CMS in one binary, with a built-in MCP server.
#[derive(Parser)]
#[command(name = "loggia", version, about, propagate_version = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve REST and MCP until told to stop
    Serve(serve::Arguments),
    /// Serve MCP on standard input and output, for clients that start their servers themselves
    Mcp(mcp::Arguments),
    /// Look at everything that a server needs, change nothing, and say what to mend
    Doctor(doctor::Arguments),
}

impl Command {
    /// Does what was asked.
    ///
    /// # Errors
    /// Whatever kept it from being done, to be shown to whoever asked.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::Serve(arguments) => serve::run(arguments),
            Command::Mcp(arguments) => mcp::run(arguments),
            Command::Doctor(arguments) => doctor::run(arguments),
        }
    }
}

/// What every command that touches the data takes.
#[derive(Args)]
pub(crate) struct ConfigurationArguments {
    /// The folder that holds everything that must survive [default: ./data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<String>,
    /// The configuration file [default: loggia.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any key of the configuration, over file and environment; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ConfigurationArguments {
    /// Gathers the configuration; `more` are keys that have options of their own.
    ///
    /// # Errors
    /// Every problem of the configuration.
    pub(crate) fn gather(self, more: &[(&str, Option<String>)]) -> anyhow::Result<(Configuration, Layers)> {
        let mut settings = self.set;
        let own = [("data", self.data)];
        for (key, value) in own.iter().chain(more) {
            if let Some(value) = value {
                settings.push(format!("{key}={value}"));
            }
        }
        Configuration::gather(&Sources::of_process(self.config, settings))
    }
}
