//! Facts about traces, as the collector holds them.

use serde::{Deserialize, Serialize};

use super::Millis;

/// The spans of one trace of ours, as the middle agent before the collector copied them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TraceFact {
    /// When the first span of it came by.
    pub at: Millis,
    /// Trace id, 32 hex digits.
    pub trace_id: String,
    /// All spans of it, from every sender; each once per time it was sent.
    pub spans: Vec<Span>,
}

/// One span, reduced to what checks need.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Span {
    /// Span id, 16 hex digits.
    pub id: String,
    /// Parent span id, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: SpanKind,
    /// `service.name` of its resource.
    pub service: String,
    /// `service.version` of its resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Start, microseconds of Unix time on the service's clock.
    pub start_us: i64,
    /// Duration in microseconds.
    pub duration_us: i64,
    /// `server.address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// `peer.service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// `db.system.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_system: Option<String>,
}

/// Kind of a span, as in the OpenTelemetry trace API.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum SpanKind {
    /// Handles a request of somebody else.
    Server,
    /// Calls somebody else.
    Client,
    /// Anything else.
    Other,
}
