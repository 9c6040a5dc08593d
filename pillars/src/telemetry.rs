//! Pillar: OpenTelemetry traces that cost nothing where nothing is sampled, and logs that share their ids.
//!
//! - **Decide first.** The sampler runs once, where a request comes in ([`TraceLayer`]). An unsampled request
//!   creates no span at all; its context, flag 00, is passed on by [`Telemetry::inject`]. This is why the spans of
//!   requests, databases and clients are made with the OpenTelemetry API: by way of `tracing` every attribute would be
//!   built before anybody is asked. The spans of the application itself are `tracing`'s (`#[instrument]`), let through by
//!   [`Telemetry::layer`] only inside of what is sampled. Log events are `tracing`'s as well; the [`logs`] formatter takes
//!   the ids from the current context.
//! - **A budget for the remote flag.** A caller's `sampled=01` is honoured up to a token bucket; what exceeds it is
//!   sampled by the ratio like everything else, so nobody outside decides on our cost.
//! - **Metrics over OTLP** where they are asked for ([`Config::metrics`], feature `otlp-metrics`): the same counters that a
//!   scrape reads are read by a thread of their own.
//! - **Never in the way.** Spans go through a bounded queue to a thread of their own; a dead collector costs spans,
//!   which are counted, and nothing else. [`Telemetry::flush`] at the end has a deadline.
//!
//! Names follow semantic conventions 1.44 (HTTP and database stable, Redis in development).

#[cfg(feature = "clap")]
mod args;
mod baggage;
mod bridge;
mod combined;
mod config;
mod edge;
mod exporter;
#[cfg(feature = "axum")]
mod http;
mod ids;
#[cfg(feature = "axum")]
mod layer;
pub mod logs;
#[cfg(feature = "otlp-metrics")]
mod meters;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "telemetry/no_metrics.rs"]
mod metrics;
mod propagation;
mod resource;
pub mod semconv;
mod signal;
mod span;
mod tracecontext;
mod transport;
mod wanted;
#[cfg(feature = "axum")]
mod warnings;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "otlp-metrics")]
use std::time::Instant;

use ::http::HeaderMap;
use opentelemetry::trace::{SpanBuilder, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderInjector;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

use crate::Invalid;
#[cfg(feature = "clap")]
pub use args::Args;
pub use config::{Config, Protocol};
use edge::{Edge, Verdict};
use ids::Ids;
#[cfg(feature = "axum")]
pub use layer::{NotLogged, TraceFuture, TraceLayer, TraceService};
use metrics::Metrics;
/// The API that spans are made of. Take it from here: with a second version of it in the process, spans would vanish
/// without an error.
pub use opentelemetry;
use propagation::Propagators;
use signal::Signal;
pub use span::{ClientSpan, annotate, is_sampled};
use transport::Destination;

/// A handle to the traces of this process. Clones share it.
#[derive(Clone)]
pub struct Telemetry {
    traces: Arc<Traces>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Telemetry").field("exports", &self.traces.recorder.is_some()).finish()
    }
}

struct Traces {
    recorder: Option<Recorder>,
    #[cfg(feature = "otlp-metrics")]
    meters: Option<meters::Meters>,
    edge: Edge,
    propagators: Propagators,
    #[cfg(feature = "axum")]
    query: http::Query,
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "counts requests"))]
    metrics: Metrics,
    #[cfg(feature = "axum")]
    warnings: warnings::Warnings,
}

struct Recorder {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Telemetry {
    /// Starts the export threads, if there is somewhere to export to.
    ///
    /// Must be called outside of any async runtime, since the exporter's HTTP client is a blocking one (an async one
    /// has no reactor on the export thread); with an endpoint, it panics inside of one.
    pub fn start(config: &Config) -> Result<Self, Error> {
        config.validate()?;
        #[cfg(feature = "otlp-metrics")]
        let meters = meters::Meters::start(config)?;
        #[cfg(feature = "otlp-metrics")]
        let metrics =
            meters.as_ref().map_or_else(Metrics::default, |meters| Metrics::sent_by(&meters.meter()));
        #[cfg(not(feature = "otlp-metrics"))]
        let metrics = Metrics::default();
        let recorder = match &config.endpoint {
            Some(endpoint) => Some(Recorder::start(config, endpoint, &metrics)?),
            None => None,
        };
        let traces = Traces {
            recorder,
            #[cfg(feature = "otlp-metrics")]
            meters,
            edge: Edge::new(config, &metrics),
            propagators: Propagators::named(config.propagators.as_deref()),
            #[cfg(feature = "axum")]
            query: http::Query::of(config),
            metrics,
            #[cfg(feature = "axum")]
            warnings: warnings::Warnings::default(),
        };
        Ok(Self { traces: Arc::new(traces) })
    }

