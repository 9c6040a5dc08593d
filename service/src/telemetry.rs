//! Pillar: OpenTelemetry traces that cost nothing where nothing is sampled, and logs that share their ids.
//!
//! - **Decide first.** The sampler runs once, where a request comes in ([`TraceLayer`]). An unsampled request
//!   creates no span at all; its context, flag 00, is passed on by [`Telemetry::inject`]. This is why spans are made
//!   with the OpenTelemetry API: `tracing-opentelemetry` builds every attribute before anybody is asked, about 2.5 µs
//!   a request whatever the ratio, and sends unsigned integers as strings. Log events are still `tracing`'s; the
//!   [`logs`] formatter takes the ids from the current context.
//! - **A budget for the remote flag.** A caller's `sampled=01` is honoured up to a token bucket; what exceeds it is
//!   sampled by the ratio like everything else, so nobody outside decides on our cost.
//! - **Never in the way.** Spans go through a bounded queue to a thread of their own; a dead collector costs spans,
//!   which are counted, and nothing else. [`Telemetry::flush`] at the end has a deadline.
//!
//! Names follow semantic conventions 1.44 (HTTP and database stable, Redis in development).

mod args;
mod baggage;
mod combined;
mod edge;
mod exporter;
mod http;
mod layer;
pub mod logs;
mod metrics;
mod propagation;
mod resource;
pub mod semconv;
mod span;
mod tracecontext;

use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

pub use args::{Args, Error, LogFormat};
use edge::Edge;
pub use layer::{Answering, TraceLayer, Traced, Untold};
pub use metrics::Metrics;
use propagation::Propagators;
pub use span::{ClientSpan, annotate, is_sampled};

/// A handle to the traces of this process. Clones share it.
#[derive(Clone)]
pub struct Telemetry {
    traces: Arc<Traces>,
}

struct Traces {
    recorder: Option<Recorder>,
    edge: Edge,
    propagators: Propagators,
    metrics: Metrics,
}

struct Recorder {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Telemetry {
    /// Starts the export thread, if there is somewhere to export to.
    ///
    /// Must be called outside of any async runtime, since the exporter's HTTP client is a blocking one (an async one
    /// has no reactor on the export thread).
    pub fn start(args: &Args, metrics: &Metrics) -> Result<Self, Error> {
        let recorder = match args.traces_endpoint() {
            Some(endpoint) => Some(Recorder::start(args, &endpoint, metrics)?),
            None => None,
        };
        let traces = Traces {
            recorder,
            edge: Edge::new(args, metrics),
            propagators: Propagators::named(args.otel_propagators.as_deref()),
            metrics: metrics.clone(),
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

    /// Writes the context of `span`, or else the current one, into the headers of an outgoing request.
    pub fn inject(&self, span: &ClientSpan, headers: &mut HeaderMap) {
        let mut carrier = HeaderInjector(headers);
        match span.context() {
            Some(context) => self.traces.propagators.inject(context, &mut carrier),
            None => Context::map_current(|context| self.traces.propagators.inject(context, &mut carrier)),
        }
    }

    /// Exports what is queued and ends the export thread. Blocks for at most `deadline`, so it belongs on a thread
    /// that no runtime needs. Later spans are lost.
    pub fn flush(&self, deadline: Duration) {
        // Like a provider in a static, which nobody drops: its drop would flush.
        #[cfg(feature = "flawed")]
        if crate::flaw::Flaw::NoFlush.is_selected() {
            return std::mem::forget(self.clone());
        }
        let Some(recorder) = &self.traces.recorder else {
            return;
        };
        match recorder.provider.shutdown_with_timeout(deadline) {
            Ok(()) => tracing::info!("telemetry flushed"),
            Err(error) => tracing::warn!(%error, "telemetry not flushed completely"),
        }
    }

    fn tracer(&self) -> Option<&SdkTracer> {
        self.traces.recorder.as_ref().map(|recorder| &recorder.tracer)
    }
}

impl Recorder {
    fn start(args: &Args, endpoint: &str, metrics: &Metrics) -> Result<Self, Error> {
        let provider = SdkTracerProvider::builder()
            // The edge has decided by the time a span is started.
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(resource::describe(args))
            .with_span_processor(exporter::pipeline(endpoint, metrics)?)
            .build();
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        Ok(Self { provider, tracer })
    }
}
