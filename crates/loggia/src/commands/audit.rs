//! `loggia audit`: whether the record of changes is as it was written.

use crate::command_line::ConfigurationArguments;
use crate::commands::user::on_foundation;
use clap::{Args, Subcommand};
use loggia_journal::{Verdict, verify};
use std::process::ExitCode;

/// The options of `loggia audit`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Work out every hash of the record of changes again and name the first that is wrong; may run beside a server
    Verify {
        /// A hash that an earlier run printed: the record must still have it
        #[arg(long, value_name = "HASH")]
        expect: Option<String>,
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
}

/// Does what was asked.
///
/// # Errors
/// When the configuration is wrong, or the database cannot be read.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let What::Verify {
        expect,
        configuration,
    } = arguments.what;
    let verdict = on_foundation(configuration, async |foundation| {
        Ok(verify(&foundation.store, expect.as_deref()).await?)
    })?;
    Ok(told(&verdict))
}

fn told(verdict: &Verdict) -> ExitCode {
    println!("changes     {}", verdict.changes);
    if let Some((number, hash)) = &verdict.head {
        println!("head        {number} {hash}");
    }
    match &verdict.broken {
        None => {
            println!("intact");
            ExitCode::SUCCESS
        }
        Some(broken) => {
            let change = broken
                .change
                .as_deref()
                .map(|id| format!(" ({id})"))
                .unwrap_or_default();
            println!("broken      at change {}{change}: {}", broken.number, broken.what);
            ExitCode::FAILURE
        }
    }
}
