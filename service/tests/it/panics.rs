//! A handler that panics, in the program itself, behind all that routes of users stand behind.

use http::Method;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::harness::{Collector, World, eventually, request};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PATH: &str = "/flaw/panic";
const REQUESTS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_is_answered_counted_traced_and_told_once_and_holds_nothing() {
    let (collector, world) = (Collector::start().await, World::new().await);
    let settings =
        [("FLAW", "panics"), ("OTEL_ENDPOINT", &collector.url), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let mut service = world.ready(&settings).await;
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    for _ in 0..REQUESTS {
        // There is room for one: a place that is not given back would make the second one a 503.
        let answer = request(service.port, Method::GET, PATH, "", &[("traceparent", &parent)]).await;
        let answer = answer.expect("an answer, and no reset");
        assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (500, &500.into()));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(!answer.text().contains("the mistake"), "{}", answer.text());
    }
    let labels = format!(
        r#"http_request_method="GET",http_route="{PATH}",http_response_status_code="500",error_type="500""#
    );
    let series = format!("http_server_request_duration_seconds_count{{{labels}}}");
    assert_eq!(service.metric(&series).await, REQUESTS);
    eventually("no connection is left", async || service.metric("http_server_connections").await == 0).await;

    for span in collector.trace(TRACE, REQUESTS as usize).await {
        assert_eq!(span.span.status.clone().unwrap().code(), StatusCode::Error);
        assert_eq!(span.integer("http.response.status_code"), Some(500));
        assert_eq!(span.text("error.type").as_deref(), Some("500"));
    }

    // At its end every line is written.
    service.signal("TERM");
    assert_eq!(service.ended().await.0.code(), Some(0));
    let log = service.log();
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
    let told: Vec<_> = log.lines().filter(|line| line.contains(TRACE)).collect();
    assert_eq!(told.len(), REQUESTS as usize, "one line each: {log}");
    assert!(told.iter().all(|line| line.contains("panicked") && line.contains("the mistake")), "{told:#?}");
}