    /// Starts a client span under the current context; a no-op that builds no attribute if that is not sampled.
    pub fn client_span(&self, name: &'static str, attributes: impl FnOnce() -> Vec<KeyValue>) -> ClientSpan {
        Context::map_current(|parent| self.client_span_in(parent, name, attributes))
    }

    /// As [`Telemetry::client_span`], for work that a request left behind in another task.
    pub fn client_span_in(
        &self,
        parent: &Context,
        name: &'static str,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> ClientSpan {
        ClientSpan::start(self.tracer(), parent, name, attributes)
    }

    /// Decides whether work without a request (a timer, a message) is traced: by the context in the headers of its
    /// message, or as a trace of its own. What it returns is to be the current context while the work goes on: attach
    /// it, or poll a future under it.
    pub fn root(&self, name: &'static str, headers: &HeaderMap) -> Context {
        let incoming = self.traces.propagators.extract(headers);
        let Some(tracer) = self.tracer() else { return incoming };
        match self.traces.edge.decide(incoming) {
            Verdict::PassOn(context) => context,
            Verdict::Record(origin) => origin.enter(tracer, SpanBuilder::from_name(name)),
        }
    }

    /// Writes the context of `span`, or else the current one, into the headers of an outgoing request.
    pub fn inject(&self, span: &ClientSpan, headers: &mut HeaderMap) {
        let mut carrier = HeaderInjector(headers);
        match span.context() {
            Some(context) => self.traces.propagators.inject(context, &mut carrier),
            None => Context::map_current(|context| self.traces.propagators.inject(context, &mut carrier)),
        }
    }

    /// Exports what is queued, and the metrics where they are sent, and ends the export threads. Blocks for at most
    /// `deadline`, so it belongs on a thread that no runtime needs. Later spans are lost.
    pub fn flush(&self, deadline: Duration) {
        #[cfg(feature = "otlp-metrics")]
        let (since, metrics) = (Instant::now(), self.traces.meters.as_ref().map(meters::Meters::end));
        if let Some(recorder) = &self.traces.recorder {
            match recorder.provider.shutdown_with_timeout(deadline) {
                Ok(()) => tracing::info!("telemetry flushed"),
                Err(error) => tracing::warn!(%error, "telemetry not flushed completely"),
            }
        }
        #[cfg(feature = "otlp-metrics")]
        if let Some(ended) = metrics {
            match ended.recv_timeout(deadline.saturating_sub(since.elapsed())) {
                Ok(Ok(())) => tracing::info!("metrics flushed"),
                Ok(Err(error)) => tracing::warn!(%error, "metrics not flushed"),
                Err(error) => tracing::warn!(%error, "metrics not flushed in time"),
            }
        }
    }

    /// For metrics of the application's own, where metrics are sent ([`Config::metrics`]); those of the pillars are.
    #[cfg(feature = "otlp-metrics")]
    pub fn meter(&self) -> Option<opentelemetry::metrics::Meter> {
        self.traces.meters.as_ref().map(meters::Meters::meter)
    }

    /// Adds the families of requests and spans to `registry`.
    #[cfg(feature = "metrics")]
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        self.traces.metrics.register(registry);
    }

    fn tracer(&self) -> Option<&SdkTracer> {
        self.traces.recorder.as_ref().map(|recorder| &recorder.tracer)
    }
}

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] Invalid),
    /// The exporter refuses its settings.
    #[error("endpoint or OTEL_EXPORTER_OTLP_*: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The client for HTTPS cannot be made.
    #[cfg(feature = "otlp-full")]
    #[error("endpoint: {0}")]
    Client(reqwest::Error),
    /// A thread or a runtime for the exporter cannot be had.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
    /// A subscriber for logs is already set in this process.
    #[error("logs: {0}")]
    Logs(#[from] tracing_subscriber::util::TryInitError),
}

impl Recorder {
    fn start(config: &Config, endpoint: &str, metrics: &Metrics) -> Result<Self, Error> {
        let protocol = config.protocol_to(endpoint);
        let to = Destination { signal: Signal::Traces, endpoint, protocol };
        let provider = SdkTracerProvider::builder()
            // The edge has decided by the time a span is started.
            .with_sampler(Sampler::AlwaysOn)
            .with_id_generator(Ids::default())
            .with_resource(resource::describe(config))
            .with_span_processor(exporter::pipeline(to, metrics)?)
            .build();
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        Ok(Self { provider, tracer })
    }
}

#[cfg(test)]
mod tests;
