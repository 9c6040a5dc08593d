use std::path::PathBuf;

use clap::ArgAction;

use super::secret::Secret;
use crate::users::{CacheArgs, DatabaseArgs, OrdersArgs};
use golive_pillars::flags::{Prefix, Prefixed};
use golive_pillars::health::Need;
use golive_pillars::{Invalid, breaker, service};

/// The service's name in traces where nothing else is set.
const NAME: &str = "users";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Of the room for requests, for calls to the orders service: while it is slow, it is not to take all of it.
const ORDERS_SHARE: usize = 8;

/// `--breaker-window` is `BREAKER_WINDOW`, and so on.
pub struct BreakerFlags;

impl Prefix for BreakerFlags {
    const NAME: &'static str = "breaker";
}

/// Everything that can be set.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where users are kept, as in postgres://user:password@host:5432/database; required, secret
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// File that holds DATABASE_URL, instead of the variable
    #[arg(long, env = "DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,
    /// PEM file with authorities of your own that Postgres' certificate may be from; it is then verified in any case, as with
    /// sslmode=verify-full
    #[arg(long, env = "DATABASE_CA_FILE")]
    pub database_ca_file: Option<PathBuf>,
    /// Where fallback copies are kept, as in redis://:password@host:6379/0; secret; without it there are no copies,
    /// and readiness asks Postgres alone
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,
    /// File that holds REDIS_URL, instead of the variable
    #[arg(long, env = "REDIS_URL_FILE")]
    pub redis_url_file: Option<PathBuf>,
    /// PEM file with authorities of your own that Redis' certificate may be from, with rediss://
    #[arg(long, env = "REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
    /// Requests at a time; more are answered 503 with Retry-After at once. More than the rate times BREAKER_DEADLINE, or
    /// an outage is answered by this instead of by the fallbacks
    #[arg(long, env = "MAX_IN_FLIGHT", default_value = "1024", value_parser = in_flight)]
    pub max_in_flight: usize,
    /// Whether the service brings the database to its schema itself; else it waits until somebody has (`users migrate`)
    #[arg(long, env = "MIGRATE", default_value_t = true, action = ArgAction::Set)]
    pub migrate: bool,
    /// Demo users to insert if there are none; for demonstrations only
    #[arg(long, env = "SEED_USERS", default_value = "0", value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub seed_users: u32,
    /// Whether a pod is ready while Postgres is away; before it was there once, it never is
    #[arg(long, env = "READINESS_POSTGRES", value_enum, default_value_t = Need::Required)]
    pub readiness_postgres: Need,
    /// The same of Redis
    #[arg(long, env = "READINESS_REDIS", value_enum, default_value_t = Need::Required)]
    pub readiness_redis: Need,
    /// Whether answers carry `x-` headers (x-served-by, x-version, x-cache)
    #[arg(long, env = "IDENTITY_HEADERS", default_value_t = true, action = ArgAction::Set)]
    pub identity_headers: bool,
    /// Settings of the connections to Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Settings of the copies in Redis
    #[command(flatten)]
    pub cache: CacheArgs,
    /// Settings of the orders service, and of its circuit
    #[command(flatten)]
    pub orders: OrdersArgs,
    /// Settings of the breaker pillar
    #[command(flatten)]
    pub breaker: Prefixed<BreakerFlags, breaker::Args>,
    /// Ports, and settings of the other pillars
    #[command(flatten)]
    pub service: service::Args,
}

impl Config {
    /// The process that this is a part of.
    pub(crate) fn builder(&self) -> Result<service::Builder, Invalid> {
        self.service.builder(NAME, VERSION)
    }

    /// The circuit before the orders service.
    pub(crate) fn orders_circuit(&self) -> breaker::Config {
        self.orders.circuit((self.max_in_flight / ORDERS_SHARE).max(1))
    }

    /// The version of the service.
    pub(crate) fn version(&self) -> &str {
        self.service.telemetry.version(VERSION)
    }
}

/// More than anybody's memory holds.
const MOST_IN_FLIGHT: usize = 1_000_000;

fn in_flight(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST_IN_FLIGHT).contains(count));
    count.ok_or_else(|| format!("expected a whole number from 1 to {MOST_IN_FLIGHT}"))
}
