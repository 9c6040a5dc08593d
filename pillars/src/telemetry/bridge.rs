use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, dynamic_filter_fn, filter_fn};
use tracing_subscriber::registry::LookupSpan;

use super::{Telemetry, is_sampled};

impl Telemetry {
    /// Shows the spans of `tracing` (`#[instrument]`) of level INFO and above in the traces of this process, for a
    /// subscriber of your own; [`Logs::install`](super::logs::Logs::install) has it.
    ///
    /// A span is let through only where the current context is sampled. Events are left to the log. Elsewhere a span is not
    /// shown; that it is not even made is up to the subscriber: `install` sees to it (20 ns), a registry with filters per
    /// layer alone makes and forgets it (400 ns).
    pub fn layer<S>(&self) -> Option<impl Layer<S> + Send + Sync + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        self.tracer().cloned().map(spans)
    }
}

pub(super) fn spans<S>(tracer: SdkTracer) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let sampled = dynamic_filter_fn(|_, _| is_sampled()).with_max_level_hint(LevelFilter::INFO);
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_target(false)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_shown).with_max_level_hint(LevelFilter::INFO).and(sampled))
}

/// Told once a callsite, so that what is never shown costs nothing.
pub(super) fn is_shown(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= Level::INFO
}

#[cfg(test)]
mod tests;
