#[cfg(feature = "otlp-full")]
mod authorities;
#[cfg(feature = "otlp-full")]
mod grpc;
#[cfg(feature = "otlp-full")]
mod http;

use std::time::Duration;

use opentelemetry_otlp::SpanExporter;
#[cfg(not(feature = "otlp-full"))]
use opentelemetry_otlp::{Protocol::HttpBinary, WithExportConfig as _};

use crate::telemetry::{Error, Protocol};

/// The way to a collector.
pub(super) struct Transport {
    pub(super) otlp: SpanExporter,
    pub(super) lifeline: Lifeline,
}

/// What has to live as long as the exporter.
#[derive(Debug)]
pub(super) enum Lifeline {
    /// The exporter has all it needs.
    None,
    /// A runtime for its connection.
    #[cfg(feature = "otlp-full")]
    Runtime(#[expect(dead_code, reason = "kept")] grpc::Driver),
}

impl Transport {
    /// Does not connect yet. Fails if the endpoint is none, or an authority cannot be read.
    #[cfg(feature = "otlp-full")]
    pub(super) fn to(endpoint: &str, protocol: Protocol, limit: Duration) -> Result<Self, Error> {
        match protocol {
            Protocol::Grpc => grpc::transport(endpoint, limit),
            Protocol::HttpProtobuf => http::transport(endpoint, limit),
        }
    }

    /// Does not connect yet. Fails if the endpoint is none.
    #[cfg(not(feature = "otlp-full"))]
    pub(super) fn to(endpoint: &str, protocol: Protocol, limit: Duration) -> Result<Self, Error> {
        if protocol == Protocol::Grpc || is_encrypted(endpoint) {
            let expected = "http:// and OTLP over HTTP, or the cargo feature `otlp-full`";
            return Err(crate::Invalid::new("endpoint", endpoint, expected).into());
        }
        let builder = SpanExporter::builder().with_http().with_protocol(HttpBinary);
        let otlp = builder.with_endpoint(endpoint).with_timeout(limit).build()?;
        Ok(Self { otlp, lifeline: Lifeline::None })
    }
}

fn is_encrypted(endpoint: &str) -> bool {
    endpoint.starts_with("https://")
}
