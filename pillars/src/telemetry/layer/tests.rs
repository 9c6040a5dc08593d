use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use tower::ServiceExt as _;
use tower::layer::util::Identity;

use crate::telemetry::tests::is_kept_downstream;
use crate::telemetry::{Config, Telemetry, TraceLayer};

fn app() -> Router {
    Router::new().route("/users/{id}", get(async || "fine"))
}

/// Exports to a port where nobody listens.
fn telemetry(ratio: f64) -> Telemetry {
    let config = Config::new("test", "1").endpoint("http://127.0.0.1:9/v1/traces").sample_ratio(ratio);
    Telemetry::start(&config).unwrap()
}

fn ask(app: &Router) {
    let request = Request::builder().uri("/users/7").body(Body::empty()).unwrap();
    let mut waker = std::task::Context::from_waker(std::task::Waker::noop());
    let answer = std::pin::pin!(app.clone().oneshot(request)).poll(&mut waker);
    assert!(answer.is_ready(), "there is nothing to wait for");
}

fn allocations(app: &Router) -> u64 {
    (0..100).for_each(|_| ask(app));
    allocation_counter::measure(|| (0..100).for_each(|_| ask(app))).count_total / 100
}

#[test]
fn a_request_that_is_not_sampled_costs_few_allocations() {
    let traced = app().layer(TraceLayer::new(telemetry(0.0)));
    let nothing = app().layer(Identity::new());
    let (traced, nothing) = (allocations(&traced), allocations(&nothing));
    assert!(traced <= nothing + 3, "{traced} allocations, {nothing} with a layer that does nothing");
}

#[test]
fn the_trace_of_a_request_has_the_id_that_was_decided_by() {
    let look = async || {
        Context::map_current(|context| {
            let ids = context.span().span_context().clone();
            assert_eq!(ids.is_sampled(), is_kept_downstream(0.1, ids.trace_id()), "{ids:?}");
        });
    };
    let app = Router::new().route("/users/{id}", get(look)).layer(TraceLayer::new(telemetry(0.1)));
    // Of which about 100 are sampled.
    (0..1_000).for_each(|_| ask(&app));
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn a_handler_that_panics_is_counted_as_a_failure_and_no_client_who_has_gone() {
    use std::panic::AssertUnwindSafe;

    use futures_util::FutureExt as _;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    let telemetry = Telemetry::start(&Config::new("test", "1")).unwrap();
    let mut registry = Registry::default();
    telemetry.register(&mut registry);
    let panics = async || -> &'static str { panic!("on purpose") };
    let app = Router::new().route("/", get(panics)).layer(TraceLayer::new(telemetry));
    let request = Request::builder().uri("/").body(Body::empty()).unwrap();
    assert!(AssertUnwindSafe(app.oneshot(request)).catch_unwind().await.is_err(), "it goes on");
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let counts: Vec<_> = text.lines().filter(|line| line.contains("_count{")).collect();
    assert!(
        counts.len() == 1 && counts[0].ends_with(r#"status_code="500",error_type="500"} 1"#),
        "{counts:?}"
    );
}
