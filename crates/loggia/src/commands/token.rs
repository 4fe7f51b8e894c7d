//! `loggia token`: static tokens from the command line, for whoever may read the data folder.

use super::user::on_foundation;
use crate::command_line::ConfigurationArguments;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// The options of `loggia token`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Give a user a new static token and print it; the one before stops working
    Create {
        /// Whose
        email: String,
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
    /// Take a user's static token away
    Revoke {
        /// Whose
        email: String,
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
}

/// Does what was asked.
///
/// # Errors
/// When the configuration is wrong, or there is no such user.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.what {
        What::Create { email, configuration } => {
            let token = on_foundation(configuration, async |foundation| {
                Ok(foundation.identity.rotate_token(&email).await?)
            })?;
            println!("{}", token.reveal());
        }
        What::Revoke { email, configuration } => {
            on_foundation(configuration, async |foundation| {
                Ok(foundation.identity.revoke_token(&email).await?)
            })?;
            println!("revoked     {email}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
