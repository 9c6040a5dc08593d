//! What the target calls: one entry per arrow that leaves the service.

use serde::{Deserialize, Serialize};

use super::Seconds;

/// One declared dependency.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Name in the report.
    pub name: String,
    /// Service in the target's namespace.
    pub service: String,
    /// What is spoken to it.
    pub protocol: Protocol,
    /// The circuit breaker that the service declares for it.
    #[serde(default)]
    pub breaker: Option<Breaker>,
}

/// What is spoken to a dependency.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Protocol {
    /// PostgreSQL's frontend/backend protocol 3.
    Postgres,
    /// RESP.
    Redis,
    /// OpenTelemetry protocol.
    Otlp,
    /// HTTP/1 or HTTP/2.
    Http,
}

impl Protocol {
    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Otlp => "otlp",
            Self::Http => "http",
        }
    }

    /// Whether the target keeps its state there: readiness depends on it.
    pub fn is_store(self) -> bool {
        matches!(self, Self::Postgres | Self::Redis)
    }
}

/// The declared circuit breaker.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Breaker {
    /// Share of failures that opens, 0 to 1.
    pub error_rate: f64,
    /// Over which time.
    pub window: Seconds,
    /// Below this number of calls in the window it never opens.
    pub min_calls: u32,
    /// Deadline of one call.
    pub deadline: Seconds,
    /// How long it stays open.
    pub open_for: Seconds,
    /// Trial calls when half-open.
    pub trials: u32,
}

impl Breaker {
    /// When the circuit of a warm service under steady load opens after its calls began to hang, in seconds:
    /// the earliest and the latest moment that the declaration allows.
    ///
    /// A service that counts a call when it *begins* has seen `t` of `window` seconds hang at moment `t`, and opens
    /// at `errorRate * window`. One that counts a call when it *ends* knows the failures only a deadline `d` later,
    /// and the calls in between are in no count: the share is `(t - d) / (window - d)`, so that it opens at
    /// `errorRate * window + (1 - errorRate) * d`. Both are right; faster is as wrong as slower.
    pub fn opens_between_s(&self) -> (f64, f64) {
        let earliest = self.error_rate * self.window.0;
        (earliest, earliest + (1.0 - self.error_rate) * self.deadline.0)
    }
}
