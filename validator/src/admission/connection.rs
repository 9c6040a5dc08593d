//! One connection: how long somebody may be silent, and how he learns that the server leaves.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Request, header};
use golive_pillars::shutdown::Phase;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Longest time for a handshake, and after it for the first request: whoever reaches the port can take a place for so long.
pub(super) const STRANGER: Duration = Duration::from_secs(8);

/// Longest time from one request to the next: an API server closes idle connections after 90 s (net/http, `IdleConnTimeout`), and
/// must be the one who does, since it does not repeat a question that meets a closed connection.
pub(super) const KEPT: Duration = Duration::from_mins(2);

/// What a connection holds of what was sent and not read yet; a head is never so long.
const MAX_BUFFER: usize = 64 * 1024;

/// Answers until the client leaves, is silent for too long or does not read, or the server is at its end.
pub(super) async fn connection<S>(
    stream: S,
    acceptor: TlsAcceptor,
    app: Router,
    phase: watch::Receiver<Phase>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let encrypted = match timeout(STRANGER, acceptor.accept(stream)).await {
        Ok(Ok(encrypted)) => encrypted,
        // Most of all a client that does not know our authority: the API server tells it as well.
        Ok(Err(error)) => return tracing::info!(%error, "no handshake"),
        Err(_) => return,
    };
    let asked = Arc::new(Notify::new());
    let service = {
        let (inner, asked, phase) = (TowerToHyperService::new(app), asked.clone(), phase.clone());
        service_fn(move |request: Request<Incoming>| {
            asked.notify_one();
            let (answered, phase) = (inner.call(request), phase.clone());
            async move {
                let mut answer = answered.await?;
                // An idle connection is told by its next answer: closed at once, it could have a question on its way.
                if *phase.borrow() > Phase::Running || !answer.status().is_success() {
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, std::convert::Infallible>(answer)
            }
        })
    };
    let mut builder = http1::Builder::new();
    // hyper's time is for heads alone, and does not tell strangers from others.
    builder.header_read_timeout(None).max_buf_size(MAX_BUFFER);
    let mut served = pin!(builder.serve_connection(TokioIo::new(encrypted), service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = silence(&asked) => return,
        () = reached(&phase, Phase::Closing) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Ends when no request has begun for too long. One that has takes [`super::body`]'s time at most, and who does not read the
/// answer begins no other.
async fn silence(asked: &Notify) {
    let mut limit = STRANGER;
    while timeout(limit, asked.notified()).await.is_ok() {
        limit = KEPT;
    }
}

/// Waits for a phase or a later one. Cancel safe.
pub(super) async fn reached(phase: &watch::Receiver<Phase>, wanted: Phase) {
    // An error is a sender that is gone, which is the end as well.
    drop(phase.clone().wait_for(|phase| *phase >= wanted).await);
}
