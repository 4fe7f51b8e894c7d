//! The command line: what can be asked of the binary.
//!
//! To add a command: a file in `commands/` with its `Arguments` and `run`, one variant of [`Command`], one line in
//! [`Command::run`].

use crate::commands::{audit, bootstrap, copy, doctor, mcp, serve, token, user};
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
    /// Make what a first start makes, without serving
    Bootstrap(bootstrap::Arguments),
    /// Make users and give them passwords
    User(user::Arguments),
    /// Give users tokens and take them away
    Token(token::Arguments),
    /// Look whether the record of changes is as it was written
    Audit(audit::Arguments),
    /// Copy a whole project to another database, of whichever kind
    Copy(copy::Arguments),
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
            Command::Bootstrap(arguments) => bootstrap::run(arguments),
            Command::User(arguments) => user::run(arguments),
            Command::Token(arguments) => token::run(arguments),
            Command::Audit(arguments) => audit::run(arguments),
            Command::Copy(arguments) => copy::run(arguments),
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::fmt::Write;
    use std::path::Path;

    /// `docs/command-line.md`, printed from the help texts.
    fn document() -> String {
        let mut root = CommandLine::command().term_width(100);
        root.build();
        let mut text = String::from(
            "# Command line\n\n\
             <!-- Printed from the help texts: UPDATE_DOCS=1 cargo test --package loggia command_line -->\n\n\
             Options win over the environment, which wins over the file: see [Configuration](configuration.md).\n",
        );
        for command in root
            .get_subcommands_mut()
            .filter(|command| command.get_name() != "help")
        {
            describe(&mut text, command, "loggia");
        }
        text
    }

    fn describe(text: &mut String, command: &mut clap::Command, above: &str) {
        let name = format!("{above} {}", command.get_name());
        let help = command.render_help().to_string();
        let _ = write!(text, "\n## `{name}`\n```text\n{}\n```\n", help.trim_end());
        for inner in command
            .get_subcommands_mut()
            .filter(|inner| inner.get_name() != "help")
        {
            describe(text, inner, &name);
        }
    }

    #[test]
    fn the_document_is_what_the_help_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/command-line.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, document()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == document(),
            "docs/command-line.md is not what the help says: UPDATE_DOCS=1 cargo test --package loggia command_line"
        );
    }

    #[test]
    fn the_definitions_hold_together() {
        CommandLine::command().debug_assert();
    }
}
