use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::thread::available_parallelism;

use axum::Router;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::{App, Builder, Error, Start};
use crate::breaker::{self, Breaker};
use crate::health::{self, Health};
use crate::shutdown::{Phase, Server, Shutdown};
use crate::telemetry::Telemetry;
use crate::telemetry::logs::Logs;
use crate::{metrics, shutdown};

/// Below this, one blocked worker would stop everything, and an export could wait for itself.
const FEWEST_WORKERS: usize = 2;

impl Builder {
    /// Puts `application` together and runs it until the shutdown clock has run; returns 0 if everything was finished.
    ///
    /// Takes over SIGTERM, SIGINT, the panic hook and the subscriber of `tracing`, so it is called once, from `main` and
    /// not inside of a runtime. It makes one itself, and `application` runs there.
    ///
    /// A signal that comes while `application` awaits, as for a database that hangs, drops it there: nothing is served,
    /// the background work that it has begun has its time, telemetry is flushed, and 0 is returned. After an error
    /// telemetry is flushed as well, within [`Shutdown::flush_budget`].
    pub fn run<E>(self, application: impl AsyncFnOnce(Start) -> Result<App, E>) -> Result<ExitCode, Error>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let logs = Logs::start(self.log_format, self.log_filter.clone());
        let telemetry = logs.during(|| Telemetry::start(&self.telemetry))?;
        logs.install(&telemetry)?;
        std::panic::set_hook(Box::new(tell_panic));
        let shutdown = Shutdown::install(self.shutdown.clone())?;
        let management = listen("management_port", self.management_port)?;
        let runtime = runtime()?;
        let ended = runtime.block_on(async {
            let start = self.start(&shutdown, &telemetry, &logs)?;
            match unless_leaving(application(start), &shutdown).await? {
                Some(app) => self.serve(app, management, &shutdown).await,
                None => Ok(None),
            }
        });
        // On this thread, which is no worker: the exporter blocks, and may need a runtime that makes progress.
        telemetry.flush(shutdown.flush_budget());
        if let Ok(left) = &ended {
            runtime.block_on(finish(left.as_ref(), &shutdown));
        }
        // Name lookups run on blocking threads that nothing cancels; dropping the runtime would wait for them.
        runtime.shutdown_background();
        ended.map(|_| ExitCode::SUCCESS)
    }

    fn start(&self, clock: &Shutdown, telemetry: &Telemetry, logs: &Logs) -> Result<Start, Error> {
        let health = Health::builder(self.health.clone())?;
        let mut start = Start::new(clock.clone(), telemetry.clone(), health);
        logs.register(start.registry());
        #[cfg(feature = "otlp-metrics")]
        if let Some(meter) = telemetry.meter() {
            logs.observe(&meter);
        }
        Ok(start)
    }

    /// From the open ports to the end of the time for requests and work.
    async fn serve(
        &self,
        app: App,
        management: StdListener,
        clock: &Shutdown,
    ) -> Result<Option<Server>, Error> {
        let App { router, health, registry, breakers, at_end } = app;
        health::spawn_management(management, self.management(health, registry, breakers))?;
        let server = match router {
            Some(router) => Some(self.users(router, clock).await?),
            None => None,
        };
        work_ended(clock).await;
        if timeout(clock.flush_budget() / 2, at_end).await.is_err() {
            tracing::warn!("the application was not closed in time");
        }
        Ok(server)
    }

    fn management(&self, health: Health, registry: Registry, breakers: Vec<Breaker>) -> Router {
        let mut routes = health::management_routes(health);
        if self.metrics {
            routes = routes.merge(metrics::routes(registry));
        }
        if self.drills {
            routes = routes.merge(breaker::drill_routes(breakers));
        }
        routes
    }

    async fn users(&self, router: Router, clock: &Shutdown) -> Result<Server, Error> {
        let listener = listen("port", self.port)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        tracing::info!(port = self.port, management_port = self.management_port, "serving");
        Ok(shutdown::serve(listener, router, clock).await)
    }
}

fn runtime() -> io::Result<Runtime> {
    let workers = available_parallelism().map_or(FEWEST_WORKERS, |count| count.get().max(FEWEST_WORKERS));
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

/// The application, or none if the signal comes first: nobody was told to come here yet, so nobody waits for it.
async fn unless_leaving<E>(
    application: impl Future<Output = Result<App, E>>,
    clock: &Shutdown,
) -> Result<Option<App>, Error>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    tokio::select! {
        biased;
        app = application => return app.map(Some).map_err(|error| Error::Application(error.into())),
        () = clock.reached(Phase::Lameduck) => {}
    }
    tracing::info!("left before the application was put together");
    work_ended(clock).await;
    Ok(None)
}

/// The end of the background work, or of its time.
async fn work_ended(clock: &Shutdown) {
    tokio::select! {
        biased;
        () = clock.work().finished() => {}
        () = clock.out_of_time() => tracing::warn!("background work left at the end of the drain"),
    }
}

/// Whoever is still in flight may finish; the shutdown thread ends this at the latest.
async fn finish(server: Option<&Server>, clock: &Shutdown) {
    if let Some(server) = server {
        server.finished().await;
    }
    clock.work().finished().await;
    tracing::info!("finished");
}

/// One line in the format of all others, with the ids of the trace it belongs to.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    // Not called `message`, which is the name of the line's own text.
    let reason = panic.payload_as_str().unwrap_or("no message");
    tracing::error!(place, reason, "panicked");
}

/// Listens on every address, IPv4 included; on IPv4 only where the system has no IPv6.
fn listen(setting: &'static str, port: u16) -> Result<StdListener, Error> {
    let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let only_v4 = SocketAddr::from(([0, 0, 0, 0], port));
    let listener = StdListener::bind(every).or_else(|_| StdListener::bind(only_v4));
    listener.map_err(|source: io::Error| Error::Listen { setting, port, source })
}
