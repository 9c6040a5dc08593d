mod connector;
mod lease;
mod tend;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, Object, PoolError, QueueMode};
use futures_util::FutureExt as _;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::PostgresError;
use super::fate::Fate;
use crate::users::DatabaseArgs;
use connector::{Connector, is_alive};
pub(super) use lease::Lease;

/// Connections for requests.
///
/// Not the pool of sqlx: that one asks the server before and after every statement, the second time without a limit,
/// which triples the round trips and loses its permits to a server that has gone silent; and it goes on trying a server
/// that refuses until its own time is over, so that the breaker hears of it seconds late.
#[derive(Clone)]
pub(super) struct Pool {
    connections: managed::Pool<Connector>,
    /// As many as there may be connections. Not those of `connections`: whoever has to wait for a connection that is in
    /// use, since no other can be made, keeps a place here instead of going back to the end of the queue.
    places: Arc<Semaphore>,
    /// One for each that may wait for a place: beyond that the wait would only make all late.
    queue: Arc<Semaphore>,
    acquire_timeout: Duration,
}

/// How long a caller who was refused a new connection waits for another one before he tries again.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

/// Whether a connection may turn out to be dead only by the statement that is sent over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// For reads, which have a fallback: if it was in use a moment ago.
    Recent,
    /// For writes: it is asked in any case.
    Asked,
}

impl Pool {
    /// Opens the fewest connections in the background, and more when they are needed.
    pub(super) fn new(options: PgConnectOptions, args: &DatabaseArgs) -> Self {
        let most = args.database_max_connections as usize;
        let acquire_timeout = args.database_acquire_timeout;
        let connections = managed::Pool::builder(Connector::new(options, acquire_timeout))
            .max_size(most)
            .queue_mode(QueueMode::Lifo)
            .build()
            .expect("fails only where time-outs lack a runtime, and there are none");
        let fewest = (args.database_min_connections as usize).min(most);
        tokio::spawn(tend::tend(connections.clone(), fewest));
        let queue = Arc::new(Semaphore::new(args.database_max_waiting as usize));
        Self { connections, places: Arc::new(Semaphore::new(most)), queue, acquire_timeout }
    }

    /// Takes a connection that is idle, or makes one, or waits for one. Cancel safe.
    pub(super) async fn acquire(&self, trust: Trust) -> Result<Lease, PostgresError> {
        let answers = self.connections.manager().answers();
        match timeout(self.acquire_timeout, self.take(trust)).await {
            Ok(taken) => taken,
            // Others got their answers meanwhile: it is we who have too few connections, and not Postgres that hangs.
            Err(_) if self.connections.manager().answers() != answers => Err(PostgresError::Saturated),
            Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
        }
    }

    async fn take(&self, trust: Trust) -> Result<Lease, PostgresError> {
        loop {
            let place = self.place().await?;
            let mut lease = Lease::of(self.connection().await?, place);
            if trust == Trust::Recent || is_alive(lease.connection()).await {
                return Ok(lease);
            }
            lease.end(Fate::Lost);
        }
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, PostgresError> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let Ok(_waiting) = self.queue.try_acquire() else { return Err(PostgresError::Saturated) };
        // Boxed where waiting takes far longer anyway, so that the futures around this one stay small.
        let place = Arc::clone(&self.places).acquire_owned().boxed().await;
        place.map_err(|_| sqlx::Error::PoolClosed.into())
    }

    async fn connection(&self) -> Result<Object<Connector>, PostgresError> {
        loop {
            match self.connections.get().await {
                Ok(connection) => return Ok(connection),
                Err(PoolError::Backend(error)) if self.connections.status().size == 0 => {
                    return Err(PostgresError::Unconnected(error));
                }
                // The server takes no more (it has too many, say), but there are some: one of them will do.
                Err(PoolError::Backend(_)) => self.outlast().boxed().await,
                Err(PoolError::Timeout(_)) => return Err(sqlx::Error::PoolTimedOut.into()),
                Err(_) => return Err(sqlx::Error::PoolClosed.into()),
            }
        }
    }

    /// Waits until a connection is idle or there is none at all, or else for a while.
    async fn outlast(&self) {
        let until = Instant::now() + REFUSED_PAUSE;
        loop {
            let mut freed = pin!(self.connections.manager().freed.notified());
            // From here on nothing is missed.
            freed.as_mut().enable();
            let status = self.connections.status();
            if status.size == 0 || status.available > 0 || timeout_at(until, freed).await.is_err() {
                return;
            }
        }
    }

    /// Closes what is idle, and the others as they come back.
    pub(super) fn close(&self) {
        self.places.close();
        self.connections.close();
    }
}
