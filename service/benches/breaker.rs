//! What a call through the breaker costs, beside the peers in the same run. The work itself is ready at once.
//!
//! Every future is polled once by hand: no runtime takes part but for the deadline's timer.

#![expect(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use failsafe::futures::CircuitBreaker as _;
use futures_util::FutureExt as _;
use golive_pillars::breaker::{Breaker, Class, Classify, Config, State};
use tower_service::Service as _;

#[derive(Clone, Debug)]
struct Fault;

impl Classify for Fault {
    fn class(&self) -> Class {
        Class::Failure
    }
}

const FINE: Result<u64, Fault> = Ok(1);
const FAULT: Result<u64, Fault> = Err(Fault);
const THREADS: u64 = 8;

fn main_group(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    closed(c);
    open(c);
    call_rate(c);
    contended(c, &runtime);
}

/// Closed: the call is made, and its success counted.
fn closed(c: &mut Criterion) {
    let mut group = c.benchmark_group("closed");
    let deadline = Duration::from_secs(3);
    group.bench_function("the deadline's timer alone", |b| {
        b.iter(|| tokio::time::timeout(deadline, async { black_box(FINE) }).now_or_never());
    });
    let breaker = breaker();
    group.bench_function("golive, timer included", |b| b.iter(|| once(&breaker, FINE)));
    let recloser = recloser();
    group.bench_function("recloser", |b| {
        b.iter(|| recloser.call(async { black_box(FINE) }).now_or_never());
    });
    let failsafe = failsafe::Config::new().build();
    group.bench_function("failsafe", |b| {
        b.iter(|| failsafe.call(async { black_box(FINE) }).now_or_never());
    });
    let mut tower = tower(|()| std::future::ready(black_box(FINE)));
    group.bench_function("tower-resilience", |b| b.iter(|| tower.call(()).now_or_never()));
}

/// Open: the call is refused.
fn open(c: &mut Criterion) {
    let mut group = c.benchmark_group("open");
    let breaker = breaker();
    while breaker.state() == State::Closed {
        once(&breaker, FAULT);
    }
    group.bench_function("golive", |b| b.iter(|| once(&breaker, FINE)));
    let recloser = recloser();
    let failsafe = failsafe::Config::new().build();
    let mut tower = tower(|()| std::future::ready(FAULT));
    for _ in 0..1_000 {
        let _ = recloser.call(async { FAULT }).now_or_never();
        let _ = failsafe.call(async { FAULT }).now_or_never();
        let _ = tower.call(()).now_or_never();
    }
    group.bench_function("recloser", |b| {
        b.iter(|| recloser.call(async { black_box(FINE) }).now_or_never());
    });
    group.bench_function("failsafe", |b| {
        b.iter(|| failsafe.call(async { black_box(FINE) }).now_or_never());
    });
    group.bench_function("tower-resilience", |b| b.iter(|| tower.call(()).now_or_never()));
}

/// The same call with few and with many calls in the window.
fn call_rate(c: &mut Criterion) {
    let mut group = c.benchmark_group("calls in the window");
    for calls in [100, 100_000] {
        let filled = || {
            let breaker = breaker();
            (0..calls).for_each(|_| once(&breaker, FINE));
            breaker
        };
        group.bench_function(calls.to_string(), |b| {
            b.iter_batched_ref(
                filled,
                |breaker| (0..100).for_each(|_| once(breaker, FINE)),
                BatchSize::PerIteration,
            );
        });
    }
}

/// Eight threads on one circuit; the time of one call on each thread.
fn contended(c: &mut Criterion, runtime: &tokio::runtime::Runtime) {
    let breaker = breaker();
    c.bench_function("closed, 8 threads", |b| {
        b.iter_custom(|calls| {
            let began = Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        let _entered = runtime.enter();
                        (0..calls).for_each(|_| once(&breaker, FINE));
                    });
                }
            });
            began.elapsed()
        });
    });
}

fn once(breaker: &Breaker, result: Result<u64, Fault>) {
    let _ = black_box(breaker.call(async { black_box(result) }).now_or_never());
}

fn breaker() -> Breaker {
    Breaker::new("bench", Config::default()).unwrap()
}

fn recloser() -> recloser::AsyncRecloser {
    let recloser = recloser::Recloser::custom().error_rate(0.5).closed_len(100).build();
    recloser::AsyncRecloser::from(recloser)
}

fn tower<F, Fut>(work: F) -> impl tower_service::Service<(), Future = impl Future<Output: Send>>
where
    F: FnMut(()) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<u64, Fault>> + Send + 'static,
{
    let layer = tower_resilience_circuitbreaker::CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(100)
        .build()
        .unwrap();
    layer.layer_fn(tower::service_fn(work))
}

criterion_group!(benches, main_group);
criterion_main!(benches);
