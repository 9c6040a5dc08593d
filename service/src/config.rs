//! The command line and the environment of the service: every flag is also a variable.

mod secret;

use std::borrow::Cow;
use std::time::Duration;

use clap::ArgAction;
use fred::types::config::Config as RedisConfig;
use http::Uri;
use sqlx::postgres::PgConnectOptions;

pub use secret::Secret;

use crate::http::REQUEST_LIMIT;
use crate::users;
use crate::users::{CacheArgs, DatabaseArgs};
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
  0  finished after SIGTERM or SIGINT; for `probe`, a 2xx answer
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
}

/// Everything that can be set.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where users are kept, as in postgres://user:password@host:5432/database; required, secret
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// Where fallback copies are kept, as in redis://:password@host:6379/0; secret; without it there are no copies,
    /// and readiness asks Postgres alone
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,
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

/// A setting that cannot be used. Says which variable, what was read (a secret is never shown) and what is expected.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// One value is wrong or missing.
    #[error("{variable}: read {read}, expected {expected}")]
    Value {
        /// Name of the environment variable.
        variable: Cow<'static, str>,
        /// What was read, or a description of it.
        read: String,
        /// What would be right.
        expected: String,
    },
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
        if service.port == service.management_port {
            let expected = format!("another port than PORT, which is {}", service.port);
            return Err(value("MANAGEMENT_PORT", service.management_port.to_string(), expected));
        }
        if let Some(endpoint) = service.telemetry.traces_endpoint() {
            plain_http("OTEL_ENDPOINT or OTEL_EXPORTER_OTLP_*", &endpoint)?;
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
        let url = present(self.database_url.as_ref());
        let parsed = url.and_then(|url| users::parse_database(url.expose()));
        parsed.ok_or_else(|| value("DATABASE_URL", Secret::describe(url), expected))
    }

    fn redis(&self) -> Result<Option<RedisConfig>, ConfigError> {
        let expected = "redis://:password@host:6379/0, or nothing";
        let Some(url) = present(self.redis_url.as_ref()) else {
            return Ok(None);
        };
        let parsed = users::parse_redis(url.expose());
        parsed.map(Some).ok_or_else(|| value("REDIS_URL", Secret::describe(Some(url)), expected))
    }

    fn orders(&self) -> Result<Option<Uri>, ConfigError> {
        let url = self.orders_url.as_deref().map(str::trim).filter(|url| !url.is_empty());
        url.map(|url| plain_http("ORDERS_URL", url)).transpose()
    }
}

fn plain_http(variable: &'static str, text: &str) -> Result<Uri, ConfigError> {
    let parsed = text.parse::<Uri>().ok().filter(|uri| {
        uri.scheme_str() == Some("http")
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    parsed.ok_or_else(|| {
        let read = if text.contains('@') {
            "a URL with credentials (not shown)".to_owned()
        } else {
            format!("{text:?}")
        };
        value(variable, read, "a plain HTTP URL without credentials, such as http://host:4318/v1/traces")
    })
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a whole number from 1".to_owned())
}

fn present(secret: Option<&Secret>) -> Option<&Secret> {
    secret.filter(|secret| !secret.expose().is_empty())
}

/// The variable of a setting of a pillar; those of its server have no prefix.
fn of_pillar(prefix: &str, invalid: Invalid) -> ConfigError {
    let name = |setting: &str| match setting {
        "idle_timeout" | "max_connections" => setting.to_uppercase(),
        setting => format!("{prefix}_{}", setting.to_uppercase()),
    };
    let expected = match invalid.expected.rsplit_once(' ') {
        Some((text, step)) if text.ends_with("the value of") => format!("{text} {}", name(step)),
        _ => invalid.expected,
    };
    ConfigError::Value { variable: name(invalid.setting).into(), read: invalid.read, expected }
}

fn value(variable: &'static str, read: String, expected: impl Into<String>) -> ConfigError {
    ConfigError::Value { variable: variable.into(), read, expected: expected.into() }
}
