use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Row as _};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::database::{Args, plain};

/// Longer than any migration here, so that a replica that waits for the lock of another does not wait for ever.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);
/// A server that keeps its connections but has gone silent must not end the retries.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(70);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";
const IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM users)";
const LOCK: &str = "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE";
const SEED_USERS: &str = "INSERT INTO users (id, name, email) \
    SELECT i, 'Demo ' || i, 'demo-' || i || '@example.com' FROM generate_series(1, $1) AS i";
const SEED_ORDERS: &str = "INSERT INTO orders (user_id, item, total_cents) \
    SELECT i, 'item ' || j, 100 * j FROM generate_series(1, $1) AS i, generate_series(1, 2) AS j";
const NEXT_ID: &str = "SELECT setval(pg_get_serial_sequence('users', 'id'), $1)";

/// The schema that this build needs.
pub struct Schema {
    options: PgConnectOptions,
    task: Task,
}

/// Who brings the database to it.
enum Task {
    /// We do, and insert so many demo users if there are none.
    Apply { seed_users: u32 },
    /// Somebody else (`users migrate`).
    Await,
}

/// Why the database does not have the schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A migration failed.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// Postgres, or the way to it.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// It cannot be reached.
    #[error("no connection within {CONNECT_LIMIT:?}")]
    Connect,
    /// It did not come to an end.
    #[error("not done within {ATTEMPT_LIMIT:?}")]
    Late,
    /// Nobody has applied it yet.
    #[error("migration {0} is missing: run `users migrate`")]
    Missing(i64),
}

impl Schema {
    /// To be applied by us, and demo users inserted if there are none. Replicas that do so together wait for each other on an
    /// advisory lock.
    pub fn applied(options: &PgConnectOptions, seed_users: u32) -> Self {
        let milliseconds = STATEMENT_TIMEOUT.as_millis().to_string();
        let options = plain(options).options([("statement_timeout", milliseconds)]);
        Self { options, task: Task::Apply { seed_users } }
    }

    /// Applied by somebody else, whom we wait for.
    pub fn awaited(options: &PgConnectOptions, args: &Args) -> Self {
        Self { options: args.bounded(options), task: Task::Await }
    }

    /// Starts in the background and retries until the schema is there; the receiver then holds true.
    pub fn start(self) -> watch::Receiver<bool> {
        let (sender, migrated) = watch::channel(false);
        tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            while let Err(error) = self.once().await {
                tracing::warn!(%error, retry_in_ms = pause.as_millis() as u64, "database not migrated");
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

    /// One attempt, for at most 70 s. Cancel safe: what was applied stays applied.
    pub async fn once(&self) -> Result<(), SchemaError> {
        timeout(ATTEMPT_LIMIT, self.attempt()).await.unwrap_or(Err(SchemaError::Late))
    }

    async fn attempt(&self) -> Result<(), SchemaError> {
        let connection = PgConnection::connect_with(&self.options);
        let mut connection = timeout(CONNECT_LIMIT, connection).await.map_err(|_| SchemaError::Connect)??;
        let mut migrator: Migrator = sqlx::migrate!("./migrations");
        // In a rollback the older build meets a newer schema; it must be able to start.
        migrator.set_ignore_missing(true);
        match self.task {
            Task::Apply { seed_users } => {
                migrator.run_direct(None, &mut connection, false).await?;
                seed(&mut connection, seed_users).await?;
            }
            Task::Await => look(&mut connection, &migrator).await?,
        }
        Ok(connection.close().await?)
    }
}

/// Fails if a migration of ours was not applied. Prepares nothing, for the sake of poolers.
async fn look(connection: &mut PgConnection, migrator: &Migrator) -> Result<(), SchemaError> {
    let rows = sqlx::raw_sql(APPLIED).fetch_all(connection).await?;
    let applied: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?;
    let missing = migrator.iter().map(|migration| migration.version).find(|each| !applied.contains(each));
    missing.map_or(Ok(()), |version| Err(SchemaError::Missing(version)))
}

async fn seed(connection: &mut PgConnection, users: u32) -> Result<(), SchemaError> {
    // Asked without the lock first: a replica that starts later must not hold up writes.
    if users == 0 || !sqlx::query_scalar::<_, bool>(IS_EMPTY).fetch_one(&mut *connection).await? {
        return Ok(());
    }
    let count = i64::from(users);
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
