//! `loggia mcp`: the MCP server on standard input and output, for clients that start their servers themselves.

mod bridge;
mod relay;

use crate::command_line::ConfigurationArguments;
use crate::configuration::Configuration;
use crate::first_start::McpState;
use crate::house::{self, Foundation, House, Role};
use crate::log;
use clap::Args;
use loggia_access::Origin;
use loggia_identity::{Credential, RequestFacts, Secret};
use loggia_mcp::{Refusal, Visitor, stdio};
use loggia_tools::catalogue::Narrowing;
use std::process::ExitCode;
use std::sync::Arc;

/// The variable that holds the token.
const TOKEN: &str = "LOGGIA_TOKEN";

/// The options of `loggia mcp`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The token to act with; better in the variable LOGGIA_TOKEN, where no list of processes shows it
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Pass everything on to the MCP endpoint of a server that runs elsewhere
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "config", "set"])]
    url: Option<String>,
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

/// Serves until standard input ends.
///
/// # Errors
/// When there is no token, the data cannot be opened, or a stream breaks.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let token = arguments
        .token
        .or_else(|| std::env::var(TOKEN).ok())
        .map(Secret::new);
    let runtime = house::runtime()?;
    match arguments.url {
        Some(url) => {
            let bridge = Arc::new(bridge::Bridge::new(&url, token.as_ref())?);
            runtime.block_on(relay::serve(bridge, tokio::io::stdin(), tokio::io::stdout()))?;
        }
        None => {
            let (configuration, _) = arguments.configuration.gather(&[])?;
            log::start(&configuration.log);
            let Some(token) = token else {
                anyhow::bail!("a token is needed: --token, or {TOKEN} in the environment")
            };
            runtime.block_on(serve(&configuration, &token))?;
        }
    }
    // The thread that reads standard input waits for a line that will not come.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

async fn serve(configuration: &Configuration, token: &Secret) -> anyhow::Result<()> {
    let foundation = Foundation::lay(configuration, Role::Command).await?;
    let house = foundation.build(configuration).await?;
    let visit = || admit(&house, configuration, token);
    let limit = configuration.http.mcp.body_bytes;
    stdio::serve(
        &house.endpoint,
        tokio::io::stdin(),
        tokio::io::stdout(),
        limit,
        visit,
    )
    .await?;
    Ok(())
}

/// Authorises one message afresh: another process may have changed anything since the last one.
async fn admit(house: &House, configuration: &Configuration, token: &Secret) -> Result<Visitor, Refusal> {
    if let Err(error) = house.engine.catch_up().await {
        tracing::error!(%error, "cannot read the database");
        return Err(Refusal::transport(
            503,
            "The database cannot be read. The log says why.",
        ));
    }
    match house.mcp_state(configuration) {
        McpState::On => {}
        McpState::Unavailable | McpState::KeptOff => {
            return Err(Refusal::transport(
                403,
                "The configuration of this server keeps MCP off.",
            ));
        }
        McpState::Off => {
            let message = "The MCP server is switched off. An administrator can switch it on: PATCH /settings \
                           {\"mcp_enabled\": true}.";
            return Err(Refusal::transport(403, message));
        }
    }
    let facts = RequestFacts::local(Origin::Mcp);
    let identity = &house.foundation.identity;
    let caller = identity
        .authenticate(Credential::Bearer(token.reveal()), facts)
        .await;
    let caller = caller.map_err(|error| Refusal::transport(401, error.to_string()))?;
    Ok(Visitor {
        caller,
        narrowing: Arc::new(Narrowing::default()),
        request_id: house.request_id(),
    })
}
