//! The only place that knows more than one pillar: settings in, exit code out.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::breaker::{self, Breaker};
use crate::config::{Config, Settings};
use crate::health::{self, Health};
use crate::http::{self, Api, Identity, Room};
use crate::shutdown::{self, Phase, Server, Shutdown};
use crate::telemetry::{self, Telemetry, logs};
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
    /// A thread, a runtime or a signal handler cannot be had.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// Below this, one blocked worker would stop everything, and an export could wait for itself.
const FEWEST_WORKERS: usize = 2;
/// For copies on their way to the cache, and for connections to close.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// One handle a pillar.
#[derive(Clone, Default)]
struct Metrics {
    breaker: breaker::Metrics,
    health: health::Metrics,
    http: http::Metrics,
    shutdown: shutdown::Metrics,
    telemetry: telemetry::Metrics,
    users: users::Metrics,
}

impl Metrics {
    fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        self.breaker.register(&mut registry);
        self.health.register(&mut registry);
        self.http.register(&mut registry);
        self.shutdown.register(&mut registry);
        self.telemetry.register(&mut registry);
        self.users.register(&mut registry);
        registry
    }
}

/// Serves until the shutdown clock has run; returns 0 if everything was finished.
pub fn run(settings: &Settings) -> Result<ExitCode, AppError> {
    #[cfg(feature = "flawed")]
    if let Some(code) = crate::flaw::take_over(settings)? {
        return Ok(code);
    }
    let Settings { config, log_filter, .. } = settings;
    logs::init(config.telemetry.log_format, log_filter.clone())?;
    let metrics = Metrics::default();
    let shutdown = Shutdown::install(&config.shutdown, &metrics.shutdown)?;
    let telemetry = Telemetry::start(&config.telemetry, &metrics.telemetry)?;
    let users = listen("PORT", config.port)?;
    let management = listen("MANAGEMENT_PORT", config.management_port)?;
    let workers = available_parallelism().map_or(FEWEST_WORKERS, |count| count.get().max(FEWEST_WORKERS));
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    let server = runtime.block_on(serve(settings, users, management, &metrics, &shutdown, &telemetry))?;
    // On this thread, which is no worker: the exporter blocks, and may need a runtime that makes progress.
    telemetry.flush(shutdown.flush_budget());
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
    metrics: &Metrics,
    shutdown: &Shutdown,
    telemetry: &Telemetry,
) -> Result<Server, AppError> {
    let config = &settings.config;
    let breaker = Breaker::new("postgres", &config.breaker, &metrics.breaker);
    let health = watch(settings, metrics, shutdown, &breaker);
    let mut routes = health::management_routes(health.clone());
    if config.metrics {
        routes = routes.merge(crate::metrics::routes(metrics.registry()));
    }
    if config.drills {
        routes = routes.merge(breaker::drill_routes(vec![breaker.clone()]));
    }
    health::spawn_management(management, routes)?;

    let postgres = Postgres::new(&settings.database, &config.database, telemetry.clone());
    let cache = settings
        .redis
        .as_ref()
        .map(|redis| Cache::start(redis, &config.cache, telemetry.clone(), &metrics.users));
    let users = Users::new(postgres, cache, breaker, metrics.users.clone());
    let orders =
        settings.orders.as_ref().map(|base| Orders::new(base, config.orders_deadline, telemetry.clone()));
    let identity = identity(config);
    let api = Api { users: users.clone(), orders };
    let room = Room::new(config.max_in_flight, &metrics.http);
    let router = http::router(api, telemetry.clone(), health, identity, room);
    #[cfg(feature = "flawed")]
    let router = crate::flaw::spoil(router);

    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    tracing::info!(port = config.port, management_port = config.management_port, "serving");
    let server = shutdown::serve(listener, router, shutdown, &metrics.shutdown).await;
    users.close(CLOSE_LIMIT).await;
    Ok(server)
}

fn watch(settings: &Settings, metrics: &Metrics, shutdown: &Shutdown, breaker: &Breaker) -> Health {
    let config = &settings.config;
    let migrated = Schema::apply(&settings.database, config.seed_users);
    let postgres = PostgresProbe::new(&settings.database, &config.database, migrated);
    let mut health = Health::builder(&config.health, &metrics.health).dependency("postgres", postgres);
    let redis = settings.redis.as_ref();
    #[cfg(feature = "flawed")]
    let redis = redis.filter(|_| !crate::flaw::Flaw::HalfReady.is_selected());
    if let Some(redis) = redis {
        health = health.dependency("redis", RedisProbe::new(redis, config.health.health_timeout));
    }
    let (shutdown, breaker) = (shutdown.clone(), breaker.clone());
    health
        .detail("breaker", move || json!({ "postgres": breaker.state().as_str() }))
        .leaving(move || shutdown.phase() != Phase::Running)
        .start()
}

fn identity(config: &Config) -> Identity {
    if !config.identity_headers {
        return Identity::Hidden;
    }
    Identity::new(config.telemetry.instance(), &config.telemetry.service_version)
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
