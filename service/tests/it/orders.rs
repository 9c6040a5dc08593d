use http::Method;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tokio::task::JoinSet;

use super::harness::{Collector, World, eventually, free_port, get, request, seconds};

#[tokio::test(flavor = "multi_thread")]
async fn the_orders_service_away_is_a_problem_and_not_a_hang() {
    let world = World::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = format!("http://{}", silent.local_addr().unwrap());
    let refusing = format!("http://127.0.0.1:{}", free_port());
    for (url, status) in [(hanging, 503), (refusing, 502)] {
        let settings = [("ORDERS_URL", url.as_str()), ("ORDERS_DEADLINE", "300ms"), ("SEED_USERS", "5")];
        let users = world.ready(&settings).await;
        let answer = users.get("/api/users/1/orders").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(users.get("/api/users/99/orders").await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orders_service_that_is_away_opens_its_own_circuit_alone() {
    let world = World::new().await;
    let url = format!("http://127.0.0.1:{}", free_port());
    let users = world.ready(&[("ORDERS_URL", url.as_str()), ("SEED_USERS", "5")]).await;
    eventually("open", async || {
        let answer = users.get("/api/users/1/orders").await;
        assert!([502, 503].contains(&answer.status.as_u16()), "{}", answer.status);
        users.metric(r#"breaker_state{breaker="orders",state="open"}"#).await == 1
    })
    .await;
    let refused = users.get("/api/users/1/orders").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after").is_some()), (503, true));
    assert_eq!(users.metric(r#"breaker_state{breaker="postgres",state="closed"}"#).await, 1);
    assert_eq!(users.get("/api/users/1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orders_service_that_hangs_leaves_room_for_users() {
    let world = World::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let patient = [("ORDERS_DEADLINE", "9s"), ("DATABASE_ACQUIRE_TIMEOUT", "9s"), ("BREAKER_DEADLINE", "9s")];
    for room in ["16", "200"] {
        let settings = [("ORDERS_URL", url.as_str()), ("MAX_IN_FLIGHT", room), ("SEED_USERS", "5")];
        let users = world.ready(&[&patient[..], &settings].concat()).await;
        let port = users.port;
        let _waiting: JoinSet<_> = (0..200).map(|_| get(port, "/api/users/1/orders")).collect();
        // Without a bound of their own they would have all the room, and nobody would be turned away here.
        let full = r#"breaker_full_total{breaker="orders"}"#;
        eventually("as many as may wait", async || users.metric(full).await > 0).await;
        eventually("a user", async || users.get("/api/users/1").await.status == 200).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_circuit_has_settings_of_its_own() {
    let world = World::new().await;
    let url = format!("http://127.0.0.1:{}", free_port());
    for (variable, state) in [("BREAKER_MIN_CALLS", "open"), ("ORDERS_BREAKER_MIN_CALLS", "closed")] {
        let settings = [("ORDERS_URL", url.as_str()), ("SEED_USERS", "5"), (variable, "1000")];
        let users = world.ready(&settings).await;
        for _ in 0..20 {
            users.get("/api/users/1/orders").await;
        }
        let series = format!(r#"breaker_state{{breaker="orders",state="{state}"}}"#);
        assert_eq!(users.metric(&series).await, 1, "{variable}");
    }
}

/// The user takes 4 s and the orders may take 9: nothing but the limit of a request, 10 s, ends both.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_not_finished_in_time_is_a_503_that_is_counted_traced_and_told() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let (collector, world) = (Collector::start().await, World::new().await);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let orders = format!("http://{}", silent.local_addr().unwrap());
    let slow = [("ORDERS_URL", orders.as_str()), ("ORDERS_DEADLINE", "9s"), ("SEED_USERS", "5")];
    let patient = [("BREAKER_DEADLINE", "9s"), ("DATABASE_STATEMENT_TIMEOUT", "9s")];
    let traces = [("OTEL_ENDPOINT", collector.url.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let users = world.ready(&[&slow[..], &patient, &traces].concat()).await;
    let mut admin = world.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").execute(&mut admin).await.unwrap();
    let unlock = async {
        tokio::time::sleep(seconds(4)).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut admin).await.unwrap();
    };
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let (path, headers) = ("/api/users/1/orders", [("traceparent", parent.as_str())]);
    let (answer, ()) = tokio::join!(request(users.port, Method::GET, path, "", &headers), unlock);
    let answer = answer.unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.says_soon(), "{answer:?}");
    assert_eq!(answer.json()["detail"], "not finished within 10s");
    // Late enough to be a failure of the orders service.
    let given_up = r#"breaker_calls_total{breaker="orders",outcome="given_up"}"#;
    assert_eq!(users.metric(given_up).await, 1);

    let labels = r#"http_request_method="GET",http_route="/api/users/{id}/orders",http_response_status_code="503",error_type="503""#;
    let series = format!("http_server_request_duration_seconds_count{{{labels}}}");
    assert_eq!(users.metric(&series).await, 1);
    let server = async || {
        let spans = collector.trace(TRACE, 1).await;
        spans.into_iter().find(|each| each.span.kind() == SpanKind::Server)
    };
    eventually("the span of the request", async || server().await.is_some()).await;
    let server = server().await.unwrap();
    assert_eq!(server.span.status.clone().unwrap().code(), StatusCode::Error);
    assert_eq!(server.integer("http.response.status_code"), Some(503));
    eventually("a line", async || users.log().contains("request failed")).await;
    let log = users.log();
    let line = log.lines().find(|line| line.contains("request failed")).unwrap();
    assert!(line.contains(TRACE) && line.contains(r#""status":503"#), "{line}");
}
