use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinHandle;

use crate::harness::World;

/// What Postgres itself counts, asked around the gate.
pub(super) struct Database {
    connection: PgConnection,
}

impl Database {
    pub(super) async fn of(world: &World) -> Self {
        // A session of the database itself: its statistics of tables are seen from inside only. It never touches one.
        Self { connection: PgConnection::connect(&(world.url() + "?application_name=watch")).await.unwrap() }
    }

    /// Statements on the table of users since the start. Health does not use it.
    pub(super) async fn statements(&mut self) -> i64 {
        let count = "SELECT seq_scan + coalesce(idx_scan, 0) + n_tup_ins FROM pg_stat_user_tables \
                     WHERE relname = 'users'";
        sqlx::query_scalar(count).fetch_one(&mut self.connection).await.unwrap()
    }

    /// Sessions of the service.
    async fn connections(&mut self) -> i64 {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND application_name <> 'watch' AND backend_type = 'client backend'";
        sqlx::query_scalar(count).fetch_one(&mut self.connection).await.unwrap()
    }
}

/// Looks at the number of sessions every 50 ms.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    most: JoinHandle<i64>,
}

impl Watch {
    pub(super) async fn start(world: &World) -> Self {
        let mut database = Database::of(world).await;
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let most = tokio::spawn(async move {
            let mut most = 0;
            while !stopped.load(Ordering::Relaxed) {
                most = most.max(database.connections().await);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            most
        });
        Self { stop, most }
    }

    /// The most there were.
    pub(super) async fn stop(self) -> i64 {
        self.stop.store(true, Ordering::Relaxed);
        self.most.await.unwrap()
    }
}
