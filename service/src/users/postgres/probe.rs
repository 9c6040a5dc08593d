use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::watch;

use crate::users::DatabaseArgs;
use golive_pillars::health::Probe;

/// Confirms Postgres over a connection of its own.
pub struct PostgresProbe {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    migrated: watch::Receiver<bool>,
}

impl PostgresProbe {
    /// Confirms only once `migrated` holds true.
    pub fn new(options: &PgConnectOptions, args: &DatabaseArgs, migrated: watch::Receiver<bool>) -> Self {
        Self { options: args.bounded(options), connection: None, migrated }
    }
}

impl Probe for PostgresProbe {
    async fn ping(&mut self) -> Result<(), String> {
        // Taken out first: a ping that is dropped at its deadline must not be followed by another on that connection.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await.map_err(|error| describe(&error))?,
        };
        // Prepares nothing: the session may be another one the next time.
        sqlx::raw_sql("SELECT 1").execute(&mut connection).await.map_err(|error| describe(&error))?;
        self.connection = Some(connection);
        if *self.migrated.borrow() { Ok(()) } else { Err("not migrated yet".to_owned()) }
    }
}

/// What may be said to outsiders: the kind, not the text, which can hold names and addresses.
fn describe(error: &sqlx::Error) -> String {
    match error {
        // A handshake that fails comes as an error of the socket.
        sqlx::Error::Io(error) if is_tls(error) => "TLS refused".to_owned(),
        sqlx::Error::Io(error) => error.kind().to_string(),
        sqlx::Error::Database(error) => format!("SQLSTATE {}", error.code().unwrap_or_default()),
        sqlx::Error::Tls(_) => "TLS refused".to_owned(),
        _ => "no connection".to_owned(),
    }
}

fn is_tls(error: &std::io::Error) -> bool {
    let cause = error.get_ref();
    cause.is_some_and(|cause| cause.downcast_ref::<rustls::Error>().is_some())
}
