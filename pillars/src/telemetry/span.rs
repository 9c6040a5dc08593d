use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::SdkTracer;

use super::semconv;

/// A client span, or nothing if its request is not sampled. Ends when dropped.
#[must_use]
pub struct ClientSpan(Option<Context>);

impl ClientSpan {
    pub(super) fn start(
        tracer: Option<&SdkTracer>,
        parent: &Context,
        name: &'static str,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        let context = tracer.filter(|_| parent.span().span_context().is_sampled()).map(|tracer| {
            let builder = tracer.span_builder(name).with_kind(SpanKind::Client).with_attributes(attributes());
            parent.with_span(tracer.build_with_context(builder, parent))
        });
        Self(context)
    }

    /// Adds an attribute.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Marks the span as failed; `error_type` is a code or a short word, of which there are few.
    pub fn fail(&self, error_type: &str) {
        if let Some(context) = &self.0 {
            let span = context.span();
            span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, error_type.to_owned()));
            span.set_status(Status::error(""));
        }
    }

    pub(super) fn context(&self) -> Option<&Context> {
        self.0.as_ref()
    }
}

/// The span of a request, or of work without one, as a value of its context: inside of an inner span the current one is
/// another.
pub(super) struct RootSpan(Context);

impl RootSpan {
    /// The context of what happens inside of the span that `context` holds.
    pub(super) fn enter(context: &Context) -> Context {
        context.with_value(Self(context.clone()))
    }
}

/// Adds a business attribute to the server span of the current request, or to the span of [`Telemetry::root`], if it is
/// sampled; also from inside of inner spans.
///
/// [`Telemetry::root`]: super::Telemetry::root
pub fn annotate(key: &'static str, value: impl Into<Value>) {
    Context::map_current(|context| {
        if let Some(RootSpan(root)) = context.get::<RootSpan>() {
            root.span().set_attribute(KeyValue::new(key, value));
        }
    });
}

/// Whether the current request is sampled.
pub fn is_sampled() -> bool {
    Context::map_current(|context| context.span().span_context().is_sampled())
}
