//! What the tests stand on.

mod backends;
mod cgroup;
mod client;
mod collector;
mod gate;
mod pace;
mod service;

use std::net::TcpListener;
use std::time::{Duration, Instant};

#[allow(unused_imports, reason = "not for the benchmarks")]
pub(crate) use backends::{Encrypted, another_postgres, another_redis, encrypted, pgbouncer};
pub(crate) use backends::{postgres_port, redis_port};
pub(crate) use cgroup::Cgroup;
pub(crate) use client::{Answer, flood, get, request};
pub(crate) use collector::{Collector, Received};
pub(crate) use gate::{Gate, Mode};
pub(crate) use pace::{Pace, Paced, Sample, quantile, read};
#[allow(unused_imports, reason = "not for the benchmarks")]
pub(crate) use service::ask_redis;
pub(crate) use service::{Service, WRITTEN, World};

/// A port that nobody had a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks again every 20 ms until the condition holds.
pub(crate) async fn until<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> F,
) {
    let since = Instant::now();
    while !condition().await {
        assert!(since.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Asks until the condition holds, where the time it takes is not what is tested: a busy machine may need long.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl FnMut() -> F) {
    until(what, seconds(60), condition).await;
}

pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
