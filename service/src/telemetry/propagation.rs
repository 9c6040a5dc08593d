use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry_sdk::propagation::BaggagePropagator;

use super::tracecontext::TraceContext;

/// The propagators that `OTEL_PROPAGATORS` names, a variable that the SDK does not read.
pub(super) struct Propagators(Vec<Box<dyn TextMapPropagator + Send + Sync>>);

const DEFAULT: &str = "tracecontext,baggage";

impl Propagators {
    /// Parses a comma-separated list; unknown names are warned of and skipped, as the specification asks.
    pub(super) fn named(list: Option<&str>) -> Self {
        let list = list.filter(|text| !text.trim().is_empty()).unwrap_or(DEFAULT);
        let mut propagators: Vec<Box<dyn TextMapPropagator + Send + Sync>> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            match name {
                "tracecontext" => propagators.push(Box::new(TraceContext::default())),
                "baggage" => propagators.push(Box::new(BaggagePropagator::new())),
                "none" => return Self(Vec::new()),
                unknown => {
                    tracing::warn!(unknown, "OTEL_PROPAGATORS names a propagator that is not built in")
                }
            }
        }
        Self(propagators)
    }

    pub(super) fn extract(&self, carrier: &dyn Extractor) -> Context {
        self.0.iter().fold(Context::new(), |context, each| each.extract_with_context(&context, carrier))
    }

    pub(super) fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        for each in &self.0 {
            each.inject_context(context, carrier);
        }
    }
}

#[cfg(test)]
mod tests;
