//! The long ones: `make soak`, in a release build.

mod cycles;
mod overload;
mod probes;
mod spans;
mod throttled;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Method;

use super::harness::{Collector, World, flood, get, request, seconds};

const BRIEF: [(&str, &str); 4] = [
    ("SHUTDOWN_LAMEDUCK", "100ms"),
    ("SHUTDOWN_DRAIN", "1s"),
    ("SHUTDOWN_FLUSH", "4s"),
    ("SHUTDOWN_FORCE", "5s"),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "2 minutes"]
async fn the_spans_of_requests_in_flight_arrive_in_a_hundred_shutdowns() {
    let (collector, world) = (Collector::start().await, World::new().await);
    let settings = [("OTEL_ENDPOINT", collector.url.as_str()), ("SEED_USERS", "5")];
    let settings = [&BRIEF[..], &settings].concat();
    for round in 1..=100_u32 {
        let mut service = world.ready(&settings).await;
        let port = service.port;
        let asking: Vec<_> = (1..=5_u32)
            .map(|number| {
                let trace = format!("{round:016x}{number:016x}");
                tokio::spawn(async move {
                    let parent = format!("00-{trace}-00000000000000aa-01");
                    let headers = [("traceparent", parent.as_str())];
                    request(port, Method::GET, "/api/users/1", "", &headers).await.map(|_| trace)
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(u64::from(round % 10))).await;
        service.signal("TERM");
        let answered: Vec<_> = join_all(asking).await.into_iter().map(|trace| trace.unwrap()).collect();
        assert_eq!(service.ended().await.0.code(), Some(0), "{}", service.log());
        for trace in answered {
            let trace = trace.expect("an answer");
            assert!(collector.trace(&trace, 2).await.len() >= 2, "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "4 minutes"]
async fn memory_does_not_grow_over_a_million_requests() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "100")]).await;
    flood(service.port, 100_000).await;
    let before = service.resident_mib();
    flood(service.port, 1_000_000).await;
    let grown = service.resident_mib() - before;
    assert!(grown < 1.0, "{grown:.2} MiB above {before:.1}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "10 minutes"]
async fn health_raises_no_false_alarm_in_ten_minutes_of_full_cpu() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "5")]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().unwrap().get();
    let burning: Vec<_> = (0..2 * cores)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || while !stop.load(Ordering::Relaxed) {})
        })
        .collect();
    let (began, mut asked) = (Instant::now(), 0);
    while began.elapsed() < seconds(600) {
        let answer = get(service.management, "/health").await.expect("an answer");
        assert_eq!(answer.status, 200, "after {:?}: {}", began.elapsed(), answer.text());
        asked += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for thread in burning {
        thread.join().unwrap();
    }
    assert!(asked > 1_000, "{asked} answers");
}
