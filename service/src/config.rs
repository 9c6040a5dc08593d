//! The command line and the environment of the service: every flag is also a variable.

mod authority;
mod error;
mod secret;

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgAction;
use fred::types::config::Config as RedisConfig;
use http::Uri;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use authority::Authority;
pub use error::ConfigError;
use error::{of_pillar, value};
pub use secret::Secret;

use crate::http::REQUEST_LIMIT;
use crate::users;
use crate::users::{CacheArgs, DatabaseArgs, Pooler};
use golive_pillars::flags::{Prefix, Prefixed, duration};
use golive_pillars::health::Need;
use golive_pillars::{Invalid, breaker, service};

/// The service's name in traces where nothing else is set.
const NAME: &str = "users";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A users service that is ready for production: tracing, health, graceful shutdown, circuit breaker.
#[derive(Debug, clap::Parser)]
#[command(name = "users", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve
    #[command(flatten)]
    pub config: Config,
}

const EXAMPLES: &str = "Examples:
  DATABASE_URL=postgres://app:secret@db/users REDIS_URL=redis://cache users
  users --readiness-redis optional --log-format text
  users probe http://users:8080/ready

Exit codes:
  0  finished after SIGTERM or SIGINT; for `probe`, a 2xx answer; for `migrate`, done
  1  could not start or did not finish in time; for `probe`, anything else
  2  configuration";

/// `--breaker-window` is `BREAKER_WINDOW`, and so on.
pub struct BreakerFlags;

impl Prefix for BreakerFlags {
    const NAME: &'static str = "breaker";
}

/// What to do instead of serving.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Ask a URL once, for at most 3 s, and exit 0 if the answer is 2xx, else 1
    Probe {
        /// Plain HTTP, as in http://users:8080/ready
        url: Uri,
    },
    /// Bring the database to the schema of this build, insert demo users if there are none (SEED_USERS), and exit; for a
    /// Job, where the service itself runs with MIGRATE=false
    Migrate,
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
    /// Base URL of the orders service, as in http://orders:8080; none, and orders come from our own table
    #[arg(long, env = "ORDERS_URL")]
    pub orders_url: Option<String>,
    /// Longest time for a call to the orders service
    #[arg(long, env = "ORDERS_DEADLINE", default_value = "2s", value_parser = duration::parse_positive)]
    pub orders_deadline: Duration,
    /// Requests at a time; more are answered 503 with Retry-After at once. More than the rate times BREAKER_DEADLINE, or
    /// an outage is answered by this instead of by the fallbacks
    #[arg(long, env = "MAX_IN_FLIGHT", default_value = "1024", value_parser = at_least_one)]
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
    /// Settings of the breaker pillar
    #[command(flatten)]
    pub breaker: Prefixed<BreakerFlags, breaker::Args>,
    /// Ports, and settings of the other pillars
    #[command(flatten)]
    pub service: service::Args,
}

/// What [`Config`] says, understood.
pub struct Settings {
    /// Where users are kept.
    pub database: PgConnectOptions,
    /// Where copies are kept, if anywhere.
    pub redis: Option<RedisConfig>,
    /// The orders service, if there is one.
    pub orders: Option<Uri>,
    /// Whether readiness asks Redis, where there is one.
    pub readiness_asks_redis: bool,
    /// How long Postgres has to answer, if it is not the deadline of its circuit that says so.
    pub answer_within: Option<Duration>,
    /// All the rest, valid by itself.
    pub config: Config,
}

