//! The HTTPS server: HTTP/1.1 behind TLS, which is all that an API server speaks to a webhook, and an end that loses no request.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use golive_pillars::shutdown::Phase;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_util::task::TaskTracker;

use super::certificate::Certificate;
use super::connection::{connection, reached};

/// Connections at a time. An API server keeps a handful; what each may hold in memory has to fit into the pod.
const MAX_CONNECTIONS: usize = 256;

/// Pause after an accept error, which mostly means that no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Silence on the listener after which its backlog counts as empty.
const BACKLOG_QUIET: Duration = Duration::from_millis(20);

/// How long what is being answered may go on when all else is closed.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Serves until it is told to leave: answers say so from [`Phase::Lameduck`] on, there are no new connections from
/// [`Phase::Draining`] on, and idle ones are closed in [`Phase::Closing`]. Who drops the sender of phases says `Closing`.
pub(super) async fn serve(
    listener: TcpListener,
    app: Router,
    certificate: Arc<Certificate>,
    phase: watch::Receiver<Phase>,
) {
    let server = Server {
        acceptor: acceptor(certificate),
        app,
        phase,
        room: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        connections: TaskTracker::new(),
    };
    tokio::select! {
        () = server.accept(&listener) => {}
        () = reached(&server.phase, Phase::Draining) => {}
    }
    // Connections that the kernel has already made are somebody's question.
    for _ in 0..MAX_CONNECTIONS {
        match timeout(BACKLOG_QUIET, listener.accept()).await {
            Ok(Ok((stream, _))) => server.take(stream),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    drop(listener);
    server.finish().await;
}

struct Server {
    acceptor: TlsAcceptor,
    app: Router,
    phase: watch::Receiver<Phase>,
    room: Arc<Semaphore>,
    connections: TaskTracker,
}

impl Server {
    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.take(stream),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// One too many meets a closed connection; the API server goes by its failure policy.
    fn take(&self, stream: TcpStream) {
        let Ok(place) = self.room.clone().try_acquire_owned() else { return };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let served = connection(stream, self.acceptor.clone(), self.app.clone(), self.phase.clone());
        self.connections.spawn(async move {
            served.await;
            drop(place);
        });
    }

    async fn finish(&self) {
        self.connections.close();
        let out_of_time = async {
            reached(&self.phase, Phase::Closing).await;
            sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            () = self.connections.wait() => {}
            () = out_of_time => {
                tracing::warn!(left = self.connections.len(), "connections left at the end of the drain");
            }
        }
    }
}

/// TLS of the server: its certificate is looked for at each handshake.
pub(super) fn acceptor(certificate: Arc<Certificate>) -> TlsAcceptor {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let versions = builder.with_safe_default_protocol_versions();
    let mut config =
        versions.expect("ring has TLS 1.2 and 1.3").with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}
