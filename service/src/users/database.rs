use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use golive_pillars::flags::duration;

/// Settings of the connections to Postgres.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Postgres")]
#[group(skip)]
pub struct Args {
    /// Connections for requests; health keeps one more of its own
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    pub database_max_connections: u32,
    /// Connections kept open from the start, so that the first requests of a new pod find some
    #[arg(long, env = "DATABASE_MIN_CONNECTIONS", default_value = "4")]
    pub database_min_connections: u32,
    /// Longest wait for a connection, connecting included
    #[arg(long, env = "DATABASE_ACQUIRE_TIMEOUT", default_value = "2s", value_parser = duration::parse_positive)]
    pub database_acquire_timeout: Duration,
    /// Calls that may wait for a connection; more are answered by what there is without Postgres at once, and are no failures
    /// of it
    #[arg(long, env = "DATABASE_MAX_WAITING", default_value = "512")]
    pub database_max_waiting: u32,
    /// What stands before Postgres
    #[arg(long, env = "DATABASE_POOLER", value_enum, default_value_t = Pooler::None)]
    pub database_pooler: Pooler,
    /// Time after which Postgres itself ends a statement
    #[arg(long, env = "DATABASE_STATEMENT_TIMEOUT", default_value = "3s", value_parser = statement_timeout)]
    pub database_statement_timeout: Duration,
}

/// What stands before Postgres.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Pooler {
    /// Nothing that matters: each connection is a session of its own
    None,
    /// A pooler that lends a session for one transaction (PgBouncer with pool_mode=transaction): each statement is a
    /// transaction, and leaves nothing behind in the session
    Transaction,
}

/// Parses the URL of a database; `None` if it is none.
pub(crate) fn parse(url: &str) -> Option<PgConnectOptions> {
    let scheme_known = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    let options = scheme_known.then(|| PgConnectOptions::from_str(url).ok()).flatten()?;
    // Statements are spans here; sqlx's own log of each one would only cost.
    Some(options.disable_statement_logging())
}

/// How a statement gets a session of Postgres. Clones share it.
#[derive(Clone)]
pub(super) enum Session {
    /// The connection is one, and keeps what was prepared.
    Own,
    /// A pooler lends one until the end of a transaction.
    Lent {
        /// What begins it.
        begin: Arc<str>,
    },
}

/// Without what sqlx asks of floating point numbers, of which there are none here: a pooler refuses it.
pub(super) fn plain(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().extra_float_digits(None)
}

impl Args {
    /// Options with which Postgres ends what we have given up on, or it would go on with it.
    ///
    /// A pooler refuses such settings of a session: there each transaction has its own ([`Args::session`]).
    pub(super) fn bounded(&self, options: &PgConnectOptions) -> PgConnectOptions {
        let options = plain(options);
        match self.database_pooler {
            Pooler::None => options.options([("statement_timeout", self.statement_milliseconds())]),
            Pooler::Transaction => options,
        }
    }

    /// How a statement gets a session.
    pub(super) fn session(&self) -> Session {
        match self.database_pooler {
            Pooler::None => Session::Own,
            Pooler::Transaction => Session::Lent {
                begin: format!("BEGIN; SET LOCAL statement_timeout = {}", self.statement_milliseconds())
                    .into(),
            },
        }
    }

    fn statement_milliseconds(&self) -> String {
        self.database_statement_timeout.as_millis().to_string()
    }
}

/// Postgres takes milliseconds in 32 bits, and refuses every connection that brings more.
fn statement_timeout(text: &str) -> Result<Duration, String> {
    let time = duration::parse_positive(text)?;
    let fits = i32::try_from(time.as_millis()).is_ok();
    fits.then_some(time)
        .ok_or_else(|| format!("expected at most {}ms, the most that Postgres takes", i32::MAX))
}
