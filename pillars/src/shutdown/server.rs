use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::open::Open;
use super::reserve::{Reserve, is_probe};
use super::wire::Wire;
use super::{Counts, Phase, Shutdown};
use crate::http_server;

/// Silence on the listener after which its backlog counts as empty.
const BACKLOG_QUIET: Duration = Duration::from_millis(20);
/// Longest time for the backlog, should somebody never stop connecting.
const BACKLOG_LIMIT: Duration = Duration::from_millis(500);
/// Pause after an accept error, which mostly means that no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest time for the head of a probe, once it has begun, and for a client of one that does not read.
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
    let acceptor = Acceptor::new(app, shutdown);
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
    places: Arc<Semaphore>,
    reserve: Reserve,
}

impl Acceptor {
    fn new(app: Router, shutdown: &Shutdown) -> Self {
        let most = shutdown.config.max_connections.min(Semaphore::MAX_PERMITS);
        Self {
            app,
            shutdown: shutdown.clone(),
            connections: TaskTracker::new(),
            places: Arc::new(Semaphore::new(most)),
            reserve: Reserve::new(),
        }
    }

    async fn accept(&self, listener: &TcpListener) {
        loop {
            self.take(listener.accept().await).await;
        }
    }

    async fn take(&self, accepted: std::io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, address)) => match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => self.user(stream, address, place),
                Err(_) => self.probe(stream, address),
            },
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    fn user(&self, stream: TcpStream, address: SocketAddr, place: OwnedSemaphorePermit) {
        let connection = Connection::new(address, self.app.clone(), self.shutdown.clone());
        let limit = self.shutdown.config.idle_timeout;
        let wire = Wire::new(undelayed(stream), limit, Open::new(&self.shutdown, place));
        let builder = http_server::builder(limit);
        self.connections.spawn(async move { connection.drive(&builder, wire).await });
    }

    /// One too many: answered if it is a probe, and once.
    fn probe(&self, stream: TcpStream, address: SocketAddr) {
        let counts = Arc::clone(&self.shutdown.counts);
        let Some(place) = self.reserve.place() else { return turn_away(&stream, &counts) };
        let connection = Connection::new(address, self.app.clone(), self.shutdown.clone());
        self.connections.spawn(async move {
            if !is_probe(&stream).await {
                return turn_away(&stream, &counts);
            }
            let mut builder = http_server::builder(PROBE_LIMIT);
            builder.http1().keep_alive(false);
            connection.drive(&builder, Wire::new(undelayed(stream), PROBE_LIMIT, place)).await;
        });
    }
}

fn undelayed(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    stream
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

#[cfg(test)]
mod tests;