impl Config {
    /// Checks what the parser of the command line cannot.
    pub fn validate(self) -> Result<Settings, ConfigError> {
        self.breaker.args.config().validate().map_err(|invalid| of_pillar("BREAKER", invalid))?;
        let Self { service, .. } = &self;
        service.health.config().validate().map_err(|invalid| of_pillar("HEALTH", invalid))?;
        service.shutdown.config().validate().map_err(|invalid| of_pillar("SHUTDOWN", invalid))?;
        if let Err(invalid) = self.builder() {
            return Err(value("LOG_LEVEL or RUST_LOG", invalid.read, invalid.expected));
        }
        if self.breaker.args.deadline >= REQUEST_LIMIT {
            let expected = format!(
                "below {REQUEST_LIMIT:?}, the limit of a request: a call that it cuts is not counted"
            );
            return Err(value("BREAKER_DEADLINE", format!("{:?}", self.breaker.args.deadline), expected));
        }
        if self.database.database_pooler == Pooler::Transaction && self.migrate {
            let expected =
                "false with DATABASE_POOLER=transaction: run `users migrate` against Postgres itself";
            return Err(value("MIGRATE", "true".to_owned(), expected));
        }
        if service.port == service.management_port {
            let expected = format!("another port than PORT, which is {}", service.port);
            return Err(value("MANAGEMENT_PORT", service.management_port.to_string(), expected));
        }
        if let Some(endpoint) = service.telemetry.traces_endpoint() {
            of_collector(&endpoint)?;
        }
        if let Some(name) = service.telemetry.unknown_protocol() {
            return Err(value("OTEL_EXPORTER_OTLP_PROTOCOL", format!("{name:?}"), "grpc or http/protobuf"));
        }
        Ok(Settings {
            database: self.database()?,
            redis: self.redis()?,
            orders: self.orders()?,
            readiness_asks_redis: true,
            answer_within: None,
            config: self,
        })
    }

    /// The process that this is a part of.
    pub(crate) fn builder(&self) -> Result<service::Builder, Invalid> {
        self.service.builder(NAME, VERSION)
    }

    /// The version of the service.
    pub(crate) fn version(&self) -> &str {
        self.service.telemetry.version(VERSION)
    }

    fn database(&self) -> Result<PgConnectOptions, ConfigError> {
        let expected = "postgres://user:password@host:5432/database";
        let file = self.database_url_file.as_deref();
        let url = Secret::found("DATABASE_URL", self.database_url.as_ref(), file)?;
        let options = url.as_ref().and_then(|url| users::parse_database(url.expose()));
        let options =
            options.ok_or_else(|| value("DATABASE_URL", Secret::describe(url.as_ref()), expected))?;
        Ok(match Authority::found("DATABASE_CA_FILE", self.database_ca_file.as_deref())? {
            Some(Authority { pem, .. }) => {
                options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(pem)
            }
            None => options,
        })
    }

    fn redis(&self) -> Result<Option<RedisConfig>, ConfigError> {
        let expected = "redis://:password@host:6379/0, or nothing";
        let file = self.redis_url_file.as_deref();
        let Some(url) = Secret::found("REDIS_URL", self.redis_url.as_ref(), file)? else {
            return Ok(None);
        };
        let authority = Authority::found("REDIS_CA_FILE", self.redis_ca_file.as_deref())?;
        let own = authority.map(|authority| authority.certificates).unwrap_or_default();
        let parsed = users::parse_redis(url.expose(), own);
        parsed.map(Some).ok_or_else(|| value("REDIS_URL", Secret::describe(Some(&url)), expected))
    }

    fn orders(&self) -> Result<Option<Uri>, ConfigError> {
        let url = self.orders_url.as_deref().map(str::trim).filter(|url| !url.is_empty());
        url.map(|url| plain_http("ORDERS_URL", url)).transpose()
    }
}

fn plain_http(variable: &'static str, text: &str) -> Result<Uri, ConfigError> {
    url(variable, text, &["http"], "a plain HTTP URL without credentials, such as http://orders:8080")
}

fn of_collector(text: &str) -> Result<Uri, ConfigError> {
    let expected = "a URL without credentials, such as http://host:4318/v1/traces or https://host:4317";
    url("OTEL_ENDPOINT or OTEL_EXPORTER_OTLP_*", text, &["http", "https"], expected)
}

fn url(
    variable: &'static str,
    text: &str,
    schemes: &[&str],
    expected: &'static str,
) -> Result<Uri, ConfigError> {
    let parsed = text.parse::<Uri>().ok().filter(|uri| {
        uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    parsed.ok_or_else(|| {
        let read = if text.contains('@') {
            "a URL with credentials (not shown)".to_owned()
        } else {
            format!("{text:?}")
        };
        value(variable, read, expected)
    })
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a whole number from 1".to_owned())
}
