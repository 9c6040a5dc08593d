use std::time::{Duration, Instant};

use crate::harness::{Cgroup, Pace, Sample, Service, World, flood, get, quantile, read, seconds};

/// More than the room of the service, fewer than the connections it takes.
const CLIENTS: usize = 2_000;
/// Of one core.
const PERCENT: u32 = 30;
const LOAD: Duration = Duration::from_secs(10);

/// Requests a second of a closed loop of 16 clients: the most that the instance holds.
async fn capacity(service: &Service) -> f64 {
    const TURN: usize = 4_000;
    flood(service.port, TURN).await;
    let (began, mut turns) = (Instant::now(), 0);
    while began.elapsed() < seconds(5) {
        flood(service.port, TURN).await;
        turns += 1;
    }
    (turns * TURN) as f64 / began.elapsed().as_secs_f64()
}

/// Asks for health and readiness as long as the load lasts; each must be 200 each time.
async fn probe(service: &Service) -> Vec<Duration> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < LOAD {
        for (port, path) in
            [(service.port, "/health"), (service.port, "/ready"), (service.management, "/health")]
        {
            let asked = Instant::now();
            let answer = get(port, path).await.expect("an answer");
            assert_eq!(answer.status, 200, "{path} after {:?}: {}", began.elapsed(), answer.text());
            times.push(asked.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    times
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "20 seconds"]
#[expect(clippy::print_stderr, reason = "the rates are a result, shown by --nocapture")]
async fn three_times_the_capacity_is_shed_and_half_of_it_is_still_served() {
    let world = World::new().await;
    // Straight to the backends: the gates would take part in the result.
    let service = Service::start(world.direct(), &[("SEED_USERS", "100")]);
    service.until_ready().await;
    // Its clients and Postgres share the machine with it. Without a limit of its own it would only be seen that they
    // take the processors away from it.
    let Some(_cgroup) = Cgroup::throttle(service.child.id().unwrap(), PERCENT) else {
        eprintln!(
            "SKIPPED: no control group for processor time can be made here (not root, or none is mounted)"
        );
        return;
    };
    let capacity = capacity(&service).await;
    let load = Pace { port: service.port, rate: 3.0 * capacity, clients: CLIENTS, ask: read }.start();
    let probes = probe(&service).await;
    let samples = load.stop().await;
    let ended = Instant::now();
    assert_eq!(service.get("/api/users/1").await.status, 200);
    assert!(ended.elapsed() < seconds(5), "{:?} to the first answer", ended.elapsed());

    let of = |status: u16| samples.iter().filter(move |each| each.status.is_some_and(|is| is == status));
    let (served, shed) = (of(200).count(), of(503).filter(|each| each.retry_after).count());
    let other: Vec<&Sample> =
        samples.iter().filter(|each| each.status.is_none_or(|is| is != 200 && is != 503)).collect();
    let rate = |count: usize| count as f64 / LOAD.as_secs_f64();
    eprintln!(
        "capacity {capacity:.0}/s; sent {:.0}/s, served {:.0}/s, shed {:.0}/s; served p50 {:?}, p99 {:?}; shed p99 {:?}; \
         probes p99 {:?}; sent late p99 {:?}; first answer after {:?}",
        rate(samples.len()),
        rate(served),
        rate(shed),
        quantile(0.5, of(200).map(|each| each.took)),
        quantile(0.99, of(200).map(|each| each.took)),
        quantile(0.99, of(503).map(|each| each.took)),
        quantile(0.99, probes.into_iter()),
        quantile(0.99, samples.iter().map(|each| each.late)),
        ended.elapsed(),
    );
    assert!(other.is_empty(), "{} neither served nor shed: {:?}", other.len(), other[0]);
    assert_eq!(served + shed, samples.len(), "every refusal says when to come back");
    assert!(rate(samples.len()) > 2.0 * capacity, "the clients are too slow to show anything");
    assert!(rate(served) > capacity / 2.0, "goodput collapsed");
}
