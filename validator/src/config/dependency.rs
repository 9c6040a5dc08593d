//! What the target calls: one entry per arrow that leaves the service.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::Breaker;

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

/// Dependencies of which each has a name and a Service of its own: a Service has room for one middle agent.
pub(super) fn distinct<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Dependency>, D::Error> {
    let all = Vec::<Dependency>::deserialize(from)?;
    for (at, one) in all.iter().enumerate() {
        if all[..at].iter().any(|other| other.name == one.name) {
            return Err(D::Error::custom(format!("two dependencies have the name `{}`", one.name)));
        }
        if all[..at].iter().any(|other| other.service == one.service) {
            return Err(D::Error::custom(format!("two dependencies have the Service `{}`", one.service)));
        }
    }
    Ok(all)
}
