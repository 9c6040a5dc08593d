mod error;
mod fate;
mod pool;
mod probe;

use futures_util::FutureExt as _;
use futures_util::future::{Either, ready};
use opentelemetry::KeyValue;
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::database::{Args, Session};
use super::statement::{FIND_USER, INSERT, INSERT_USER, LIST_ORDERS, LIST_USERS, Statement};
use super::{NewUser, Order, User};
pub use error::PostgresError;
use fate::Fate;
use golive_pillars::telemetry::{ClientSpan, Telemetry, semconv};
use pool::{Lease, Pool, Trust};
pub use probe::PostgresProbe;

/// Users in Postgres: one method a statement, one span a call.
///
/// The futures of sqlx have seven kilobytes; each is boxed where it is made, or every wrapper around it would move it.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    session: Session,
    endpoint: Endpoint,
    telemetry: Telemetry,
}

#[derive(Clone)]
struct Endpoint {
    host: String,
    port: i64,
    namespace: String,
}

impl Postgres {
    /// Starts to connect in the background, so that a database that is away does not stop the start.
    pub fn new(options: &PgConnectOptions, args: &Args, telemetry: Telemetry) -> Self {
        let endpoint = Endpoint {
            host: options.get_host().to_owned(),
            port: i64::from(options.get_port()),
            namespace: options.get_database().unwrap_or_else(|| options.get_username()).to_owned(),
        };
        Self { pool: Pool::new(args.bounded(options), args), session: args.session(), endpoint, telemetry }
    }

    /// The user with this id.
    pub async fn find(&self, id: i64) -> Result<Option<User>, PostgresError> {
        let mut call = self.begin(&FIND_USER).await?;
        let row = sqlx::query_as(FIND_USER.text)
            .persistent(self.keeps_statements())
            .bind(id)
            .fetch_optional(call.connection())
            .boxed()
            .await;
        call.finish(row).await
    }

    /// Up to `limit` users with ids above `after`, in the order of ids.
    pub async fn list(&self, after: i64, limit: i64) -> Result<Vec<User>, PostgresError> {
        let mut call = self.begin(&LIST_USERS).await?;
        let rows = sqlx::query_as(LIST_USERS.text)
            .persistent(self.keeps_statements())
            .bind(after)
            .bind(limit)
            .fetch_all(call.connection())
            .boxed()
            .await;
        call.finish(rows).await
    }

    /// Stores a user. Not cancel safe: a dropped call may have stored it.
    pub async fn insert(&self, user: &NewUser) -> Result<User, PostgresError> {
        let mut call = self.begin(&INSERT_USER).await?;
        let row = sqlx::query_as(INSERT_USER.text)
            .persistent(self.keeps_statements())
            .bind(&user.name)
            .bind(&user.email)
            .fetch_one(call.connection())
            .boxed()
            .await;
        call.finish(row).await
    }

    /// Up to 100 orders of a user; `None` if there is no such user.
    pub async fn orders(&self, user: i64) -> Result<Option<Vec<Order>>, PostgresError> {
        type Row = (Option<i64>, Option<String>, Option<i64>);
        let mut call = self.begin(&LIST_ORDERS).await?;
        let rows = sqlx::query_as(LIST_ORDERS.text)
            .persistent(self.keeps_statements())
            .bind(user)
            .fetch_all(call.connection())
            .boxed()
            .await;
        let rows: Vec<Row> = call.finish(rows).await?;
        let orders = rows.iter().filter_map(|row| match row {
            (Some(id), Some(item), Some(total_cents)) => {
                Some(Order { id: *id, item: item.clone(), total_cents: *total_cents })
            }
            _ => None,
        });
        Ok((!rows.is_empty()).then(|| orders.collect()))
    }

    /// Closes the connections that are idle, and the others once they are.
    pub fn close(&self) {
        self.pool.close();
    }

    /// Whether the session will still know a statement when it is sent the next time.
    fn keeps_statements(&self) -> bool {
        matches!(self.session, Session::Own)
    }

    async fn begin(&self, statement: &'static Statement) -> Result<Call, PostgresError> {
        let span = self.telemetry.client_span(statement.summary, || self.endpoint.attributes(statement));
        let trust = if statement.operation == INSERT { Trust::Asked } else { Trust::Recent };
        let mut call = Call { lease: None, in_transaction: false, span };
        match self.pool.acquire(trust).await {
            Ok(lease) => call.lease = Some(lease),
            Err(error) => {
                error.mark(&call.span);
                return Err(error);
            }
        }
        if let Session::Lent { begin } = &self.session
            && let Err(error) = call.open(begin).boxed().await
        {
            return call.settle(Err(error));
        }
        Ok(call)
    }
}

impl Endpoint {
    fn attributes(&self, statement: &'static Statement) -> Vec<KeyValue> {
        vec![
            KeyValue::new(semconv::DB_SYSTEM_NAME, "postgresql"),
            KeyValue::new(semconv::DB_NAMESPACE, self.namespace.clone()),
            KeyValue::new(semconv::DB_COLLECTION_NAME, statement.collection),
            KeyValue::new(semconv::DB_OPERATION_NAME, statement.operation),
            KeyValue::new(semconv::DB_QUERY_SUMMARY, statement.summary),
            KeyValue::new(semconv::DB_QUERY_TEXT, statement.text),
            KeyValue::new(semconv::SERVER_ADDRESS, self.host.clone()),
            KeyValue::new(semconv::SERVER_PORT, self.port),
        ]
    }
}

/// A statement under way. Dropped before [`Call::finish`], it closes its connection: the answer may still be coming,
/// and whoever gets that connection next would wait for it.
struct Call {
    lease: Option<Lease>,
    in_transaction: bool,
    span: ClientSpan,
}

impl Call {
    fn connection(&mut self) -> &mut PgConnection {
        self.lease.as_mut().expect("taken only by finish, which consumes the call").connection()
    }

    /// Takes a session that is not the connection's own.
    async fn open(&mut self, begin: &str) -> sqlx::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(begin.to_owned())).execute(self.connection()).await?;
        self.in_transaction = true;
        Ok(())
    }

    /// No `async` function, which would hold the call twice.
    fn finish<'a, T: Send + 'a>(
        self,
        result: sqlx::Result<T>,
    ) -> impl Future<Output = Result<T, PostgresError>> + Send + 'a {
        if self.in_transaction {
            Either::Right(self.give_back(result).boxed())
        } else {
            Either::Left(ready(self.settle(result)))
        }
    }

    /// Ends the transaction, and with it the loan of its session.
    async fn give_back<T>(mut self, result: sqlx::Result<T>) -> Result<T, PostgresError> {
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = sqlx::raw_sql(end).execute(self.connection()).await;
        // What did not end is told even of a statement that failed: its connection is of no use.
        self.settle(ended.and(result))
    }

    fn settle<T>(mut self, result: sqlx::Result<T>) -> Result<T, PostgresError> {
        let result = result.map_err(PostgresError::from);
        if let Some(lease) = self.lease.take() {
            lease.end(result.as_ref().err().map_or(Fate::Usable, PostgresError::fate));
        }
        result.inspect_err(|error| error.mark(&self.span))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.lease.is_some() {
            self.span.fail("cancelled");
        }
    }
}
