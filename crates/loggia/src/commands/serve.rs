//! `loggia serve`: REST and MCP until told to stop.

use crate::command_line::ConfigurationArguments;
use crate::configuration::Configuration;
use crate::house::{self, Foundation, House, Role};
use crate::{first_start, log, stop};
use anyhow::Context;
use clap::Args;
use loggia_store::{Leases, RUNS_OUT};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How often a server reads again what programs that are none of ours may have written.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often what need not be kept any more is taken away.
const PRUNE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long it may take to give back what other servers wait for.
const STOP_WITHIN: Duration = Duration::from_secs(2);

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
    let runtime = house::runtime()?;
    runtime.block_on(serve(&configuration))?;
    // Whatever still runs has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(ExitCode::SUCCESS)
}

async fn serve(configuration: &Configuration) -> anyhow::Result<()> {
    let asked_to_stop = stop::asked().context("cannot listen to signals")?;
    // Before anything is made: a start that cannot serve leaves nothing behind.
    let listener = TcpListener::bind(configuration.listen.to_string())
        .await
        .with_context(|| format!("cannot listen on {}", configuration.listen))?;
    let address = listener.local_addr()?;
    let url = configuration.url(&address.to_string());
    let foundation = Foundation::lay(configuration, Role::Server).await?;
    let made = foundation.first_administrator(configuration).await?;
    let house = Arc::new(foundation.build(configuration).await?);
    house.tell_read_only();
    let mcp = house.mcp_state(configuration);
    if let Some(made) = made {
        print!("{}", first_start::text(&made, &configuration.admin, &url, mcp));
    }
    let looking = tokio::spawn(look_around(Arc::clone(&house)));
    let (stop, stopping) = watch::channel(false);
    let leases = house.leases(&address.to_string());
    let pruning = tokio::spawn(prune(Arc::clone(&house), leases, stopping));
    tracing::info!(%address, url, ?mcp, data = %configuration.data.display(), "listening");
    let app = house.app(configuration, &url);
    loggia_http::serve(listener, app.router(), configuration.http.limits, async {
        asked_to_stop.await;
        tracing::info!("stopping: no new requests, and those that run may finish");
    })
    .await?;
    looking.abort();
    stop.send_replace(true);
    // Whatever it waits for, nobody waits long for it.
    let _ = tokio::time::timeout(STOP_WITHIN, pruning).await;
    tracing::info!("stopped");
    Ok(())
}

/// Takes in what other processes change as soon as it is heard of, so that no request has to wait for it. What programs that
/// are none of ours write is looked for every few seconds.
async fn look_around(house: Arc<House>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        let seen = tokio::select! {
            () = house.engine.heard() => house.engine.catch_up().await,
            _ = ticks.tick() => house.engine.refresh().await,
        };
        if let Err(error) = seen {
            tracing::warn!(%error, "cannot look for changes by other processes");
        }
    }
}

/// Takes away what the settings do not keep any more: at the start, and once a day; of several servers one at a time. What
/// was begun when the server stops is done or not; the rest waits for the next time.
async fn prune(house: Arc<House>, mut leases: Leases, mut stopping: watch::Receiver<bool>) {
    const NAME: &str = "prune";
    loop {
        let pruning = async {
            match leases.during(NAME, pruned(&house)).await {
                Ok(Some(())) => PRUNE_EVERY,
                // Another is at it, and what it leaves is little.
                Ok(None) => RUNS_OUT / 3,
                Err(error) => {
                    tracing::warn!(%error, "cannot take the lease for taking away what need not be kept any more");
                    RUNS_OUT
                }
            }
        };
        let stopped = async {
            // Nobody can stop it any more: as if it had been.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        let is_over = async { tokio::time::sleep(pruning.await).await };
        tokio::select! {
            () = is_over => {}
            () = stopped => break,
        }
    }
    if let Err(error) = leases.give_back(NAME).await {
        tracing::warn!(%error, "a lease was not given back");
    }
}

async fn pruned(house: &House) {
    match house.engine.prune(&house.foundation.identity.itself()).await {
        Ok(pruned) if pruned.changes.is_empty() => {}
        Ok(pruned) => tracing::info!(
            activity = pruned.activity,
            revisions = pruned.revisions,
            "took away what need not be kept any more"
        ),
        Err(error) => tracing::warn!(%error, "cannot take away what need not be kept any more"),
    }
}
