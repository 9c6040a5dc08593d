use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value};

use crate::Invalid;
use crate::breaker::{self, Breaker};
use crate::health::{self, Health, Need, Probe};
use crate::shutdown::{Phase, Shutdown};
use crate::telemetry::Telemetry;

/// The pillars while an application is put together.
pub struct Start {
    shutdown: Shutdown,
    telemetry: Telemetry,
    health: health::Builder,
    registry: Registry,
    breakers: Vec<Breaker>,
}

/// An application that is put together: what is served, and what is done at the end.
#[must_use]
pub struct App {
    pub(super) router: Option<Router>,
    pub(super) health: Health,
    pub(super) registry: Registry,
    pub(super) breakers: Vec<Breaker>,
    pub(super) at_end: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Start {
    pub(super) fn new(shutdown: Shutdown, telemetry: Telemetry, health: health::Builder) -> Self {
        let clock = shutdown.clone();
        Self {
            shutdown,
            telemetry,
            health: health.leaving(move || clock.phase() != Phase::Running),
            registry: Registry::default(),
            breakers: Vec::new(),
        }
    }

    /// The shutdown clock, and the background work that hangs on it.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// The traces of this process.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Where the application adds metrics of its own; those of the pillars are added by themselves.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Adds what readiness asks for, and starts to ping it.
    pub fn dependency(self, name: &'static str, need: Need, probe: impl Probe) -> Self {
        Self { health: self.health.dependency(name, need, probe), ..self }
    }

    /// Makes a circuit that stands in the metrics, in `/ready?verbose` and in the drills. Fails if a setting cannot be
    /// used.
    pub fn breaker(
        &mut self,
        name: impl Into<Arc<str>>,
        config: breaker::Config,
    ) -> Result<Breaker, Invalid> {
        let breaker = Breaker::new(name, config)?;
        self.breakers.push(breaker.clone());
        Ok(breaker)
    }

    /// An application with a port for users; `router` has all that it answers, probes included
    /// ([`health::routes`]).
    pub fn serve(self, router: impl FnOnce(Health) -> Router) -> App {
        let app = self.work();
        App { router: Some(router(app.health.clone())), ..app }
    }

    /// An application that has nothing but background work ([`Shutdown::work`]), until the clock has begun: at the signal,
    /// or by [`Shutdown::begin`] when there is no more to do.
    pub fn work(mut self) -> App {
        let states = self.breakers.clone();
        let health = self.health.detail("breaker", move || states_of(&states)).start();
        let families = breaker::Metrics::default();
        self.breakers.iter().for_each(|breaker| families.watch(breaker));
        families.register(&mut self.registry);
        health.register(&mut self.registry);
        self.shutdown.register(&mut self.registry);
        self.telemetry.register(&mut self.registry);
        #[cfg(feature = "otlp-metrics")]
        if let Some(meter) = self.telemetry.meter() {
            families.observe(&meter);
            health.observe(&meter);
            self.shutdown.observe(&meter);
        }
        App {
            router: None,
            health,
            registry: self.registry,
            breakers: self.breakers,
            at_end: Box::pin(std::future::ready(())),
        }
    }
}

impl App {
    /// What is closed when the last request and the background work have ended, before telemetry is flushed. It is
    /// dropped after half of the time that is left for that.
    pub fn at_end(self, end: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { at_end: Box::pin(end), ..self }
    }
}

fn states_of(breakers: &[Breaker]) -> Value {
    let state = |breaker: &Breaker| (breaker.name().to_owned(), breaker.state().as_str().into());
    breakers.iter().map(state).collect::<Map<_, _>>().into()
}

impl fmt::Debug for Start {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Start").field("breakers", &self.breakers).finish_non_exhaustive()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("App").field("serves", &self.router.is_some()).finish_non_exhaustive()
    }
}
