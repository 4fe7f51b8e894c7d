//! When to stop: SIGTERM, or SIGINT from a terminal.

use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long requests that run may still take after the signal.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Waits for the signal to stop.
///
/// # Errors
/// When the process cannot listen to signals.
pub(crate) fn asked() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
