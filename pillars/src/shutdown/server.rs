use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::reserve::{Reserve, is_probe};
use super::{Counts, Phase, Shutdown};
use crate::http_server;

/// Silence on the listener after which its backlog counts as empty.
const BACKLOG_QUIET: Duration = Duration::from_millis(20);
/// Longest time for the backlog, should somebody never stop connecting.
const BACKLOG_LIMIT: Duration = Duration::from_millis(500);
/// Pause after an accept error, which mostly means that no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest time for the head of a probe, once it has begun.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// What is left after [`serve`].
#[must_use]
pub struct Server {
    connections: TaskTracker,
}

impl Server {
    /// Waits for the connections that are left, without limit. Cancel safe.
    pub async fn finished(&self) {
        self.connections.wait().await;
    }
}

/// Serves `app` over HTTP/1 and HTTP/2 (prior knowledge) until the shutdown clock says otherwise.
///
/// Returns when the listener is closed and either every connection has ended or the time for requests in flight is
/// over. Each request carries axum's `ConnectInfo` as an extension. Beyond the limit of connections GET requests for
/// `/health` and `/ready` are still answered, each on a connection of its own.
pub async fn serve(listener: TcpListener, app: Router, shutdown: &Shutdown) -> Server {
    let connections = TaskTracker::new();
    let acceptor = Acceptor { app, shutdown: shutdown.clone(), connections, reserve: Reserve::new() };
    tokio::select! {
        () = acceptor.accept(&listener) => {}
        () = shutdown.reached(Phase::Draining) => {}
    }
    // Connections that the kernel has already made are somebody's request.
    let backlog = async {
        while let Ok(accepted) = timeout(BACKLOG_QUIET, listener.accept()).await {
            acceptor.take(accepted).await;
        }
    };
    if timeout(BACKLOG_LIMIT, backlog).await.is_err() {
        tracing::warn!("new connections were still coming when the listener closed");
    }
    drop(listener);
    let connections = acceptor.connections;
    connections.close();
    tokio::select! {
        () = connections.wait() => {}
        () = shutdown.out_of_time() => tracing::warn!(left = connections.len(), "connections left at the end of the drain"),
    }
    Server { connections }
}

struct Acceptor {
    app: Router,
    shutdown: Shutdown,
    connections: TaskTracker,
    reserve: Reserve,
}

impl Acceptor {
    async fn accept(&self, listener: &TcpListener) {
        loop {
            self.take(listener.accept().await).await;
        }
    }

    async fn take(&self, accepted: std::io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, address)) if self.connections.len() >= self.shutdown.config.max_connections => {
                self.probe(stream, address);
            }
            Ok((stream, address)) => self.user(stream, address),
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    fn user(&self, stream: TcpStream, address: SocketAddr) {
        let connection = Connection::new(address, self.app.clone(), self.shutdown.clone());
        let open = Open::new(&self.shutdown);
        let builder = http_server::builder(self.shutdown.config.idle_timeout);
        self.connections.spawn(async move {
            let _open = open;
            connection.drive(&builder, stream).await;
        });
    }

    /// One too many: answered if it is a probe, and once.
    fn probe(&self, stream: TcpStream, address: SocketAddr) {
        let counts = Arc::clone(&self.shutdown.counts);
        let Some(place) = self.reserve.place() else { return turn_away(&stream, &counts) };
        let connection = Connection::new(address, self.app.clone(), self.shutdown.clone());
        self.connections.spawn(async move {
            let _place = place;
            if !is_probe(&stream).await {
                return turn_away(&stream, &counts);
            }
            let mut builder = http_server::builder(PROBE_LIMIT);
            builder.http1().keep_alive(false);
            connection.drive(&builder, stream).await;
        });
    }
}

/// An open connection in the metrics, also if its task panics.
struct Open(Arc<Counts>);

impl Open {
    fn new(shutdown: &Shutdown) -> Self {
        let counts = Arc::clone(&shutdown.counts);
        counts.open.fetch_add(1, Ordering::Relaxed);
        Self(counts)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Says why, as far as the empty buffer of a new socket takes it, and hangs up.
fn turn_away(stream: &TcpStream, counts: &Counts) {
    // Those who are turned away together are not to come back together.
    let after = 1 + counts.refused.fetch_add(1, Ordering::Relaxed) % 2;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: {after}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    // The client meets a closed connection otherwise, which says the same.
    let _ = stream.try_write(answer.as_bytes());
}
