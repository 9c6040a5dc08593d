#[cfg(feature = "otlp-full")]
mod authorities;
#[cfg(feature = "otlp-full")]
mod grpc;
#[cfg(feature = "otlp-full")]
mod http;
#[cfg(not(feature = "otlp-full"))]
#[path = "transport/plain.rs"]
mod http;

#[cfg(feature = "otlp-full")]
use opentelemetry_otlp::TonicExporterBuilderSet as Grpc;
use opentelemetry_otlp::{HttpExporterBuilderSet as Http, SpanExporter, SpanExporterBuilder};
#[cfg(feature = "otlp-metrics")]
use opentelemetry_otlp::{MetricExporter, MetricExporterBuilder};

use super::signal::Signal;
use super::{Error, Protocol};

/// Where a signal is sent, and how.
#[derive(Clone, Copy)]
pub(super) struct Destination<'a> {
    pub(super) signal: Signal,
    pub(super) endpoint: &'a str,
    pub(super) protocol: Protocol,
}

/// The way to a collector. Does not connect before something is sent.
pub(super) struct Transport<E> {
    pub(super) otlp: E,
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

impl Transport<SpanExporter> {
    /// Fails if the endpoint is none, or an authority cannot be read.
    pub(super) fn of_spans(to: Destination<'_>) -> Result<Self, Error> {
        let exporter = SpanExporter::builder();
        match to.protocol {
            #[cfg(feature = "otlp-full")]
            Protocol::Grpc => grpc::transport(to, exporter.with_tonic(), SpanExporterBuilder::<Grpc>::build),
            #[cfg(not(feature = "otlp-full"))]
            Protocol::Grpc => Err(http::refused(to)),
            Protocol::HttpProtobuf => {
                http::transport(to, exporter.with_http(), SpanExporterBuilder::<Http>::build)
            }
        }
    }
}

#[cfg(feature = "otlp-metrics")]
impl Transport<MetricExporter> {
    /// As [`Transport::of_spans`].
    pub(super) fn of_metrics(to: Destination<'_>) -> Result<Self, Error> {
        let exporter = MetricExporter::builder();
        match to.protocol {
            #[cfg(feature = "otlp-full")]
            Protocol::Grpc => {
                grpc::transport(to, exporter.with_tonic(), MetricExporterBuilder::<Grpc>::build)
            }
            #[cfg(not(feature = "otlp-full"))]
            Protocol::Grpc => Err(http::refused(to)),
            Protocol::HttpProtobuf => {
                http::transport(to, exporter.with_http(), MetricExporterBuilder::<Http>::build)
            }
        }
    }
}

impl Destination<'_> {
    fn is_encrypted(self) -> bool {
        self.endpoint.starts_with("https://")
    }
}
