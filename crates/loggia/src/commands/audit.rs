//! `loggia audit`: whether the record of changes is as it was written, and taking away what need not be kept of it.

use crate::command_line::ConfigurationArguments;
use crate::commands::user::{on_foundation, on_house};
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
    /// Take away activity and revisions that are older than the settings keep them; a server does that once a day
    Prune {
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
}

/// Does what was asked.
///
/// # Errors
/// When the configuration is wrong, or the database cannot be read.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.what {
        What::Verify {
            expect,
            configuration,
        } => {
            let verdict = on_foundation(configuration, async |foundation| {
                Ok(verify(&foundation.store, expect.as_deref()).await?)
            })?;
            Ok(told(&verdict))
        }
        What::Prune { configuration } => {
            let pruned = on_house(configuration, async |house| {
                let caller = house.foundation.identity.operator();
                Ok(house.engine.prune(&caller).await?)
            })?;
            println!("activity    {}", pruned.activity);
            println!("revisions   {}", pruned.revisions);
            Ok(ExitCode::SUCCESS)
        }
    }
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
            let at = match broken.number {
                0 => String::new(),
                number => format!("at change {number}{change}: "),
            };
            println!("broken      {at}{}", broken.what);
            ExitCode::FAILURE
        }
    }
}
