use std::time::Duration;

use fred::types::config::Config as RedisConfig;
use http::Uri;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::authority::Authority;
use super::endpoint;
use super::error::{ConfigError, of_pillar, value};
use super::flags::Config;
use super::secret::Secret;
use crate::http::REQUEST_LIMIT;
use crate::users::{self, Pooler};

/// What [`Config`] says, understood.
pub struct Settings {
    /// Where users are kept.
    pub database: PgConnectOptions,
    /// Where copies are kept, if anywhere.
    pub redis: Option<RedisConfig>,
    /// The orders service, if there is one.
    pub orders: Option<Uri>,
    /// How long Postgres has to answer, if it is not the deadline of its circuit that says so.
    pub answer_within: Option<Duration>,
    /// All the rest, valid by itself.
    pub config: Config,
}

impl Config {
    /// Checks what the parser of the command line cannot.
    pub fn validate(self) -> Result<Settings, ConfigError> {
        self.check_pillars()?;
        self.check_together()?;
        self.check_limits()?;
        self.check_collector()?;
        Ok(Settings {
            database: self.database()?,
            redis: self.redis()?,
            orders: self.orders()?,
            answer_within: None,
            config: self,
        })
    }

    fn check_pillars(&self) -> Result<(), ConfigError> {
        let Self { service, breaker, .. } = self;
        breaker.args.config().validate().map_err(|invalid| of_pillar("BREAKER", invalid))?;
        service.health.config().validate().map_err(|invalid| of_pillar("HEALTH", invalid))?;
        service.shutdown.config().validate().map_err(|invalid| of_pillar("SHUTDOWN", invalid))?;
        let built = self.builder().map(drop);
        built.map_err(|invalid| value("LOG_LEVEL or RUST_LOG", invalid.read, invalid.expected))
    }

    /// What is right alone and wrong beside another setting.
    fn check_together(&self) -> Result<(), ConfigError> {
        let Self { service, database, .. } = self;
        if database.database_pooler == Pooler::Transaction && self.migrate {
            let expected =
                "false with DATABASE_POOLER=transaction: run `users migrate` against Postgres itself";
            return Err(value("MIGRATE", "true".to_owned(), expected));
        }
        if service.port == service.management_port {
            let expected = format!("another port than PORT, which is {}", service.port);
            return Err(value("MANAGEMENT_PORT", service.management_port.to_string(), expected));
        }
        Ok(())
    }

    /// A call ends before its request does, so that its circuit counts it. The circuit of orders is made of their deadline,
    /// so it comes after that.
    fn check_limits(&self) -> Result<(), ConfigError> {
        let deadlines = [
            ("BREAKER_DEADLINE", self.breaker.args.deadline),
            ("ORDERS_DEADLINE", self.orders.orders_deadline),
        ];
        for (variable, deadline) in deadlines {
            if deadline >= REQUEST_LIMIT {
                let expected = format!(
                    "below {REQUEST_LIMIT:?}, the limit of a request: a call that it cuts is not counted"
                );
                return Err(value(variable, format!("{deadline:?}"), expected));
            }
        }
        let circuit = self.orders_circuit().validate();
        circuit.map_err(|invalid| of_pillar("ORDERS_BREAKER", invalid))
    }

    fn check_collector(&self) -> Result<(), ConfigError> {
        const EXPORTER: &str = "OTEL_METRICS_EXPORTER";
        let telemetry = &self.service.telemetry;
        let metrics = telemetry.metrics_destination();
        for (url, _) in [telemetry.traces_destination(), metrics.clone()].iter().flatten() {
            endpoint::of_collector(url)?;
        }
        if let Some(name) = telemetry.unknown_protocol() {
            return Err(value("OTEL_EXPORTER_OTLP_PROTOCOL", format!("{name:?}"), "grpc or http/protobuf"));
        }
        if let Some(name) = telemetry.unknown_metrics_exporter() {
            return Err(value(EXPORTER, format!("{name:?}"), "otlp, prometheus or none"));
        }
        if telemetry.sends_metrics() && metrics.is_none() {
            let expected = "it beside OTEL_EXPORTER_OTLP_METRICS_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT";
            return Err(value(EXPORTER, "otlp".to_owned(), expected));
        }
        Ok(())
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
        let url = self.orders.orders_url.as_deref().map(str::trim).filter(|url| !url.is_empty());
        url.map(|url| endpoint::plain_http("ORDERS_URL", url)).transpose()
    }
}
