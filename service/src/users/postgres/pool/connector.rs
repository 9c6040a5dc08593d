use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use futures_util::FutureExt as _;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::Notify;
use tokio::time::timeout;

/// A connection that was used this recently is not asked whether it is alive.
const TRUSTED: Duration = Duration::from_millis(500);
/// Longest time for that question; whoever does not answer it is replaced.
const PING_LIMIT: Duration = Duration::from_millis(500);
/// Age at which a connection is replaced, so that they move to where the name of the server leads by now.
pub(super) const OLDEST: Duration = Duration::from_mins(30);
/// While the name still leads to a former primary, all connections are replaced once in this time, not by every write.
const OUTDATE_PAUSE: Duration = Duration::from_millis(500);

/// Makes connections, and says which of those that were used before may be used again.
pub(in crate::users::postgres) struct Connector {
    options: PgConnectOptions,
    limit: Duration,
    // Guards two instants; held for a look.
    learned: Mutex<Learned>,
    answers: AtomicU64,
    /// Told when a connection comes back or is closed.
    pub(super) freed: Notify,
}

/// What one connection has shown of others.
#[derive(Clone, Copy, Default)]
struct Learned {
    /// When one was found dead for the last time.
    lost: Option<Instant>,
    /// Those made before then lead to a server that is the wrong one by now, or know plans of an older schema.
    outdated: Option<Instant>,
}

impl Connector {
    pub(super) fn new(options: PgConnectOptions, limit: Duration) -> Self {
        let (learned, answers, freed) = (Mutex::default(), AtomicU64::default(), Notify::new());
        Self { options, limit, learned, answers, freed }
    }

    /// How many statements were answered so far.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lost(&self) {
        self.learned().lost = Some(Instant::now());
    }

    /// A connection made at `created` has shown that those as old as itself are of no use.
    pub(super) fn outdate(&self, created: Instant) {
        let now = Instant::now();
        let mut learned = self.learned();
        let known = learned.outdated.is_some_and(|at| created < at || now < at + OUTDATE_PAUSE);
        if !known {
            learned.outdated = Some(now);
            drop(learned);
            tracing::warn!("Postgres has changed behind its connections: all are replaced");
        }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Manager for Connector {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<PgConnection> {
        // Whoever waits for it may have no limit of their own.
        let connect = PgConnection::connect_with(&self.options).boxed();
        timeout(self.limit, connect).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn recycle(&self, connection: &mut PgConnection, usage: &Metrics) -> RecycleResult<sqlx::Error> {
        let learned = *self.learned();
        if usage.age() > OLDEST || learned.outdated > Some(usage.created) {
            return Err(RecycleError::message("old"));
        }
        // What was lost silently was lost together: asking each would take as many limits.
        if learned.lost > Some(usage.recycled.unwrap_or(usage.created)) {
            return Err(RecycleError::message("not used since another one was found dead"));
        }
        if usage.last_used() < TRUSTED || is_alive(connection).await {
            return Ok(());
        }
        self.lost();
        Err(RecycleError::message("dead"))
    }
}

pub(super) async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(timeout(PING_LIMIT, connection.ping().boxed()).await, Ok(Ok(())))
}
