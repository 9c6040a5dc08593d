//! Pillar: leaving without losing a request.
//!
//! The clock starts at SIGTERM or SIGINT and runs on an OS thread of its own, so it also runs when every worker of the
//! main runtime is blocked:
//!
//! | at | phase | meaning |
//! |---|---|---|
//! | 0 s | [`Phase::Lameduck`] | not ready, every HTTP/1 answer says `Connection: close`, HTTP/2 gets GOAWAY; still accepting |
//! | 5 s | [`Phase::Draining`] | backlog accepted, listener closed; open connections are served on |
//! | 20 s | [`Phase::Closing`] | idle connections closed, a request that still comes is answered 503 |
//! | 21 s | | connections closed that wait for nothing but their client: half a head, an unread answer, an event stream |
//! | 23 s | | telemetry flushed ([`Shutdown::flush_budget`]) |
//! | 25 s | | exit 1 by force |
//!
//! A second signal exits 1 at once. [`serve`] is an accept loop that follows these phases; `axum::serve` closes idle
//! keep-alive connections at the first signal and so loses requests that are on their way.

#[cfg(feature = "clap")]
mod args;
mod config;
#[cfg(feature = "axum")]
mod connection;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "axum")]
mod open;
#[cfg(feature = "axum")]
mod reserve;
#[cfg(feature = "axum")]
mod server;
mod signal;
#[cfg(feature = "axum")]
mod wire;
mod work;

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::Invalid;
#[cfg(feature = "clap")]
pub use args::Args;
pub use config::Config;
#[cfg(feature = "axum")]
pub use server::{Server, serve};
pub use work::Work;

/// For the connections that wait for nothing but their client to be closed.
#[cfg(feature = "axum")]
const ABANDON_MARGIN: Duration = Duration::from_millis(100);

/// How far a process is on its way out. Phases only ever advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// No signal so far.
    Running,
    /// Leaving, while others may not know yet.
    Lameduck,
    /// No new connections.
    Draining,
    /// No new requests either.
    Closing,
}

/// A handle to the clock. Clones share it.
#[derive(Clone)]
pub struct Shutdown {
    phase: watch::Receiver<Progress>,
    request: Arc<Notify>,
    config: Config,
    #[cfg(feature = "axum")]
    counts: Arc<Counts>,
    work: Work,
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Shutdown").field(&self.phase()).finish()
    }
}

/// Why the clock does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] Invalid),
    /// The signal handlers or the thread cannot be had.
    #[error("cannot take over the signals: {0}")]
    System(#[from] io::Error),
}

/// Connections of the server, for the metrics.
#[cfg(feature = "axum")]
#[derive(Debug, Default)]
struct Counts {
    open: std::sync::atomic::AtomicI64,
    refused: std::sync::atomic::AtomicU64,
}

#[derive(Clone, Copy)]
struct Progress {
    phase: Phase,
    /// When the signal came.
    since: Option<Instant>,
}

impl Shutdown {
    /// Takes over SIGTERM and SIGINT for this process.
    ///
    /// Fails if a setting cannot be used, or the handlers or the thread cannot be had.
    pub fn install(config: Config) -> Result<Self, Error> {
        config.validate()?;
        let (sender, phase) = watch::channel(Progress { phase: Phase::Running, since: None });
        let request = Arc::new(Notify::new());
        let work = Work::default();
        signal::spawn(config.clone(), sender, Arc::clone(&request), work.clone())?;
        Ok(Self {
            phase,
            request,
            config,
            #[cfg(feature = "axum")]
            counts: Arc::default(),
            work,
        })
    }

    /// Starts the clock as a signal would.
    pub fn begin(&self) {
        self.request.notify_one();
    }

    /// The phase now; lock-free for practical purposes, so it may be asked for every request.
    pub fn phase(&self) -> Phase {
        self.phase.borrow().phase
    }

    /// Waits until `phase` or a later one is reached. Cancel safe.
    pub async fn reached(&self, phase: Phase) {
        let mut progress = self.phase.clone();
        if progress.wait_for(|progress| progress.phase >= phase).await.is_err() {
            // The clock's thread only ends with the process.
            std::future::pending::<()>().await;
        }
    }

    /// Time left for flushing telemetry; the whole span between drain and flush if no signal came.
    pub fn flush_budget(&self) -> Duration {
        match self.phase.borrow().since {
            Some(since) => self.config.flush.saturating_sub(since.elapsed()),
            None => self.config.flush.saturating_sub(self.config.drain),
        }
    }

    /// The background work that hangs on this clock.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// Waits for the end of the time that requests in flight and background work have.
    #[cfg(feature = "axum")]
    pub(crate) async fn out_of_time(&self) {
        self.reached(Phase::Closing).await;
        // A moment more than the connections themselves take to give up.
        tokio::time::sleep(self.closing_grace() + ABANDON_MARGIN).await;
    }

    /// How long requests in flight may go on in [`Phase::Closing`]: a third of the time up to the flush deadline.
    #[cfg(feature = "axum")]
    fn closing_grace(&self) -> Duration {
        self.config.flush.saturating_sub(self.config.drain) / 3
    }
}
