use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use clap::Parser as _;
use futures_util::FutureExt as _;
use tower::ServiceExt as _;
use tower::layer::util::Identity;

use crate::telemetry::{Args, Metrics, Telemetry, TraceLayer};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn app() -> Router {
    Router::new().route("/users/{id}", get(async || "fine"))
}

/// Exports to a port where nobody listens, at the least ratio there is.
fn telemetry() -> Telemetry {
    let flags = ["users", "--otel-endpoint=http://127.0.0.1:9/v1/traces", "--sample-ratio=0"];
    Telemetry::start(&Cli::parse_from(flags).args, &Metrics::default()).unwrap()
}

fn allocations(app: &Router) -> u64 {
    let once = || {
        let request = Request::builder().uri("/users/7").body(Body::empty()).unwrap();
        app.clone().oneshot(request).now_or_never().expect("nothing to wait for").unwrap();
    };
    (0..100).for_each(|_| once());
    allocation_counter::measure(|| (0..100).for_each(|_| once())).count_total / 100
}

#[test]
fn a_request_that_is_not_sampled_costs_few_allocations() {
    let traced = app().layer(TraceLayer::new(telemetry()));
    let nothing = app().layer(Identity::new());
    let (traced, nothing) = (allocations(&traced), allocations(&nothing));
    assert!(traced <= nothing + 3, "{traced} allocations, {nothing} with a layer that does nothing");
}
