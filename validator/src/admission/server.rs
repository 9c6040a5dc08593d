//! The HTTPS server: HTTP/1.1 and HTTP/2 behind TLS, and an end that loses no request.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;

use super::certificate::Certificate;

/// Connections at a time. An API server keeps a handful.
const MAX_CONNECTIONS: usize = 1_024;

/// Longest time for a handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause after an accept error, which mostly means that no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until it is told to leave, and then what has been asked already, until its time is over.
pub(super) async fn serve(
    listener: TcpListener,
    app: Router,
    certificate: Arc<Certificate>,
    leaving: impl Future<Output = ()>,
    out_of_time: impl Future<Output = ()>,
) {
    let acceptor = acceptor(certificate);
    let (graceful, room) = (GracefulShutdown::new(), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // One too many meets a closed connection; the API server goes by its failure policy.
                    let Ok(place) = room.clone().try_acquire_owned() else { continue };
                    let served = connection(stream, acceptor.clone(), app.clone(), graceful.watcher());
                    tokio::spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = leaving => {}
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = out_of_time => tracing::warn!("connections left at the end of the drain"),
    }
}

fn acceptor(certificate: Arc<Certificate>) -> TlsAcceptor {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let versions = builder.with_safe_default_protocol_versions();
    let mut config =
        versions.expect("ring has TLS 1.2 and 1.3").with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, app: Router, watcher: Watcher) {
    let encrypted = match timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(encrypted)) => encrypted,
        // Most of all a client that does not know our authority: the API server tells it as well.
        Ok(Err(error)) => return tracing::info!(%error, "no handshake"),
        Err(_) => return,
    };
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new());
    let served =
        builder.serve_connection(TokioIo::new(encrypted), TowerToHyperService::new(app)).into_owned();
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%error, "a connection ended");
    }
}
