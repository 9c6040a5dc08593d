//! The only place that knows more than one pillar: settings in, exit code out.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use ::http::Uri;
use axum::Router;
use golive_pillars::breaker::{self, Breaker};
use golive_pillars::health::{self, Health};
use golive_pillars::shutdown::{self, Phase, Server, Shutdown};
use golive_pillars::telemetry::{self, Telemetry, logs};
use golive_pillars::{Invalid, metrics};
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::config::{Config, Settings};
use crate::http::{self, Api, Identity, Room};
use crate::users::{self, Cache, Orders, Postgres, PostgresProbe, RedisProbe, Schema, Users};

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A port cannot be had.
    #[error("{variable}: cannot listen on {port}: {source}")]
    Listen {
        /// Name of the environment variable.
        variable: &'static str,
        /// Its value.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// Traces or logs cannot start.
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    /// A setting of a pillar cannot be used.
    #[error(transparent)]
    Config(#[from] Invalid),
    /// The shutdown clock cannot run.
    #[error(transparent)]
    Shutdown(#[from] shutdown::Error),
    /// A thread, a runtime or a signal handler cannot be had.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// The service's name in traces where nothing else is set.
const NAME: &str = "users";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Below this, one blocked worker would stop everything, and an export could wait for itself.
const FEWEST_WORKERS: usize = 2;
/// For copies on their way to the cache, and for connections to close.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// What is served and how it ends, between wiring and serving.
pub struct Wiring {
    /// Everything on the port of users.
    pub router: Router,
    /// Called after the last request, before telemetry is flushed.
    pub at_end: fn(),
}

/// The pillars that run before anything else does.
struct Pillars {
    shutdown: Shutdown,
    telemetry: Telemetry,
}

/// Serves until the shutdown clock has run; returns 0 if everything was finished.
pub fn run(settings: &Settings) -> Result<ExitCode, AppError> {
    run_with(settings, |wiring| wiring)
}

/// As [`run`], with a change of what was wired.
pub fn run_with(settings: &Settings, change: impl FnOnce(Wiring) -> Wiring) -> Result<ExitCode, AppError> {
    let Settings { config, log_filter, .. } = settings;
    logs::init(config.telemetry.log_format, log_filter.clone())?;
    std::panic::set_hook(Box::new(tell_panic));
    let shutdown = Shutdown::install(config.shutdown.config())?;
    let telemetry = Telemetry::start(&config.telemetry.config(NAME, VERSION))?;
    let pillars = Pillars { shutdown, telemetry };
    let users = listen("PORT", config.port)?;
    let management = listen("MANAGEMENT_PORT", config.management_port)?;
    let workers = available_parallelism().map_or(FEWEST_WORKERS, |count| count.get().max(FEWEST_WORKERS));
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    let server = runtime.block_on(serve(settings, users, management, &pillars, change))?;
    // On this thread, which is no worker: the exporter blocks, and may need a runtime that makes progress.
    pillars.telemetry.flush(pillars.shutdown.flush_budget());
    if !server.is_finished() {
        // Whoever is still in flight may finish; the shutdown thread ends this at the latest.
        runtime.block_on(server.finished());
    }
    tracing::info!("finished");
    // Name lookups run on blocking threads that nothing cancels; dropping the runtime would wait for them.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

async fn serve(
    settings: &Settings,
    listener: StdListener,
    management: StdListener,
    pillars: &Pillars,
    change: impl FnOnce(Wiring) -> Wiring,
) -> Result<Server, AppError> {
    let config = &settings.config;
    let mut registry = Registry::default();
    let breakers = breaker::Metrics::default();
    let breaker = Breaker::new("postgres", config.breaker.args.config())?;
    breakers.watch(&breaker);
    let orders = settings.orders.as_ref().map(|base| orders(config, base, pillars)).transpose()?;
    if let Some(orders) = &orders {
        breakers.watch(orders.breaker());
    }
    breakers.register(&mut registry);
    let health = watch(settings, pillars, &breaker)?;
    health.register(&mut registry);
    pillars.shutdown.register(&mut registry);
    pillars.telemetry.register(&mut registry);
    let users = users(settings, pillars, breaker.clone(), &mut registry);
    let api = Api { users: users.clone(), orders };
    let router = router(settings, pillars, api, health.clone(), &mut registry);
    let wiring = change(Wiring { router, at_end: || {} });

    let mut routes = health::management_routes(health);
    if config.metrics {
        routes = routes.merge(metrics::routes(registry));
    }
    if config.drills {
        routes = routes.merge(breaker::drill_routes(vec![breaker]));
    }
    health::spawn_management(management, routes)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    tracing::info!(port = config.port, management_port = config.management_port, "serving");
    let server = shutdown::serve(listener, wiring.router, &pillars.shutdown).await;
    users.close(CLOSE_LIMIT).await;
    (wiring.at_end)();
    Ok(server)
}

fn users(settings: &Settings, pillars: &Pillars, breaker: Breaker, registry: &mut Registry) -> Users {
    let (config, telemetry) = (&settings.config, &pillars.telemetry);
    let metrics = users::Metrics::default();
    metrics.register(registry);
    let postgres = Postgres::new(&settings.database, &config.database, telemetry.clone());
    let redis = settings.redis.as_ref();
    let cache = redis.map(|redis| Cache::start(redis, &config.cache, telemetry.clone(), &metrics));
    Users::new(postgres, cache, breaker, metrics).answering_within(settings.answer_within)
}

/// Behind a circuit of its own, with the settings of that of Postgres but for the deadline. Its own deadline comes first,
/// so that the span of the call tells of it.
fn orders(config: &Config, base: &Uri, pillars: &Pillars) -> Result<Orders, Invalid> {
    let circuit = config.breaker.args.config().deadline(config.orders_deadline * 2);
    let breaker = Breaker::new("orders", circuit.slow_after(config.orders_deadline / 4))?;
    Ok(Orders::new(base, config.orders_deadline, breaker, pillars.telemetry.clone()))
}

fn router(
    settings: &Settings,
    pillars: &Pillars,
    api: Api,
    health: Health,
    registry: &mut Registry,
) -> Router {
    let (config, telemetry) = (&settings.config, &pillars.telemetry);
    let metrics = http::Metrics::default();
    metrics.register(registry);
    let room = Room::new(config.max_in_flight, &metrics);
    http::router(api, telemetry.clone(), health, identity(config), room)
}

fn watch(settings: &Settings, pillars: &Pillars, breaker: &Breaker) -> Result<Health, Invalid> {
    let config = &settings.config;
    let migrated = Schema::apply(&settings.database, config.seed_users);
    let postgres = PostgresProbe::new(&settings.database, &config.database, migrated);
    let mut health = Health::builder(config.health.config())?.dependency("postgres", postgres);
    if let Some(redis) = settings.redis.as_ref().filter(|_| settings.readiness_asks_redis) {
        health = health.dependency("redis", RedisProbe::new(redis, config.health.health_timeout));
    }
    let (shutdown, breaker) = (pillars.shutdown.clone(), breaker.clone());
    let health = health
        .detail("breaker", move || json!({ "postgres": breaker.state().as_str() }))
        .leaving(move || shutdown.phase() != Phase::Running);
    Ok(health.start())
}

fn identity(config: &Config) -> Identity {
    if !config.identity_headers {
        return Identity::Hidden;
    }
    Identity::new(config.telemetry.instance(), config.telemetry.version(VERSION))
}

/// One line in the format of all others, with the ids of the trace it belongs to.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message");
    tracing::error!(place, message, "panicked");
}

/// Listens on every address, IPv4 included; on IPv4 only where the system has no IPv6.
fn listen(variable: &'static str, port: u16) -> Result<StdListener, AppError> {
    let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let only_v4 = SocketAddr::from(([0, 0, 0, 0], port));
    StdListener::bind(every).or_else(|_| StdListener::bind(only_v4)).map_err(|source| AppError::Listen {
        variable,
        port,
        source,
    })
}
