use ::http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt as _, TraceId};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample as _};

use super::{Config, Telemetry};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// Exports to a port where nobody listens.
fn telemetry(ratio: f64) -> Telemetry {
    let config = Config::new("test", "1").endpoint("http://127.0.0.1:9/v1/traces").sample_ratio(ratio);
    Telemetry::start(&config).unwrap()
}

fn message(flags: &str) -> HeaderMap {
    let parent = format!("00-{TRACE}-{SPAN}-{flags}");
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::from_str(&parent).unwrap());
    headers
}

/// What the work is done in.
fn root(telemetry: &Telemetry, headers: &HeaderMap) -> SpanContext {
    let context = telemetry.root("job", headers);
    context.span().span_context().clone()
}

#[test]
fn work_for_a_sampled_message_goes_on_in_its_trace() {
    let job = root(&telemetry(0.0), &message("01"));
    assert_eq!(job.trace_id().to_string(), TRACE);
    assert!(job.is_sampled() && !job.is_remote(), "a span of its own: {job:?}");
    assert_ne!(job.span_id().to_string(), SPAN);
}

#[test]
fn the_context_of_an_unsampled_message_is_passed_on_as_it_came() {
    let job = root(&telemetry(1.0), &message("00"));
    assert_eq!((job.trace_id().to_string(), job.span_id().to_string()), (TRACE.into(), SPAN.into()));
    assert!(!job.is_sampled() && job.is_remote(), "{job:?}");
}

#[test]
fn work_without_a_message_is_a_trace_of_its_own_by_the_ratio() {
    let (all, none) = (telemetry(1.0), telemetry(0.0));
    let (one, other) = (root(&all, &HeaderMap::new()), root(&all, &HeaderMap::new()));
    assert!(one.is_sampled() && other.is_sampled());
    assert_ne!(one.trace_id(), other.trace_id());
    let unsampled = root(&none, &HeaderMap::new());
    assert!(unsampled.is_valid() && !unsampled.is_sampled(), "{unsampled:?}");
}

/// What a service further down with the SDK's `traceidratio` decides.
pub(super) fn is_kept_downstream(ratio: f64, trace: TraceId) -> bool {
    let sampler = Sampler::TraceIdRatioBased(ratio);
    let sampled = sampler.should_sample(None, trace, "job", &SpanKind::Internal, &[], &[]);
    sampled.decision == SamplingDecision::RecordAndSample
}

#[test]
fn a_new_trace_has_the_id_that_was_decided_by() {
    let (telemetry, headers) = (telemetry(0.01), HeaderMap::new());
    let kept = (0..50_000).map(|_| root(&telemetry, &headers)).filter(|job| {
        let trace = job.trace_id();
        assert_eq!(job.is_sampled(), is_kept_downstream(0.01, trace), "{trace}");
        job.is_sampled()
    });
    // 500 of them, give or take nine standard deviations.
    let count = kept.count();
    assert!((300..700).contains(&count), "{count}");
}
