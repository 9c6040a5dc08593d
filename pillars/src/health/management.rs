use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::sleep;

use crate::http_server;

/// Connections at a time: probes and scrapes need a handful, and with the longest head each of them takes 32 KiB.
const MOST_CONNECTIONS: usize = 64;
/// Longer than scrapers keep idle connections.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Pause after an accept error, which mostly means that no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `routes` from an OS thread with a runtime of its own, for as long as the process lives.
///
/// Nothing that the main runtime does, or fails to do, can delay an answer. With 64 connections the oldest one makes way
/// for the next: whoever takes them all and says nothing keeps no probe away. Fails if the listener or the thread cannot be
/// used.
pub fn spawn(listener: std::net::TcpListener, routes: Router) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    std::thread::Builder::new().name("management".to_owned()).spawn(move || {
        runtime.block_on(async {
            match TcpListener::from_std(listener) {
                Ok(listener) => serve(&listener, &routes).await,
                Err(error) => tracing::error!(%error, "the management port is gone"),
            }
        });
    })?;
    Ok(())
}

async fn serve(listener: &TcpListener, routes: &Router) {
    let mut open = Open::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => open.add(answer(stream, routes.clone())),
            Err(error) => {
                tracing::warn!(%error, "a connection of the management port was not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
        // Each has its turn before the next one comes: a burst would close probes that nobody has read.
        yield_now().await;
    }
}

async fn answer(stream: TcpStream, routes: Router) {
    let builder = http_server::builder(HEAD_TIMEOUT);
    let service = TowerToHyperService::new(routes);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection of the management port ended with an error");
    }
}

/// The open connections, the oldest first. An answer is there in no time, so the oldest one is idle or has not asked.
#[derive(Default)]
struct Open(VecDeque<JoinHandle<()>>);

impl Open {
    fn add(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        self.0.retain(|each| !each.is_finished());
        if self.0.len() >= MOST_CONNECTIONS
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.abort();
        }
        self.0.push_back(tokio::spawn(connection));
    }
}
