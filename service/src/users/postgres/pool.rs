use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::{sleep, timeout};

use crate::users::DatabaseArgs;

/// A connection that was used this recently is not asked whether it is alive.
const TRUSTED: Duration = Duration::from_millis(500);
/// Longest time for that question; whoever does not answer it is replaced.
const PING_LIMIT: Duration = Duration::from_millis(500);
/// Age at which a connection is replaced, so that they move to where the name of the server leads by now.
const OLDEST: Duration = Duration::from_mins(30);
/// Idle time after which a connection is closed, if there are more than the fewest.
const IDLE: Duration = Duration::from_mins(10);
const TEND_INTERVAL: Duration = Duration::from_mins(1);
const RETRY: Duration = Duration::from_secs(1);

/// Connections for requests.
///
/// Not the pool of sqlx: that one asks the server before and after every statement, the second time without a limit,
/// which triples the round trips and loses its permits to a server that has gone silent; and it goes on trying a server
/// that refuses until its own time is over, so that the breaker hears of it seconds late.
#[derive(Clone)]
pub(super) struct Pool {
    connections: managed::Pool<Connector>,
    acquire_timeout: Duration,
}

/// Whether a connection may turn out to be dead only by the statement that is sent over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// For reads, which have a fallback: if it was in use a moment ago.
    Recent,
    /// For writes: it is asked in any case.
    Nobody,
}

/// A connection lent to one statement; closed when dropped, since an answer may still be on its way.
pub(super) struct Lease(Option<Object<Connector>>);

struct Connector {
    options: PgConnectOptions,
    limit: Duration,
}

impl Pool {
    /// Opens the fewest connections in the background, and more when they are needed.
    pub(super) fn new(options: PgConnectOptions, args: &DatabaseArgs) -> Self {
        let most = args.database_max_connections as usize;
        let acquire_timeout = args.acquire_timeout();
        let connections = managed::Pool::builder(Connector { options, limit: acquire_timeout })
            .max_size(most)
            .queue_mode(QueueMode::Lifo)
            .build()
            .expect("fails only where time-outs lack a runtime, and there are none");
        let fewest = (args.database_min_connections as usize).min(most);
        tokio::spawn(tend(connections.clone(), fewest));
        Self { connections, acquire_timeout }
    }

    /// Takes a connection that is idle, or makes one, or waits for one. Cancel safe.
    pub(super) async fn acquire(&self, trust: Trust) -> sqlx::Result<Lease> {
        let acquire = async {
            loop {
                let mut lease = Lease(Some(self.connections.get().await.map_err(sql_error)?));
                if trust == Trust::Recent || is_alive(lease.connection()).await {
                    return Ok(lease);
                }
            }
        };
        timeout(self.acquire_timeout, acquire).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Closes what is idle, and the others as they come back.
    pub(super) fn close(&self) {
        self.connections.close();
    }
}

impl Lease {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        self.0.as_deref_mut().expect("taken only at the end")
    }

    /// Puts the connection back for the next statement; nothing may be on its way on it.
    pub(super) fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            // Off the books of the pool, which may open another one at once, and then closed by its own drop.
            drop(Object::take(connection));
        }
    }
}

impl managed::Manager for Connector {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<PgConnection> {
        // Whoever waits for it may have no limit of their own.
        let connect = PgConnection::connect_with(&self.options).boxed();
        timeout(self.limit, connect).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn recycle(&self, connection: &mut PgConnection, usage: &Metrics) -> RecycleResult<sqlx::Error> {
        if usage.age() > OLDEST {
            return Err(RecycleError::message("old"));
        }
        if usage.last_used() < TRUSTED || is_alive(connection).await {
            return Ok(());
        }
        Err(RecycleError::message("dead"))
    }
}

async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(timeout(PING_LIMIT, connection.ping().boxed()).await, Ok(Ok(())))
}

/// Opens the fewest connections, once that is possible, and then closes what nobody uses.
async fn tend(pool: managed::Pool<Connector>, fewest: usize) {
    // All at once, since one that is given back would be taken again.
    while !pool.is_closed() && join_all((0..fewest).map(|_| pool.get())).await.iter().any(Result::is_err) {
        sleep(RETRY).await;
    }
    while !pool.is_closed() {
        let mut kept = 0;
        pool.retain(|_, usage| {
            kept += 1;
            kept <= fewest || usage.last_used() < IDLE
        });
        sleep(TEND_INTERVAL).await;
    }
}

fn sql_error(error: PoolError<sqlx::Error>) -> sqlx::Error {
    match error {
        PoolError::Backend(error) => error,
        PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
        _ => sqlx::Error::PoolClosed,
    }
}
