//! Metrics that are sent over OTLP.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
};

use super::harness::{Collector, World, eventually, free_port};

const REQUESTS: u64 = 7;

/// The metrics of one process.
struct Sent(ResourceMetrics);

impl Sent {
    fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.0.scope_metrics.iter().flat_map(|scope| &scope.metrics)
    }

    fn data(&self, name: &str) -> &Data {
        let metric = self.metrics().find(|metric| metric.name == name);
        metric.and_then(|metric| metric.data.as_ref()).unwrap_or_else(|| panic!("{name} in {:#?}", self.0))
    }

    /// The histogram with this attribute.
    fn durations(&self, key: &str, value: &str) -> &HistogramDataPoint {
        let Data::Histogram(histogram) = self.data("http.server.request.duration") else {
            panic!("no histogram")
        };
        assert_eq!(histogram.aggregation_temporality(), AggregationTemporality::Cumulative);
        let mut points = histogram.data_points.iter();
        points.find(|point| text(&point.attributes, key).as_deref() == Some(value)).expect(value)
    }

    /// The value of the counter or gauge with this attribute.
    fn number(&self, name: &str, key: &str, value: &str) -> i64 {
        let points: &[NumberDataPoint] = match self.data(name) {
            Data::Sum(sum) => {
                assert!(sum.is_monotonic, "{name}");
                &sum.data_points
            }
            Data::Gauge(gauge) => &gauge.data_points,
            other => panic!("{name}: {other:?}"),
        };
        let point = points.iter().find(|point| text(&point.attributes, key).as_deref() == Some(value));
        match point.unwrap_or_else(|| panic!("{name} {key}={value} in {points:#?}")).value {
            Some(Number::AsInt(number)) => number,
            ref other => panic!("{name}: {other:?}"),
        }
    }

    /// As Prometheus calls what it gets over OTLP.
    fn names(&self) -> BTreeSet<String> {
        let name = |metric: &Metric| {
            let unit = if metric.unit == "s" { "_seconds" } else { "" };
            let kind = if matches!(metric.data, Some(Data::Sum(_))) { "_total" } else { "" };
            format!("{}{unit}{kind}", metric.name.replace('.', "_"))
        };
        self.metrics().map(name).collect()
    }
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match &attribute.value {
        Some(AnyValue { value: Some(Value::StringValue(value)) }) => Some(value.clone()),
        Some(AnyValue { value: Some(Value::IntValue(value)) }) => Some(value.to_string()),
        other => panic!("{key} is {other:?}"),
    }
}

fn names_at_a_scrape(metrics: &str) -> BTreeSet<String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let name = |(name, kind): (&str, &str)| {
        if kind == "counter" { format!("{name}_total") } else { name.to_owned() }
    };
    types.map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_scraped_is_sent_over_both_protocols_before_the_exit() {
    let world = World::new().await;
    for protocol in ["http/protobuf", "grpc"] {
        let collector = Collector::of_every_protocol(None).await;
        let settings = [
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.base.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            // What is there at the end is flushed.
            ("OTEL_METRIC_EXPORT_INTERVAL", "3600000"),
            ("SEED_USERS", "5"),
            ("SERVICE_VERSION", "1.2.3"),
        ];
        let mut service = world.ready(&settings).await;
        for _ in 0..REQUESTS {
            assert_eq!(service.get("/api/users/1").await.status, 200);
        }
        let scraped = names_at_a_scrape(&service.metrics().await);
        service.signal("TERM");
        assert_eq!(service.ended().await.0.code(), Some(0), "{protocol}: {}", service.log());

        let mut received = collector.metrics();
        assert_eq!(received.len(), 1, "{protocol}: {}", service.log());
        let sent = Sent(received.remove(0));
        assert_eq!(sent.names(), scraped, "{protocol}");
        let resource = &sent.0.resource.as_ref().unwrap().attributes;
        assert_eq!(text(resource, "service.name").as_deref(), Some("users"));
        assert_eq!(text(resource, "service.version").as_deref(), Some("1.2.3"));
        let reads = sent.durations("http.route", "/api/users/{id}");
        assert_eq!((reads.count, reads.explicit_bounds.len()), (REQUESTS, 14));
        for (key, value) in
            [("http.request.method", "GET"), ("url.scheme", "http"), ("http.response.status_code", "200")]
        {
            assert_eq!(text(&reads.attributes, key).as_deref(), Some(value), "{key}");
        }
        assert_eq!(sent.number("breaker.calls", "outcome", "success"), REQUESTS as i64);
        assert_eq!(sent.number("breaker.state", "state", "closed"), 1);
        assert_eq!(sent.number("breaker.state", "state", "open"), 0);
        assert_eq!(sent.number("health.dependency.up", "dependency", "redis"), 1);
        assert_eq!(sent.number("fallback", "kind", "cached"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_sent_every_interval_and_not_unless_that_is_asked_for() {
    let world = World::new().await;
    for (exporter, is_sent) in [("otlp", true), ("", false)] {
        let collector = Collector::of_every_protocol(None).await;
        let settings = [
            ("OTEL_METRICS_EXPORTER", exporter),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.base),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("SAMPLE_RATIO", "1"),
            ("SEED_USERS", "5"),
        ];
        let service = world.ready(&settings).await;
        assert_eq!(service.get("/api/users/1").await.status, 200);
        if is_sent {
            eventually("metrics", async || !collector.metrics().is_empty()).await;
        } else {
            // Ten intervals on from where spans have arrived.
            eventually("spans", async || !collector.all().is_empty()).await;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            assert!(collector.metrics().is_empty());
        }
    }
}

/// Whoever waited for it longer than the flush may take would be ended by force, with the exit code 1.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_of_metrics_that_is_away_or_hangs_holds_no_exit_up() {
    let world = World::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = format!("http://{}/v1/metrics", silent.local_addr().unwrap());
    let refusing = format!("http://127.0.0.1:{}/v1/metrics", free_port());
    for (endpoint, is_told) in [(refusing, true), (hanging, false)] {
        let settings = [
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
            ("SHUTDOWN_LAMEDUCK", "200ms"),
            ("SHUTDOWN_DRAIN", "1s"),
            ("SHUTDOWN_FLUSH", "3s"),
            ("SHUTDOWN_FORCE", "5s"),
            ("SEED_USERS", "5"),
        ];
        let mut service = world.ready(&settings).await;
        assert_eq!(service.get("/api/users/1").await.status, 200);
        if is_told {
            eventually("told", async || service.log().contains("metrics not exported")).await;
        }
        service.signal("TERM");
        assert_eq!(service.ended().await.0.code(), Some(0), "{}", service.log());
    }
}
