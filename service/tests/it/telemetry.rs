use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get as route;
use http::{HeaderMap, Method};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::harness::{
    Answer, Collector, Mode, Service, World, encrypted, eventually, free_port, request, seconds,
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

async fn get_in_trace(service: &Service, path: &str, flag: &str) -> Answer {
    let traceparent = format!("00-{TRACE}-{CALLER}-{flag}");
    let headers =
        [("traceparent", traceparent.as_str()), ("tracestate", "vendor=1"), ("baggage", "tenant=blue")];
    request(service.port, Method::GET, path, "", &headers).await.expect("an answer")
}

/// An orders service that only remembers what it was asked with.
async fn fake_orders() -> (String, Arc<Mutex<Vec<HeaderMap>>>) {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let handler = async move |headers: HeaderMap| {
        keep.lock().unwrap().push(headers);
        "[]"
    };
    let app = Router::new().route("/api/users/{id}/orders", route(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sampled_request_is_one_trace_through_both_services() {
    let (collector, world) = (Collector::start().await, World::new().await);
    let common =
        [("OTEL_ENDPOINT", collector.url.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100"), ("SEED_USERS", "5")];
    let orders = world.ready(&[&common[..], &[("OTEL_SERVICE_NAME", "orders")]].concat()).await;
    let orders_url = format!("http://127.0.0.1:{}", orders.port);
    let identity =
        [("ORDERS_URL", orders_url.as_str()), ("SERVICE_VERSION", "1.2.3"), ("POD_NAME", "users-0")];
    let users = world.ready(&[&common[..], &identity].concat()).await;
    let answer = get_in_trace(&users, "/api/users/3/orders?x=1", "01").await;
    assert_eq!(answer.json().as_array().unwrap().len(), 2);

    let spans = collector.trace(TRACE, 6).await;
    let find = |service: &str, name: &str| {
        let mut of_service =
            spans.iter().filter(|each| each.resource("service.name").as_deref() == Some(service));
        of_service
            .find(|each| each.span.name == name)
            .unwrap_or_else(|| panic!("{service}: {name} in {spans:#?}"))
    };
    let server = find("users", "GET /api/users/{id}/orders");
    assert_eq!(server.parent(), CALLER);
    assert_eq!(server.span.kind(), SpanKind::Server);
    assert_eq!(server.integer("http.response.status_code"), Some(200));
    assert_eq!(server.integer("app.user.id"), Some(3));
    assert_eq!(server.integer("server.port"), Some(i64::from(users.port)));
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/users/{id}/orders"),
        ("url.path", "/api/users/3/orders"),
        ("url.query", "x=REDACTED"),
        ("url.scheme", "http"),
        ("server.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
    ] {
        assert_eq!(server.text(key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(server.resource("service.version").as_deref(), Some("1.2.3"));
    assert_eq!(server.resource("service.instance.id").as_deref(), Some("users-0"));

    let select = find("users", "SELECT users");
    assert_eq!((select.parent(), select.span.kind()), (server.id(), SpanKind::Client));
    assert_eq!(select.text("db.system.name").as_deref(), Some("postgresql"));
    assert_eq!(select.text("db.operation.name").as_deref(), Some("SELECT"));
    assert_eq!(select.text("db.collection.name").as_deref(), Some("users"));
    assert!(select.text("db.query.text").unwrap().ends_with("WHERE id = $1"));
    let set = find("users", "SET");
    assert_eq!((set.parent(), set.text("db.system.name").as_deref()), (server.id(), Some("redis")));
    let call = find("users", "GET");
    assert_eq!((call.parent(), call.span.kind()), (server.id(), SpanKind::Client));
    assert_eq!(call.text("url.full"), Some(format!("{orders_url}/api/users/3/orders")));
    let other = find("orders", "GET /api/users/{id}/orders");
    assert_eq!(other.parent(), call.id());
    assert_eq!(find("orders", "SELECT orders").parent(), other.id());

    // The duration in the metrics leads to the trace.
    let exemplar = format!(r#" # {{trace_id="{TRACE}",span_id="{}"}} "#, server.id());
    assert!(users.metrics().await.contains(&exemplar), "{exemplar}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsampled_request_makes_no_span_and_passes_its_context_on() {
    let (collector, world, (orders, seen)) =
        (Collector::start().await, World::new().await, fake_orders().await);
    let settings = [
        ("OTEL_ENDPOINT", collector.url.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("SAMPLE_RATIO", "1"),
        ("SEED_USERS", "5"),
        ("ORDERS_URL", &orders),
    ];
    let users = world.ready(&settings).await;
    assert_eq!(get_in_trace(&users, "/api/users/3/orders", "00").await.status, 200);
    let headers = seen.lock().unwrap()[0].clone();
    assert_eq!(headers["traceparent"], format!("00-{TRACE}-{CALLER}-00"));
    assert_eq!(
        (&headers["tracestate"], &headers["baggage"]),
        (&"vendor=1".parse().unwrap(), &"tenant=blue".parse().unwrap())
    );

    // Another user, of whom a copy is due.
    get_in_trace(&users, "/api/users/4/orders", "01").await;
    let spans = collector.trace(TRACE, 4).await;
    let call = spans.iter().find(|each| each.span.name == "GET").unwrap();
    assert_eq!(seen.lock().unwrap()[1]["traceparent"], format!("00-{TRACE}-{}-01", call.id()));
    assert!(spans.len() == 4 && spans.iter().filter(|each| each.span.name == "SELECT users").count() == 1);

    // Without a parent the ratio decides, here for always; probes are never traced.
    users.get("/api/users/5").await;
    eventually("a new trace", async || collector.all().len() > spans.len()).await;
    assert!(collector.all().iter().all(|each| !each.span.name.contains("ready")));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_marked_and_their_logs_carry_the_trace() {
    let (collector, world) = (Collector::start().await, World::new().await);
    let users = world.ready(&[("OTEL_ENDPOINT", &collector.url), ("OTEL_BSP_SCHEDULE_DELAY", "100")]).await;
    world.postgres.set(Mode::Refuse);
    assert_eq!(get_in_trace(&users, "/api/users/3", "01").await.status, 503);
    let spans = collector.trace(TRACE, 4).await;
    let server = spans.iter().find(|each| each.span.kind() == SpanKind::Server).unwrap();
    assert_eq!(server.integer("http.response.status_code"), Some(503));
    assert_eq!(server.text("error.type").as_deref(), Some("503"));
    assert_eq!(server.text("app.cache.outcome").as_deref(), Some("miss"));
    let fallback = spans.iter().find(|each| each.span.kind() == SpanKind::Internal).unwrap();
    let copy = spans.iter().find(|each| each.span.name == "GET").unwrap();
    assert_eq!((fallback.parent(), copy.parent()), (server.id(), fallback.id()));
    let of_ours = [fallback.id(), copy.id()];
    for each in spans.iter().filter(|each| !of_ours.contains(&each.id())) {
        assert_eq!(each.span.status.clone().unwrap().code(), StatusCode::Error, "{each:?}");
        assert!(each.text("error.type").is_some(), "{each:?}");
    }
    eventually("a line", async || users.log().contains("request failed")).await;
    let log = users.log();
    let line = log.lines().find(|line| line.contains("request failed")).expect("a line");
    assert!(line.contains(&format!(r#""trace_id":"{TRACE}""#)), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_write_into_a_span_is_cut() {
    let world = World::new().await;
    for (limit, length) in [("", 1_024), ("100", 100)] {
        let collector = Collector::start().await;
        let settings = [
            ("OTEL_ENDPOINT", collector.url.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limit),
        ];
        let users = world.ready(&settings).await;
        let (parent, agent) = (format!("00-{TRACE}-{CALLER}-01"), "x".repeat(20_000));
        let headers = [("traceparent", parent.as_str()), ("user-agent", &agent)];
        request(users.port, Method::GET, "/nothing", "", &headers).await.expect("an answer");
        let spans = collector.trace(TRACE, 1).await;
        assert_eq!(spans[0].text("user_agent.original").unwrap().len(), length);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_spans_are_flushed_before_the_exit() {
    let (collector, world) = (Collector::start().await, World::new().await);
    let settings = [
        ("OTEL_ENDPOINT", collector.url.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "60000"),
        ("SHUTDOWN_LAMEDUCK", "500ms"),
        ("SEED_USERS", "5"),
    ];
    let mut users = world.ready(&settings).await;
    users.signal("TERM");
    users.until_unready().await;
    assert_eq!(get_in_trace(&users, "/api/users/3", "01").await.status, 200);
    assert!(collector.all().is_empty(), "the batch is not due for a minute");
    assert_eq!(users.ended().await.0.code(), Some(0));
    assert_eq!(collector.trace(TRACE, 3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_sent_over_http_and_grpc_plain_and_encrypted() {
    let (world, servers) = (World::new().await, encrypted());
    for certificate in [None, Some(servers)] {
        let collector = Collector::of_every_protocol(certificate).await;
        for (number, protocol) in ["http/protobuf", "grpc"].into_iter().enumerate() {
            let settings = [
                ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.base.as_str()),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", servers.authority.to_str().unwrap()),
                // What is there at the end is flushed.
                ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
                ("SEED_USERS", "5"),
            ];
            let mut service = world.ready(&settings).await;
            assert_eq!(get_in_trace(&service, "/api/users/1", "01").await.status, 200);
            service.signal("TERM");
            assert_eq!(service.ended().await.0.code(), Some(0), "{protocol}: {}", service.log());
            // The request and its statement, of each protocol so far.
            assert!(collector.all().len() >= 2 * (number + 1), "{protocol}: {}", service.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_collector_delays_neither_requests_nor_the_exit() {
    let world = World::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = format!("http://{}/v1/traces", silent.local_addr().unwrap());
    let refusing = format!("http://127.0.0.1:{}/v1/traces", free_port());
    for endpoint in [hanging, refusing] {
        let settings = [
            ("OTEL_ENDPOINT", endpoint.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "5"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5"),
            ("SAMPLE_RATIO", "1"),
            ("SHUTDOWN_LAMEDUCK", "200ms"),
            ("SHUTDOWN_DRAIN", "1s"),
            ("SHUTDOWN_FLUSH", "3s"),
            ("SEED_USERS", "5"),
        ];
        let mut users = world.ready(&settings).await;
        let asked = std::time::Instant::now();
        for _ in 0..50 {
            assert_eq!(users.get("/api/users/1").await.status, 200);
        }
        // Far below 3 s for each export.
        assert!(asked.elapsed() < seconds(10), "{:?}", asked.elapsed());
        let metrics = users.metrics().await;
        assert!(metrics.contains("telemetry_spans_dropped_total{reason="), "{metrics}");
        users.signal("TERM");
        let (status, after) = users.ended().await;
        assert_eq!(status.code(), Some(0), "{}", users.log());
        assert!(after < Duration::from_millis(4_500), "{after:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_switches_are_heeded() {
    let (collector, world, (orders, seen)) =
        (Collector::start().await, World::new().await, fake_orders().await);
    let common = [
        ("OTEL_ENDPOINT", collector.url.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("ORDERS_URL", &orders),
        ("SEED_USERS", "5"),
    ];
    let disabled = world.ready(&[&common[..], &[("OTEL_SDK_DISABLED", "true")]].concat()).await;
    get_in_trace(&disabled, "/api/users/3/orders", "01").await;
    let propagators = [("OTEL_PROPAGATORS", "tracecontext,b3")];
    let only_context = world.ready(&[&common[..], &propagators].concat()).await;
    get_in_trace(&only_context, "/api/users/3/orders", "00").await;
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen[0]["traceparent"], format!("00-{TRACE}-{CALLER}-01"), "passed on as it came");
    assert!(seen[0].contains_key("baggage"));
    assert!(seen[1].contains_key("traceparent") && !seen[1].contains_key("baggage"));
    assert!(only_context.log().contains("b3"), "an unknown propagator is warned of");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(collector.all().is_empty());
}
