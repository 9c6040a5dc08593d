//! Spans that never arrive are counted, each of them.

use super::harness::{Service, World, eventually, free_port};

const REQUESTS: u64 = 60;

/// Spans dropped so far: because the queue was full, and because the export failed.
async fn dropped(service: &Service) -> [u64; 2] {
    let count = async |reason: &str| {
        service.metric(&format!(r#"telemetry_spans_dropped_total{{reason="{reason}"}}"#)).await
    };
    [count("queue_full").await, count("export_failed").await]
}

/// Asks through a pipeline that leads nowhere; each request makes at least two spans.
async fn traced_to(endpoint: &str, queue: &str) -> (World, Service) {
    let world = World::new().await;
    let settings = [
        ("OTEL_ENDPOINT", endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", queue),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
        ("SAMPLE_RATIO", "1"),
        ("SEED_USERS", "5"),
    ];
    let service = world.ready(&settings).await;
    assert_eq!(dropped(&service).await, [0, 0]);
    for _ in 0..REQUESTS {
        assert_eq!(service.get("/api/users/1").await.status, 200);
    }
    (world, service)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_span_that_a_dead_collector_refuses_is_counted() {
    let refusing = format!("http://127.0.0.1:{}/v1/traces", free_port());
    let (_world, service) = traced_to(&refusing, "10000").await;
    eventually("every span", async || dropped(&service).await[1] >= 2 * REQUESTS).await;
    assert_eq!(dropped(&service).await[0], 0, "there was room for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_span_that_finds_the_queue_full_is_counted() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = format!("http://{}/v1/traces", silent.local_addr().unwrap());
    let (_world, service) = traced_to(&hanging, "5").await;
    // Whatever does not find room is dropped at once; what was in the queue, when the export is given up.
    eventually("every span", async || dropped(&service).await.iter().sum::<u64>() >= 2 * REQUESTS).await;
    assert!(dropped(&service).await[0] > 0, "{:?}", dropped(&service).await);
}
