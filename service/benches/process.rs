//! What the whole process costs beside a plain axum + sqlx handler of the same query: CPU time per request and
//! throughput, by turns in one run, the server on one core, its clients and Postgres on the other.
//!
//! `cargo build --release --examples` first: the peer is an example.

#![expect(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]
#![expect(clippy::print_stdout, reason = "the table is the result")]

#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
#[path = "../tests/it/harness/mod.rs"]
mod harness;

use std::time::{Duration, Instant};

use harness::{Collector, Service, World, flood, request, until};
use http::Method;

const ROUNDS: usize = 7;
const REQUESTS: usize = 20_000;

/// One program under load.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Subject {
    /// The peer.
    Plain,
    /// Every pillar, and this share of the requests traced; none: no span is ever made.
    Users { sampled: Option<f64> },
    /// The circuit is open: every answer comes from Redis.
    Cached,
}

const SUBJECTS: [Subject; 6] = [
    Subject::Plain,
    Subject::Users { sampled: None },
    Subject::Users { sampled: Some(0.01) },
    Subject::Users { sampled: Some(0.05) },
    Subject::Users { sampled: Some(1.0) },
    Subject::Cached,
];

/// What one turn of one subject measured.
#[derive(Clone, Copy)]
struct Turn {
    /// CPU time of the process per request, in microseconds.
    cpu_us: f64,
    /// Requests per second.
    rate: f64,
    /// Resident memory after the turn, in MiB.
    resident_mib: f64,
}

fn main() {
    pin(std::process::id(), 1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        drop(world.ready(&[("SEED_USERS", "100")]).await);
        let collector = Collector::start().await;
        let mut turns = vec![Vec::new(); SUBJECTS.len()];
        for _ in 0..ROUNDS {
            for (subject, turns) in SUBJECTS.iter().zip(&mut turns) {
                turns.push(turn(*subject, &world, &collector).await);
            }
        }
        print(&turns);
    });
}

async fn turn(subject: Subject, world: &World, collector: &Collector) -> Turn {
    let service = start(subject, world, collector).await;
    let id = service.child.id().unwrap();
    pin(id, 0);
    flood(service.port, REQUESTS / 10).await;
    if subject == Subject::Cached {
        // The last copies are on their way.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let path = "/breakers/postgres/state";
        assert_eq!(
            request(service.management, Method::PUT, path, "forced_open", &[]).await.unwrap().status,
            200
        );
    }
    let (cpu, began) = (cpu_time(id), Instant::now());
    flood(service.port, REQUESTS).await;
    let (spent, took) = (cpu_time(id).saturating_sub(cpu), began.elapsed());
    Turn {
        cpu_us: spent.as_secs_f64() * 1e6 / REQUESTS as f64,
        rate: REQUESTS as f64 / took.as_secs_f64(),
        resident_mib: service.resident_mib(),
    }
}

async fn start(subject: Subject, world: &World, collector: &Collector) -> Service {
    // Straight to the backends: the gates of the tests would take part in the result.
    let environment = world.direct();
    let service = match subject {
        Subject::Plain => Service::example("plain", environment, &[]),
        Subject::Users { sampled: None } => Service::start(environment, &[("OTEL_SDK_DISABLED", "true")]),
        Subject::Users { sampled: Some(ratio) } => {
            let (ratio, endpoint) = (ratio.to_string(), collector.url.clone());
            Service::start(environment, &[("SAMPLE_RATIO", &ratio), ("OTEL_ENDPOINT", &endpoint)])
        }
        Subject::Cached => Service::start(environment, &[("DRILLS", "true")]),
    };
    let answers = async || harness::get(service.port, "/api/users/1").await.is_some_and(|a| a.status == 200);
    until("an answer", Duration::from_secs(20), answers).await;
    service
}

/// CPU time of every thread of a process, from the scheduler (nanoseconds).
fn cpu_time(id: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap().flatten();
    let spent = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

fn pin(id: u32, core: usize) {
    let (core, id) = (core.to_string(), id.to_string());
    let pinned = std::process::Command::new("taskset").args(["-a", "-p", "-c", &core, &id]).output().unwrap();
    assert!(pinned.status.success(), "taskset");
}

fn print(turns: &[Vec<Turn>]) {
    println!(
        "| subject | CPU us per request | x plain (95 % upper bound) | requests per second | x plain | MiB |"
    );
    println!("|---|---|---|---|---|---|");
    for (subject, own) in SUBJECTS.iter().zip(turns) {
        let cpu = ratios(own, &turns[0], |turn| turn.cpu_us);
        let rate = ratios(own, &turns[0], |turn| turn.rate);
        println!(
            "| {subject:?} | {:.1} | {:.2} ({:.2}) | {:.0} | {:.2} | {:.1} |",
            median(own.iter().map(|turn| turn.cpu_us)),
            median(cpu.iter().copied()),
            upper_bound(&cpu),
            median(own.iter().map(|turn| turn.rate)),
            median(rate),
            median(own.iter().map(|turn| turn.resident_mib)),
        );
    }
    let (off, sampled) = (&turns[1], [("1 %", 2), ("5 %", 3), ("100 %", 4)]);
    for (share, index) in sampled {
        let added = ratios(&turns[index], off, |turn| turn.cpu_us);
        let (added, bound) = (median(added.iter().copied()), upper_bound(&added));
        println!("tracing at {share}: x {added:.3} of no tracing, 95 % upper bound {bound:.3}");
    }
}

/// Round by round, since what disturbs a machine disturbs neighbours in time alike.
fn ratios(own: &[Turn], other: &[Turn], of: fn(&Turn) -> f64) -> Vec<f64> {
    own.iter().zip(other).map(|(own, other)| of(own) / of(other)).collect()
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Of the mean, one-sided, by Student's t for seven rounds.
fn upper_bound(values: &[f64]) -> f64 {
    const T_6: f64 = 1.943;
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    mean + T_6 * (variance / count).sqrt()
}
