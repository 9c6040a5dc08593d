//! What the tracing middleware adds to a request that is not sampled, over a layer that does nothing.

#![expect(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use std::hint::black_box;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use golive_pillars::telemetry::logs::{EnvFilter, LogFormat, Logs};
use golive_pillars::telemetry::{Config, Telemetry, TraceLayer};
use http::{HeaderMap, HeaderValue};
use tower::ServiceExt as _;
use tower::layer::util::Identity;
use tracing::instrument;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn unsampled(c: &mut Criterion) {
    // Nobody listens there, and nothing is sampled.
    let config = Config::new("bench", "1").endpoint("http://127.0.0.1:9/v1/traces").sample_ratio(0.0);
    let telemetry = Telemetry::start(&config).unwrap();
    let app = || Router::new().route("/users/{id}", get(async || "fine"));
    let nothing = app().layer(Identity::new());
    let traced = app().layer(TraceLayer::new(telemetry));
    let mut group = c.benchmark_group("a request that is not sampled");
    for (name, app, parent) in [
        ("a layer that does nothing", &nothing, None),
        ("traced", &traced, None),
        ("a layer that does nothing, with traceparent", &nothing, Some(PARENT)),
        ("traced, with traceparent", &traced, Some(PARENT)),
    ] {
        group.bench_function(name, |b| b.iter(|| ask(app, parent)));
    }
}

fn ask(app: &Router, parent: Option<&str>) {
    let mut request = Request::builder().uri("/users/7");
    if let Some(parent) = parent {
        request = request.header("traceparent", parent);
    }
    let request = request.body(Body::empty()).unwrap();
    app.clone().oneshot(request).now_or_never().expect("nothing to wait for").unwrap();
}

#[instrument(skip_all)]
fn instrumented() {
    black_box(());
}

/// A function with `#[instrument]`: where no subscriber shows spans, outside of any request, in one that is not sampled, and
/// in one that is.
fn spans(c: &mut Criterion) {
    let config = Config::new("bench", "1").endpoint("http://127.0.0.1:9/v1/traces").sample_ratio(1.0);
    let telemetry = Telemetry::start(&config).unwrap();
    let mut group = c.benchmark_group("a span of tracing");
    group.bench_function("without a layer", |b| b.iter(instrumented));
    Logs::start(LogFormat::Json, EnvFilter::new("error")).install(&telemetry).unwrap();
    group.bench_function("outside of any request", |b| b.iter(instrumented));
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::from_static(PARENT));
    let unsampled = telemetry.root("bench", &headers).attach();
    group.bench_function("in a request that is not sampled", |b| b.iter(instrumented));
    drop(unsampled);
    let _sampled = telemetry.root("bench", &HeaderMap::new()).attach();
    group.bench_function("in a request that is sampled", |b| b.iter(instrumented));
}

criterion_group!(benches, unsampled, spans);
criterion_main!(benches);
