use crate::telemetry::logs::{EnvFilter, LogFormat};
use crate::{health, shutdown, telemetry};

/// A process with the pillars; see the [module](super).
#[derive(Debug)]
pub struct Service;

/// Settings of a [`Service`], with defaults for all but its name.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    pub(super) telemetry: telemetry::Config,
    pub(super) health: health::Config,
    pub(super) shutdown: shutdown::Config,
    pub(super) log_format: LogFormat,
    pub(super) log_filter: EnvFilter,
    pub(super) port: u16,
    pub(super) management_port: u16,
    pub(super) metrics: bool,
    pub(super) drills: bool,
}

impl Service {
    /// A service that is called as its telemetry says.
    pub fn builder(telemetry: telemetry::Config) -> Builder {
        Builder {
            telemetry,
            health: health::Config::default(),
            shutdown: shutdown::Config::default(),
            log_format: LogFormat::Json,
            log_filter: EnvFilter::new("info"),
            port: 8080,
            management_port: 8081,
            metrics: true,
            drills: false,
        }
    }
}

impl Builder {
    /// Settings of liveness and readiness.
    pub fn health(self, config: health::Config) -> Self {
        Self { health: config, ..self }
    }

    /// Settings of the shutdown clock.
    pub fn shutdown(self, config: shutdown::Config) -> Self {
        Self { shutdown: config, ..self }
    }

    /// How log lines look, JSON by default, and which there are, `info` by default.
    pub fn logs(self, format: LogFormat, filter: EnvFilter) -> Self {
        Self { log_format: format, log_filter: filter, ..self }
    }

    /// Port of users, 8080 by default; not taken by a service without a router.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Port of probes and metrics, 8081 by default.
    pub fn management_port(self, port: u16) -> Self {
        Self { management_port: port, ..self }
    }

    /// Whether `/metrics` is served on the management port; it is by default.
    pub fn metrics(self, served: bool) -> Self {
        Self { metrics: served, ..self }
    }

    /// Whether circuits can be set by hand at `/breakers` of the management port, which asks nobody who they are; not by
    /// default.
    pub fn drills(self, allowed: bool) -> Self {
        Self { drills: allowed, ..self }
    }
}
