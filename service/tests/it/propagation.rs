//! What leaves the service of a trace, and whether every attribute is one of the semantic conventions 1.44.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get as route;
use futures_util::future::join_all;
use http::{HeaderMap, Method};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::harness::{Collector, Mode, Received, World, eventually, request};

const TRACES: usize = 10_000;
const CLIENTS: usize = 20;

/// Attributes that are integers on the wire; every other one is a string.
const INTEGERS: [&str; 4] = ["http.response.status_code", "server.port", "network.peer.port", "app.user.id"];

/// Names of the conventions that our spans use; our own begin with `app.`.
const NAMES: [&str; 21] = [
    "http.request.method",
    "http.request.method_original",
    "http.response.status_code",
    "http.route",
    "url.path",
    "url.query",
    "url.scheme",
    "url.full",
    "user_agent.original",
    "client.address",
    "network.peer.address",
    "network.peer.port",
    "network.protocol.version",
    "server.address",
    "server.port",
    "error.type",
    "db.system.name",
    "db.namespace",
    "db.operation.name",
    "db.collection.name",
    "db.query.summary",
];

/// Names that only some spans carry.
const RARE: [&str; 2] = ["db.query.text", "db.response.status_code"];

fn check(received: &Received) {
    for attribute in &received.span.attributes {
        let key = attribute.key.as_str();
        assert!(key.starts_with("app.") || NAMES.contains(&key) || RARE.contains(&key), "{key}");
        let value = attribute.value.as_ref().and_then(|any| any.value.as_ref()).unwrap();
        let fits = match value {
            Value::IntValue(_) => INTEGERS.contains(&key),
            Value::StringValue(_) => !INTEGERS.contains(&key),
            _ => false,
        };
        assert!(fits, "{key} is {value:?}");
    }
    let required: &[&str] = match received.span.kind() {
        SpanKind::Server => &["http.request.method", "url.path", "url.scheme", "http.response.status_code"],
        SpanKind::Internal => &[],
        _ if received.text("db.system.name").is_some() => &["db.operation.name", "db.namespace"],
        _ => &["http.request.method", "url.full", "server.address", "server.port"],
    };
    for key in required {
        let has = received.span.attributes.iter().any(|attribute| attribute.key == *key);
        assert!(has, "{key} is missing in {}", received.span.name);
    }
}

/// An orders service that keeps what it was asked with, by trace.
async fn orders_that_remember() -> (String, Arc<Mutex<HashMap<String, HeaderMap>>>) {
    let seen: Arc<Mutex<HashMap<String, HeaderMap>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let handler = async move |headers: HeaderMap| {
        let parent = headers["traceparent"].to_str().unwrap();
        let trace = parent.split('-').nth(1).unwrap().to_owned();
        assert!(keep.lock().unwrap().insert(trace, headers).is_none(), "one call a trace");
        "[]"
    };
    let app = Router::new().route("/api/users/{id}/orders", route(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_traces_go_through_with_our_server_span_between() {
    let (collector, world) = (Collector::start().await, World::new().await);
    let (orders, seen) = orders_that_remember().await;
    let settings = [
        ("OTEL_ENDPOINT", collector.url.as_str()),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100000"),
        ("REMOTE_SAMPLED_PER_SECOND", "100000"),
        ("ORDERS_URL", &orders),
        ("SEED_USERS", "5"),
    ];
    let users = world.ready(&settings).await;
    let port = users.port;
    let clients = (0..CLIENTS).map(|client| {
        tokio::spawn(async move {
            for number in (client + 1..=TRACES).step_by(CLIENTS) {
                let parent = format!("00-{number:032x}-{number:016x}-01");
                let state = format!("vendor={number}");
                let headers = [("traceparent", parent.as_str()), ("tracestate", state.as_str())];
                let answer = request(port, Method::GET, "/api/users/3/orders", "", &headers).await;
                assert_eq!(answer.expect("an answer").status, 200);
            }
        })
    });
    join_all(clients).await.into_iter().for_each(|client| client.unwrap());
    let server_spans = || collector.all().into_iter().filter(|each| each.span.kind() == SpanKind::Server);
    eventually("every server span", async || server_spans().count() >= TRACES).await;
    let metrics = users.metrics().await;
    for reason in ["queue_full", "export_failed"] {
        let line = format!(r#"telemetry_spans_dropped_total{{reason="{reason}"}} 0"#);
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
    let spans: HashMap<_, _> = collector.all().into_iter().map(|each| (each.id(), each)).collect();
    for number in 1..=TRACES {
        let headers = seen.lock().unwrap().remove(&format!("{number:032x}")).expect("a call of this trace");
        assert_eq!(headers["tracestate"], format!("vendor={number}"));
        let parent = headers["traceparent"].to_str().unwrap();
        let [_, _, sender, flags] = parent.split('-').collect::<Vec<_>>()[..] else { panic!("{parent}") };
        assert_eq!(flags, "01");
        let call = &spans[sender];
        let server = &spans[&call.parent()];
        assert_eq!((server.span.kind(), server.parent()), (SpanKind::Server, format!("{number:016x}")));
    }
    spans.values().for_each(check);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_failures_keep_to_the_conventions_too() {
    let (collector, world) = (Collector::start().await, World::new().await);
    let settings = [
        ("OTEL_ENDPOINT", collector.url.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("SAMPLE_RATIO", "1"),
        ("SEED_USERS", "5"),
        ("ORDERS_URL", "http://127.0.0.1:1"),
    ];
    let users = world.ready(&settings).await;
    for path in ["/api/users/1?x=%20", "/api/users/0", "/api/users/1/orders", "/nothing"] {
        users.get(path).await;
    }
    let twice = r#"{"name":"Ada","email":"ada@example.com"}"#;
    users.post("/api/users", twice).await;
    users.post("/api/users", twice).await;
    request(users.port, Method::from_bytes(b"BREW").unwrap(), "/api/users", "", &[]).await;
    world.redis.set(Mode::Refuse);
    world.postgres.set(Mode::Refuse);
    users.get("/api/users/2").await;
    let server_spans = || collector.all().into_iter().filter(|each| each.span.kind() == SpanKind::Server);
    eventually("every server span", async || server_spans().count() >= 8).await;
    collector.all().iter().for_each(check);
}
