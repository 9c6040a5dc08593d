//! Facts about traces, as the collector holds them.

use serde::{Deserialize, Serialize};

use super::Millis;

/// The spans of one trace of ours that the collector took, as the middle agent before it copied them.
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
    /// Names of the attributes that hold a credential, with what it is; the values are not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
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

/// Exports of spans of one second that the collector did not take: same pod, same request, same answer.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct ExportFact {
    /// When the first of them came.
    pub at: Millis,
    /// Name of the collector.
    pub dependency: String,
    /// The pod.
    pub pod: String,
    /// Method and path.
    pub request: String,
    /// What was answered.
    pub refusal: Refusal,
    /// How many exports.
    pub exports: u32,
    /// How many spans they held; 0 also when they could not be read.
    pub spans: u64,
}

/// Why spans that were sent to a collector were not delivered.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// This status of HTTP, not of the 2xx class.
    Status(u16),
    /// This status of gRPC, not 0.
    Grpc(u32),
    /// It took some and rejected some: partial success (OTLP specification).
    Rejected,
    /// The answer is none of OTLP, for this reason.
    NoEndpoint(String),
    /// The connection ended before an answer.
    NoAnswer,
}

impl std::fmt::Display for ExportFact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { request, .. } = self;
        match &self.refusal {
            Refusal::Status(status) => write!(f, "{request} answered {status}"),
            Refusal::Grpc(code) => write!(f, "{request} answered gRPC status {code}"),
            Refusal::Rejected => write!(f, "{request} answered that some spans are rejected"),
            Refusal::NoEndpoint(why) => write!(f, "{request} was answered, but not by OTLP: {why}"),
            Refusal::NoAnswer => write!(f, "{request} was not answered"),
        }
    }
}
