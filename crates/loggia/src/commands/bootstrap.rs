//! `loggia bootstrap`: what a first start makes, without serving.

use crate::command_line::ConfigurationArguments;
use crate::house::{self, Foundation, Role};
use crate::{first_start, log};
use clap::Args;
use std::process::ExitCode;

/// The options of `loggia bootstrap`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

/// Makes folder, secret, tables and administrator, each unless it is there.
///
/// # Errors
/// When the configuration is wrong, or the data folder cannot be used.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (configuration, _) = arguments.configuration.gather(&[])?;
    log::start(&configuration.log);
    house::runtime()?.block_on(async {
        let foundation = Foundation::lay(&configuration, Role::Command).await?;
        let made = foundation.first_administrator(&configuration).await?;
        let url = configuration.url(&configuration.listen.to_string());
        let house = foundation.build(&configuration).await?;
        match made {
            Some(made) => {
                print!(
                    "{}",
                    first_start::text(&made, &configuration.admin, &url, house.mcp_state(&configuration))
                );
            }
            None => println!("There is an administrator already; the database is up to date."),
        }
        Ok(ExitCode::SUCCESS)
    })
}
