use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::Injector;
use opentelemetry::trace::TraceContextExt as _;

use super::baggage::Baggage;
use super::tracecontext::TraceContext;

/// The propagators that `OTEL_PROPAGATORS` names, a variable that the SDK does not read.
pub(super) struct Propagators(Vec<Propagator>);

enum Propagator {
    TraceContext(TraceContext),
    Baggage,
}

const DEFAULT: &str = "tracecontext,baggage";

impl Propagators {
    /// Parses a comma-separated list; unknown names are warned of and skipped, as the specification asks.
    pub(super) fn named(list: Option<&str>) -> Self {
        let list = list.filter(|text| !text.trim().is_empty()).unwrap_or(DEFAULT);
        let mut propagators = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            match name {
                "tracecontext" => propagators.push(Propagator::TraceContext(TraceContext::default())),
                "baggage" => propagators.push(Propagator::Baggage),
                "none" => return Self(Vec::new()),
                unknown => {
                    tracing::warn!(unknown, "OTEL_PROPAGATORS names a propagator that is not built in")
                }
            }
        }
        Self(propagators)
    }

    /// The context that a request brings. Headers that are not there cost one look each.
    pub(super) fn extract(&self, headers: &HeaderMap) -> Context {
        self.0.iter().fold(Context::new(), |context, each| match each {
            Propagator::TraceContext(_) => match TraceContext::extract(headers) {
                Some(parent) => context.with_remote_span_context(parent),
                None => context,
            },
            Propagator::Baggage => Baggage::extract(context, headers),
        })
    }

    pub(super) fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        for each in &self.0 {
            match each {
                Propagator::TraceContext(trace) => trace.inject(context, carrier),
                Propagator::Baggage => Baggage::inject(context, carrier),
            }
        }
    }
}

#[cfg(test)]
mod tests;
