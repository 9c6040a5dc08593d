//! What the tracing middleware adds to a request that is not sampled, over a layer that does nothing.

#![expect(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use golive_pillars::telemetry::{Config, Telemetry, TraceLayer};
use tower::ServiceExt as _;
use tower::layer::util::Identity;

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

criterion_group!(benches, unsampled);
criterion_main!(benches);
