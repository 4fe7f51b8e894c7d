//! The Loggia binary: configuration, wiring, command line, stdio transport.
//!
//! Invariants: what a room needs from outside (settings, clock, randomness, secrets) is made here and handed down;
//! no room reads the environment. Standard output is for answers, standard error for the log.
//!
//! To add a command: see [`command_line`]. To add a key of the configuration: see [`configuration`].

mod command_line;
mod commands;
mod configuration;
mod first_start;
mod house;
mod log;
mod mail;
mod secret;
mod stop;

use clap::Parser;
use std::process::ExitCode;

/// Measured against the system's allocator: less memory, and less time under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command_line::CommandLine::parse()
        .command
        .run()
        .unwrap_or_else(|error| {
            eprintln!("loggia: {error:#}");
            ExitCode::FAILURE
        })
}
