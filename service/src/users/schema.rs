use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Longer than any migration here, so that a replica that waits for the lock of another does not wait for ever.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);
/// A server that keeps its connections but has gone silent must not end the retries.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(70);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

const IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM users)";
const LOCK: &str = "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE";
const SEED_USERS: &str = "INSERT INTO users (id, name, email) \
    SELECT i, 'Demo ' || i, 'demo-' || i || '@example.com' FROM generate_series(1, $1) AS i";
const SEED_ORDERS: &str = "INSERT INTO orders (user_id, item, total_cents) \
    SELECT i, 'item ' || j, 100 * j FROM generate_series(1, $1) AS i, generate_series(1, 2) AS j";
const NEXT_ID: &str = "SELECT setval(pg_get_serial_sequence('users', 'id'), $1)";

/// Brings the database to the schema of this build.
pub struct Schema {
    options: PgConnectOptions,
    /// Demo users to insert if there are none.
    seed_users: u32,
}

#[derive(Debug, thiserror::Error)]
enum SchemaError {
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error("no connection within {CONNECT_LIMIT:?}")]
    Connect,
}

impl Schema {
    /// Starts in the background and retries until it worked; the receiver then holds true.
    ///
    /// Replicas that start together wait for each other on an advisory lock.
    pub fn apply(options: &PgConnectOptions, seed_users: u32) -> watch::Receiver<bool> {
        let milliseconds = STATEMENT_TIMEOUT.as_millis().to_string();
        let options = options.clone().options([("statement_timeout", milliseconds)]);
        let schema = Self { options, seed_users };
        let (sender, migrated) = watch::channel(false);
        tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            while let Err(error) = schema.bounded_attempt().await {
                tracing::warn!(error, retry_in_ms = pause.as_millis() as u64, "database not migrated");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            tracing::info!("database migrated");
            sender.send_replace(true);
            // Kept until everybody who may ask is gone.
            sender.closed().await;
        });
        migrated
    }

    async fn bounded_attempt(&self) -> Result<(), String> {
        match timeout(ATTEMPT_LIMIT, self.attempt()).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err(format!("not done within {ATTEMPT_LIMIT:?}")),
        }
    }

    async fn attempt(&self) -> Result<(), SchemaError> {
        let connection = PgConnection::connect_with(&self.options);
        let mut connection = timeout(CONNECT_LIMIT, connection).await.map_err(|_| SchemaError::Connect)??;
        let mut migrator: Migrator = sqlx::migrate!("./migrations");
        // In a rollback the older build meets a newer schema; it must be able to start.
        migrator.set_ignore_missing(true);
        migrator.run_direct(None, &mut connection, false).await?;
        if self.seed_users > 0 {
            self.seed(&mut connection).await?;
        }
        Ok(connection.close().await?)
    }

    async fn seed(&self, connection: &mut PgConnection) -> Result<(), SchemaError> {
        // Asked without the lock first: a replica that starts later must not hold up writes.
        if !sqlx::query_scalar::<_, bool>(IS_EMPTY).fetch_one(&mut *connection).await? {
            return Ok(());
        }
        let count = i64::from(self.seed_users);
        let mut transaction = connection.begin().await?;
        sqlx::query(LOCK).execute(&mut *transaction).await?;
        let is_empty: bool = sqlx::query_scalar(IS_EMPTY).fetch_one(&mut *transaction).await?;
        if is_empty {
            for statement in [SEED_USERS, SEED_ORDERS, NEXT_ID] {
                sqlx::query(statement).bind(count).execute(&mut *transaction).await?;
            }
            tracing::info!(count, "demo users inserted");
        }
        Ok(transaction.commit().await?)
    }
}
