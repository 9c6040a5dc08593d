use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, Key};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor};
use tracing::{Level, Subscriber, enabled, event_enabled, info_span, instrument};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, registry};

use super::spans;
use crate::telemetry::logs::{LogFormat, Logs};
use crate::telemetry::span::RootSpan;
use crate::telemetry::{ClientSpan, annotate};

/// Keeps what has ended.
#[derive(Clone, Debug, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Ended {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Ended {
    fn find(&self, name: &str) -> SpanData {
        let spans = self.0.lock().unwrap();
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}")).clone()
    }
}

#[instrument(skip_all)]
fn look_up(tracer: &SdkTracer) {
    annotate("app.user.id", 7);
    Context::map_current(|parent| drop(ClientSpan::start(Some(tracer), parent, "SELECT users", Vec::new)));
    prepare();
}

#[instrument(level = "debug")]
fn prepare() {}

/// Runs `work` with both layers, where the log tells warnings alone: as they are installed, then put together by a user.
fn with_layers(work: impl Fn(&SdkTracer)) -> [Ended; 2] {
    let logs = Logs::start(LogFormat::Json, EnvFilter::new("warn"));
    let own = |tracer| registry().with(logs.layer()).with(spans(tracer));
    [with(|tracer| logs.subscriber(Some(tracer)), &work), with(own, &work)]
}

fn with<S>(subscriber: impl FnOnce(SdkTracer) -> S, work: impl FnOnce(&SdkTracer)) -> Ended
where
    S: Subscriber + Send + Sync,
{
    let ended = Ended::default();
    let provider = SdkTracerProvider::builder().with_span_processor(ended.clone()).build();
    let tracer = provider.tracer("test");
    tracing::subscriber::with_default(subscriber(tracer.clone()), || work(&tracer));
    ended
}

fn unsampled() -> Context {
    let (trace, span) = (TraceId::from(7), SpanId::from(7));
    let ids = SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, true, TraceState::default());
    Context::new().with_remote_span_context(ids)
}

#[test]
fn an_instrumented_function_is_a_child_of_its_request_and_the_parent_of_its_statements() {
    let both = with_layers(|tracer| {
        let request = Context::new().with_span(tracer.start_with_context("request", &Context::new()));
        let _request = RootSpan::enter(&request).attach();
        look_up(tracer);
    });
    for ended in both {
        let (request, inner, statement) =
            (ended.find("request"), ended.find("look_up"), ended.find("SELECT users"));
        assert_eq!(inner.parent_span_id, request.span_context.span_id());
        assert_eq!(statement.parent_span_id, inner.span_context.span_id());
        assert_eq!(inner.span_context.trace_id(), request.span_context.trace_id());
        let annotated =
            |span: &SpanData| span.attributes.iter().any(|each| each.key == Key::new("app.user.id"));
        assert!(annotated(&request) && !annotated(&inner), "business attributes belong to the request");
        assert_eq!(ended.0.lock().unwrap().len(), 3, "what is below INFO is not shown");
    }
}

#[test]
fn a_span_of_what_is_not_sampled_is_not_shown_and_allocates_nothing() {
    let both = with_layers(|tracer| {
        let _request = unsampled().attach();
        look_up(tracer);
        let measured = allocation_counter::measure(|| (0..100).for_each(|_| look_up(tracer)));
        assert_eq!(measured.count_total, 0);
        // A thread that polls something else in between has no request at all.
        let _none = Context::new().attach();
        look_up(tracer);
    });
    for ended in both {
        assert!(ended.0.lock().unwrap().is_empty(), "{ended:?}");
    }
}

#[test]
fn a_span_of_what_is_not_sampled_is_not_even_made() {
    let logs = Logs::start(LogFormat::Json, EnvFilter::new("warn"));
    let made = || !info_span!("made").is_disabled();
    with(
        |tracer| logs.subscriber(Some(tracer)),
        |tracer| {
            assert!(!made(), "outside of any request");
            let unsampled = unsampled().attach();
            assert!(!made(), "in one that is not sampled");
            drop(unsampled);
            let _request =
                Context::new().with_span(tracer.start_with_context("request", &Context::new())).attach();
            assert!(made());
        },
    );
    with(|_| logs.subscriber(None), |_| assert!(!made(), "nothing is exported"));
}

#[test]
fn the_log_filters_lines_whether_spans_are_shown_or_not() {
    let logs = Logs::start(LogFormat::Json, EnvFilter::new("warn"));
    for traced in [true, false] {
        with(
            |tracer| logs.subscriber(traced.then_some(tracer)),
            |_| {
                assert!(event_enabled!(Level::WARN) && !event_enabled!(Level::INFO), "traced: {traced}");
                assert!(
                    enabled!(Level::WARN) && !enabled!(Level::INFO),
                    "as libraries ask, traced: {traced}"
                );
            },
        );
    }
}
