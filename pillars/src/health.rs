//! Pillar: liveness that notices a deadlock, readiness that knows the dependencies.
//!
//! - Each dependency is pinged by a loop with a connection of its own, bounded in time. Handlers only read the last
//!   observation and its age: a hanging dependency cannot make `/ready` hang, and load on a request pool cannot make
//!   a pod unready. Pings do not pass any circuit breaker, or they would be its trial.
//! - A heartbeat runs on the main runtime. The management port is served by an OS thread with a runtime of its own
//!   ([`spawn_management`]), whose `/health` looks at the age of that heartbeat: a blocked runtime could not even
//!   say that it is blocked.
//! - `/health` never looks at a dependency; a restart repairs none of them.

#[cfg(feature = "clap")]
mod args;
mod config;
mod dependency;
mod heartbeat;
#[cfg(feature = "axum")]
mod management;
#[cfg(feature = "metrics")]
mod metrics;
mod readiness;
mod report;
#[cfg(feature = "axum")]
mod routes;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::Invalid;

#[cfg(feature = "clap")]
pub use args::Args;
pub use config::{Config, Need};
use dependency::Dependency;
use heartbeat::Heartbeat;
#[cfg(feature = "axum")]
pub use management::spawn as spawn_management;
pub use readiness::Readiness;
pub use report::Report;
#[cfg(feature = "axum")]
pub use routes::{management_routes, routes};

/// Confirms one dependency, on a connection of its own.
pub trait Probe: Send + 'static {
    /// Succeeds if the dependency can do its work now; otherwise says why not, in words fit for outsiders.
    ///
    /// Dropped when the deadline passes.
    fn ping(&mut self) -> impl Future<Output = Result<(), String>> + Send;
}

/// A handle to what is known about the process and its dependencies. Clones share it.
#[derive(Clone)]
pub struct Health {
    vitals: Arc<Vitals>,
}

impl fmt::Debug for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Health").field(&self.readiness()).finish()
    }
}

struct Vitals {
    started: Instant,
    config: Config,
    heartbeat: Heartbeat,
    dependencies: Vec<Dependency>,
    leaving: Box<dyn Fn() -> bool + Send + Sync>,
    details: Vec<(&'static str, Detail)>,
}

type Detail = Box<dyn Fn() -> serde_json::Value + Send + Sync>;

/// Collects dependencies; each is pinged from the moment it is added.
#[must_use]
pub struct Builder {
    config: Config,
    dependencies: Vec<Dependency>,
    leaving: Box<dyn Fn() -> bool + Send + Sync>,
    details: Vec<(&'static str, Detail)>,
}

impl Health {
    /// Starts with no dependencies. Must be called on the main runtime, like everything on the builder.
    /// Fails if a setting cannot be used.
    pub fn builder(config: Config) -> Result<Builder, Invalid> {
        config.validate()?;
        Ok(Builder { config, dependencies: Vec::new(), leaving: Box::new(|| false), details: Vec::new() })
    }

    /// Whether and why the process wants traffic now.
    pub fn readiness(&self) -> Readiness {
        let vitals = &self.vitals;
        if (vitals.leaving)() {
            return Readiness::Draining;
        }
        Readiness::judge(vitals.dependencies.iter().map(Dependency::status))
    }

    /// Time since the start.
    pub fn uptime(&self) -> Duration {
        self.vitals.started.elapsed()
    }

    /// For how long the main runtime has done nothing, if that is too long: the process is to be restarted. Ask from a
    /// thread outside of that runtime.
    pub fn stuck_for(&self) -> Option<Duration> {
        let age = self.vitals.heartbeat.age();
        (age > self.vitals.config.stall).then_some(age)
    }
}

impl Builder {
    /// Adds a dependency and starts to ping it.
    pub fn dependency(mut self, name: &'static str, need: Need, probe: impl Probe) -> Self {
        self.dependencies.push(Dependency::watch(name, need, probe, &self.config));
        self
    }

    /// Sets what tells that the process is on its way out; asked for each answer of `/ready`.
    pub fn leaving(mut self, leaving: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.leaving = Box::new(leaving);
        self
    }

    /// Adds a value to the verbose view on the management port.
    pub fn detail(
        mut self,
        name: &'static str,
        value: impl Fn() -> serde_json::Value + Send + Sync + 'static,
    ) -> Self {
        self.details.push((name, Box::new(value)));
        self
    }

    /// Starts the heartbeat.
    pub fn start(self) -> Health {
        let vitals = Vitals {
            started: Instant::now(),
            heartbeat: Heartbeat::start(),
            config: self.config,
            dependencies: self.dependencies,
            leaving: self.leaving,
            details: self.details,
        };
        Health { vitals: Arc::new(vitals) }
    }
}
