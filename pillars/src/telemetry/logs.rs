//! Log lines on standard error, as JSON or text, with the ids of the current trace.
//!
//! They are written by a thread of their own: whoever reads them slowly, or not at all, costs lines, which are counted, and
//! holds no request up.

mod line;
#[cfg(feature = "metrics")]
mod metrics;

use std::fmt;

use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Metadata, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
pub use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::bridge::spans;
use super::wanted::Wanted;
use super::{Error, Telemetry};
use line::{JsonLine, TextLine};

/// Lines that wait to be written, about a quarter of a MiB of them.
const QUEUE: usize = 1_024;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum LogFormat {
    /// One JSON object a line, with `trace_id` and `span_id`.
    Json,
    /// For people, with the same ids at the end of a line.
    Text,
}

/// The log of a process. When it is dropped, what waits is written, for a second at most; later lines are lost.
#[must_use]
pub struct Logs {
    format: LogFormat,
    filter: EnvFilter,
    writer: NonBlocking,
    _thread: WorkerGuard,
}

impl Logs {
    /// Starts the thread that writes; there are no lines yet.
    pub fn start(format: LogFormat, filter: EnvFilter) -> Self {
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE);
        let (writer, thread) = builder.thread_name("log-writer").finish(std::io::stderr());
        Self { format, filter, writer, _thread: thread }
    }

    /// Runs `work` with log lines on this thread: for what comes before [`Logs::install`].
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(self.layer()), work)
    }

    /// Sets the subscriber of this process: lines, and the spans of `tracing` in the traces of `telemetry`
    /// ([`Telemetry::layer`]). Fails if there is one.
    pub fn install(&self, telemetry: &Telemetry) -> Result<(), Error> {
        Ok(self.subscriber(telemetry.tracer().cloned()).try_init()?)
    }

    /// The subscriber of a process; what nobody wants is not made.
    pub(super) fn subscriber(&self, tracer: Option<SdkTracer>) -> impl Subscriber + Send + Sync + use<> {
        let wanted = Wanted { lines: self.filter.clone(), spans: tracer.is_some() };
        let lines = self.lines().with_filter(filter_fn(is_line));
        tracing_subscriber::registry().with(lines).with(tracer.map(spans)).with(wanted)
    }

    /// Lines for a subscriber of your own. The filter is theirs alone: it takes no span away from other layers.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.lines().with_filter(self.filter.clone().and(filter_fn(is_line)))
    }

    fn lines<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let lines = tracing_subscriber::fmt::layer().with_writer(self.writer.clone());
        match self.format {
            LogFormat::Json => lines.event_format(JsonLine).boxed(),
            LogFormat::Text => lines.with_ansi(false).map_event_format(TextLine).boxed(),
        }
    }

    /// Lines that nobody took in time, so far.
    pub fn dropped(&self) -> u64 {
        self.writer.error_counter().dropped_lines() as u64
    }
}

/// Lines are made of events; what is neither asks for one (`tracing::enabled!`).
fn is_line(metadata: &Metadata<'_>) -> bool {
    !metadata.is_span()
}

impl fmt::Debug for Logs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Logs").field("format", &self.format).finish_non_exhaustive()
    }
}
