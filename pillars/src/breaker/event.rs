use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, KeyValue};

/// Notes a transition on the span of the call that caused it, if that is sampled.
pub(super) fn record(breaker: &str, from: &'static str, to: &'static str) {
    Context::map_current(|context| {
        let span = context.span();
        if span.is_recording() {
            let attributes = vec![
                KeyValue::new("app.breaker.name", breaker.to_owned()),
                KeyValue::new("app.breaker.from", from),
                KeyValue::new("app.breaker.to", to),
            ];
            span.add_event("circuit breaker changed state", attributes);
        }
    });
}
