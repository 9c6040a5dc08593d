use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::harness::{Collector, Pace, Service, World, eventually, seconds};

const RATIO: f64 = 0.05;

/// Numbers become ids that are spread as random ones are (the finaliser of SplitMix64).
fn id(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The rule of the specification for a ratio, so that it is known from outside which traces must arrive.
fn is_sampled(number: u64) -> bool {
    ((id(number) >> 1) as f64) < RATIO * (1_u64 << 63) as f64
}

fn ask(number: u64) -> Request<Full<Bytes>> {
    let request = Request::get(format!("/api/users/{}", number % 100 + 1)).header("host", "users");
    let parent = format!("00-0000000000000001{:016x}-00000000000000aa-00", id(number));
    request.header("traceparent", parent).body(Full::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute"]
async fn no_span_is_lost_at_five_percent_and_the_highest_rate_with_a_collector_100_ms_away() {
    let (collector, world) = (Collector::slow(Duration::from_millis(100)).await, World::new().await);
    let settings = [
        ("OTEL_ENDPOINT", collector.url.as_str()),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.05"),
        ("SEED_USERS", "100"),
    ];
    let service = Service::start(world.direct(), &settings);
    service.until_ready().await;
    let load = Pace { port: service.port, rate: f64::INFINITY, clients: 16, ask }.start();
    tokio::time::sleep(seconds(20)).await;
    let took = load.elapsed();
    let samples = load.stop().await;
    assert!(samples.iter().all(|each| each.status.is_some_and(|status| status == 200)));
    let wanted: HashSet<_> =
        samples.iter().map(|each| each.number).filter(|number| is_sampled(*number)).map(id).collect();
    let arrived = || -> HashSet<_> {
        let servers = collector.all().into_iter().filter(|each| each.span.kind() == SpanKind::Server);
        servers.map(|each| u64::from_be_bytes(each.span.trace_id[8..].try_into().unwrap())).collect()
    };
    eventually("every sampled trace", async || arrived().len() >= wanted.len()).await;
    let dropped = async |reason: &str| {
        service.metric(&format!(r#"telemetry_spans_dropped_total{{reason="{reason}"}}"#)).await
    };
    let dropped = [dropped("queue_full").await, dropped("export_failed").await];
    eprintln!(
        "{:.0}/s: {} traces and {} spans arrived of {} requests; dropped {dropped:?}",
        samples.len() as f64 / took.as_secs_f64(),
        arrived().len(),
        collector.all().len(),
        samples.len(),
    );
    assert_eq!(dropped, [0, 0]);
    assert!(arrived() == wanted, "exactly the sampled ones");
}
