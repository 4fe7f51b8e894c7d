//! Connections: accepted, tuned, and let go in good order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

use crate::config::HttpLimits;
use crate::entrance::Peer;
use crate::unreadable::{MAX_HEAD, MAX_HEADERS, Screen};

/// Serves connections of `listener` until `stop` is ready; then takes no new ones, lets running requests finish within
/// the configured time, and returns.
///
/// # Errors
/// None of single connections; only when the listener cannot say its address.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: HttpLimits,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.local_addr()?;
    let places = Arc::new(Semaphore::new(limits.connections));
    let (stopping, stopped) = watch::channel(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else {
            continue;
        };
        let connection = converse(
            stream,
            peer,
            router.clone(),
            limits.header_timeout,
            stopped.clone(),
        );
        tokio::spawn(async move {
            let _place = place;
            connection.await;
        });
    }
    drop(listener);
    drop(stopped);
    stopping.send_replace(true);
    // Every connection holds a receiver; the last one to go closes the channel.
    if tokio::time::timeout(limits.stop_timeout, stopping.closed())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time and are cut off");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, std::net::SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            // Out of file descriptors, most likely: wait for some to be given back rather than spin.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// One connection. When the client goes, the work that was done for it is dropped.
async fn converse(
    stream: TcpStream,
    peer: std::net::SocketAddr,
    router: Router,
    header_timeout: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .keep_alive(true)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Screen::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let stop_asked = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        stopped
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // Held on to until the connection has ended: `serve` waits for the last holder.
        _stopped = stop_asked => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
