use std::time::{Duration, Instant};

use crate::harness::{Cgroup, Pace, World, get, quantile, read};

/// Of one core: what a pod with `limits.cpu: 200m` gets.
const PERCENT: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "2 minutes"]
async fn health_raises_no_false_alarm_in_a_cgroup_that_is_throttled() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "100")]).await;
    let Some(cgroup) = Cgroup::throttle(service.child.id().unwrap(), PERCENT) else {
        eprintln!(
            "SKIPPED: no control group for processor time can be made here (not root, or none is mounted)"
        );
        return;
    };
    // A closed loop: more than it can do.
    let load = Pace { port: service.port, rate: f64::INFINITY, clients: 16, ask: read }.start();
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_mins(2) {
        let asked = Instant::now();
        let answer = get(service.management, "/health").await.expect("an answer");
        times.push(asked.elapsed());
        assert_eq!(answer.status, 200, "after {:?}: {}", began.elapsed(), answer.text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (served, throttled) = (load.stop().await.len(), cgroup.throttled());
    eprintln!(
        "{served} requests served; throttled in {throttled} of 1,200 periods; {} probes, p50 {:?}, p99 {:?}, longest {:?}",
        times.len(),
        quantile(0.5, times.iter().copied()),
        quantile(0.99, times.iter().copied()),
        times.iter().max().unwrap(),
    );
    assert!(throttled > 600, "throttled in {throttled} periods only");
    assert!(times.len() > 400, "{} answers", times.len());
}
