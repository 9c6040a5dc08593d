use std::str::FromStr as _;
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
    /// Time after which Postgres itself ends a statement
    #[arg(long, env = "DATABASE_STATEMENT_TIMEOUT", default_value = "3s", value_parser = duration::parse_positive)]
    pub database_statement_timeout: Duration,
}

/// Parses the URL of a database; `None` if it is none.
pub(crate) fn parse(url: &str) -> Option<PgConnectOptions> {
    let scheme_known = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    let options = scheme_known.then(|| PgConnectOptions::from_str(url).ok()).flatten()?;
    // Statements are spans here; sqlx's own log of each one would only cost.
    Some(options.disable_statement_logging())
}

impl Args {
    /// Options with which Postgres ends what we have given up on, or it would go on with it.
    pub(super) fn bounded(&self, options: &PgConnectOptions) -> PgConnectOptions {
        let milliseconds = self.database_statement_timeout.as_millis().to_string();
        options.clone().options([("statement_timeout", milliseconds)])
    }
}
