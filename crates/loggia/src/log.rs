//! The log: one stream of events on standard error, for eyes or for machines.
//!
//! Each request is one event, at `debug` or, where it failed, at `error`, with its `request_id`. No room writes
//! credentials into an event.

use crate::configuration::{Log, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts the log of this process. Once only; a second start changes nothing.
pub(crate) fn start(log: &Log) {
    let filter = EnvFilter::new(log.level.as_str());
    let on_terminal = std::io::stderr().is_terminal();
    let format = log.format.unwrap_or(if on_terminal {
        LogFormat::Pretty
    } else {
        LogFormat::Json
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A log that runs already was started by whoever embeds this: theirs stays.
    let _ = match format {
        LogFormat::Pretty => {
            let colours = on_terminal && std::env::var_os("NO_COLOR").is_none();
            builder.with_ansi(colours).with_target(false).try_init()
        }
        LogFormat::Json => builder.json().with_span_list(false).try_init(),
    };
}
