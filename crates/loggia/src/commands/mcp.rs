//! `loggia mcp`: the MCP server on standard input and output, for clients that start their servers themselves.

mod bridge;
mod relay;

use crate::configuration::Secret;
use clap::Args;
use std::process::ExitCode;
use std::sync::Arc;

/// The options of `loggia mcp`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The token to act with; better in the variable LOGGIA_TOKEN, where no list of processes shows it
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Pass everything on to the MCP endpoint of a server that runs elsewhere
    #[arg(long, value_name = "URL")]
    url: String,
}

/// Serves until standard input ends.
///
/// # Errors
/// When there is no token, or a stream breaks.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let token = arguments
        .token
        .or_else(|| std::env::var("LOGGIA_TOKEN").ok())
        .map(Secret::new);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let bridge = Arc::new(bridge::Bridge::new(&arguments.url, token.as_ref())?);
    runtime.block_on(relay::serve(bridge, tokio::io::stdin(), tokio::io::stdout()))?;
    // The thread that reads standard input waits for a line that will not come.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}
