//! The only place that knows users and more than one pillar; the order of start and end is that of
//! [`golive_pillars::service`].

use std::process::ExitCode;
use std::time::Duration;

use ::http::Uri;
use axum::Router;
use golive_pillars::Invalid;
use golive_pillars::breaker::Breaker;
use golive_pillars::service::{App, Error, Start};
use golive_pillars::telemetry::Telemetry;
use prometheus_client::registry::Registry;

use crate::config::{Config, Settings};
use crate::http::{self, Api, Identity, Room};
use crate::users::{self, Cache, Orders, Postgres, PostgresProbe, RedisProbe, Schema, SchemaError, Users};

/// For copies on their way to the cache, and for connections to close.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// What is served and how it ends, between wiring and serving.
pub struct Wiring {
    /// Everything on the port of users.
    pub router: Router,
    /// What its handlers ask.
    pub users: Users,
    /// The circuit before Postgres.
    pub breaker: Breaker,
    /// The traces of this process.
    pub telemetry: Telemetry,
    /// Called after the last request, before telemetry is flushed.
    pub at_end: fn(),
}

/// Serves until the shutdown clock has run; returns 0 if everything was finished.
pub fn run(settings: &Settings) -> Result<ExitCode, Error> {
    run_with(settings, |wiring| wiring)
}

/// As [`run`], with a change of what was wired.
pub fn run_with(settings: &Settings, change: impl FnOnce(Wiring) -> Wiring) -> Result<ExitCode, Error> {
    settings.config.builder()?.run(async |start| assemble(settings, start, change))
}

/// Brings the database to the schema of this build, once.
pub fn migrate(settings: &Settings) -> Result<(), MigrateError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(Schema::applied(&settings.database, settings.config.seed_users).once())?)
}

/// Why [`migrate`] did not.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Postgres, or the way to it.
    #[error("not migrated: {0}")]
    Schema(#[from] SchemaError),
    /// The system refuses a runtime.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

fn assemble(
    settings: &Settings,
    mut start: Start,
    change: impl FnOnce(Wiring) -> Wiring,
) -> Result<App, Invalid> {
    let config = &settings.config;
    let breaker = start.breaker("postgres", config.breaker.args.config())?;
    let orders = settings.orders.as_ref().map(|base| orders(config, base, &mut start)).transpose()?;
    let telemetry = start.telemetry().clone();
    let users = users(settings, telemetry.clone(), breaker.clone(), start.registry());
    let api = Api { users: users.clone(), orders };
    let metrics = http::Metrics::default();
    metrics.register(start.registry());
    if let Some(meter) = telemetry.meter() {
        metrics.observe(&meter);
    }
    let room = Room::new(config.max_in_flight, &metrics);
    let mut at_end: fn() = || {};
    let app = watch(settings, start).serve(|health| {
        let router = http::router(api, telemetry.clone(), health, identity(config), room);
        let wiring = change(Wiring { router, users: users.clone(), breaker, telemetry, at_end });
        at_end = wiring.at_end;
        wiring.router
    });
    Ok(app.at_end(async move {
        users.close(CLOSE_LIMIT).await;
        at_end();
    }))
}

fn users(settings: &Settings, telemetry: Telemetry, breaker: Breaker, registry: &mut Registry) -> Users {
    let config = &settings.config;
    let metrics = users::Metrics::default();
    metrics.register(registry);
    if let Some(meter) = telemetry.meter() {
        metrics.observe(&meter);
    }
    let postgres = Postgres::new(&settings.database, &config.database, telemetry.clone());
    let redis = settings.redis.as_ref();
    let cache = redis.map(|redis| Cache::start(redis, &config.cache, telemetry, &metrics));
    Users::new(postgres, cache, breaker, metrics).answering_within(settings.answer_within)
}

/// Behind a circuit of its own.
fn orders(config: &Config, base: &Uri, start: &mut Start) -> Result<Orders, Invalid> {
    let breaker = start.breaker("orders", config.orders_circuit())?;
    Ok(Orders::new(base, config.orders.orders_deadline, breaker, start.telemetry().clone()))
}

/// Adds what readiness asks for; the probe of Postgres waits for its migrations.
fn watch(settings: &Settings, start: Start) -> Start {
    let config = &settings.config;
    let schema = if config.migrate {
        Schema::applied(&settings.database, config.seed_users)
    } else {
        Schema::awaited(&settings.database, &config.database)
    };
    let postgres = PostgresProbe::new(&settings.database, &config.database, schema.start());
    let start = start.dependency("postgres", config.readiness_postgres, postgres);
    match &settings.redis {
        Some(redis) => {
            let redis = RedisProbe::new(redis, config.service.health.health_timeout);
            start.dependency("redis", config.readiness_redis, redis)
        }
        None => start,
    }
}

fn identity(config: &Config) -> Identity {
    if !config.identity_headers {
        return Identity::Hidden;
    }
    Identity::new(config.service.telemetry.instance(), config.version())
}
