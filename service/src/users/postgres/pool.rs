use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
/// Attempts to open the fewest connections; after that the calls open what they need.
const WARM_UPS: usize = 30;

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
    Asked,
}

/// A connection lent to one statement; closed when dropped, since an answer may still be on its way.
pub(super) struct Lease(Option<Object<Connector>>);

struct Connector {
    options: PgConnectOptions,
    limit: Duration,
    /// When a connection was found dead for the last time.
    // Guards one instant; held for a look.
    found_dead: Mutex<Option<Instant>>,
}

impl Pool {
    /// Opens the fewest connections in the background, and more when they are needed.
    pub(super) fn new(options: PgConnectOptions, args: &DatabaseArgs) -> Self {
        let most = args.database_max_connections as usize;
        let acquire_timeout = args.acquire_timeout();
        let connections = managed::Pool::builder(Connector::new(options, acquire_timeout))
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
        if usage.last_used() < TRUSTED {
            return Ok(());
        }
        // What was lost silently was lost together: asking each would take as many limits.
        if self.last_death() > Some(usage.recycled.unwrap_or(usage.created)) {
            return Err(RecycleError::message("not used since another one was found dead"));
        }
        if is_alive(connection).await {
            return Ok(());
        }
        *self.found_dead.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Err(RecycleError::message("dead"))
    }
}

impl Connector {
    fn new(options: PgConnectOptions, limit: Duration) -> Self {
        Self { options, limit, found_dead: Mutex::new(None) }
    }

    fn last_death(&self) -> Option<Instant> {
        *self.found_dead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(timeout(PING_LIMIT, connection.ping().boxed()).await, Ok(Ok(())))
}

/// Opens the fewest connections, if that is possible soon, and then closes what is old or what nobody uses.
async fn tend(pool: managed::Pool<Connector>, fewest: usize) {
    for _ in 0..WARM_UPS {
        // All at once, since one that is given back would be taken again.
        let opened = join_all((0..fewest).map(|_| pool.get())).await;
        if pool.is_closed() || opened.iter().all(Result::is_ok) {
            break;
        }
        drop(opened);
        sleep(RETRY).await;
    }
    while !pool.is_closed() {
        // Those that were idle longest come first.
        let mut surplus = pool.status().available.saturating_sub(fewest);
        pool.retain(|_, usage| {
            let goes = usage.age() > OLDEST || surplus > 0 && usage.last_used() >= IDLE;
            surplus = surplus.saturating_sub(usize::from(goes));
            !goes
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
