//! `loggia serve`: REST and MCP until told to stop.

use crate::command_line::ConfigurationArguments;
use crate::{log, secret};
use clap::Args;
use loggia_model::Generator;
use std::process::ExitCode;

/// The options of `loggia serve`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Address and port to listen on [default: 127.0.0.1:8055]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Print the effective configuration, secrets masked, and end
    #[arg(long)]
    print_config: bool,
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// When the configuration is wrong, or the data folder or the address cannot be used.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (configuration, layers) = arguments.configuration.gather(&[("listen", arguments.listen)])?;
    if arguments.print_config {
        print!("{}", layers.shown());
        return Ok(ExitCode::SUCCESS);
    }
    log::start(&configuration.log);
    let generator = Generator::system();
    secret::make_folder(&configuration.data)?;
    secret::keep(&configuration.secret_file(), &generator)?;
    anyhow::bail!("this build has no server yet")
}
