//! Rolling restarts behind a switch that goes on routing to the instance that leaves, as kube-proxy does for a while.

mod load;
mod switch;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::harness::{Mode, Service, World, eventually, get};
use load::{Class, Load};
use switch::Switch;

const LAGS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(3)];
const USER: &str = "/api/users/1";

/// What is restarted.
#[derive(Clone, Copy)]
enum Program {
    Users,
    Example(&'static str),
}

struct Plan {
    program: Program,
    path: &'static str,
    lag: Duration,
    restarts: usize,
    /// Clients of each class.
    clients: usize,
    pace: Duration,
}

impl Program {
    async fn start(self, world: &World, path: &str) -> Service {
        let service = match self {
            Self::Users => world.start(&[("SEED_USERS", "5")]),
            Self::Example(name) => Service::example(name, world.environment(), &[]),
        };
        let answers = async || get(service.port, path).await.is_some_and(|answer| answer.status == 200);
        eventually("an answer", answers).await;
        service
    }
}

/// What came of it.
struct Course {
    /// Answers a second, of all classes.
    rate: f64,
    /// What became of the requests that were lost.
    lost: Vec<String>,
}

/// Restarts one of two instances after the other.
#[expect(clippy::print_stderr, reason = "the rate is a result, shown by --nocapture")]
async fn restart(plan: Plan) -> Course {
    let world = World::with(Mode::Forward, Mode::Forward).await;
    drop(Program::Users.start(&world, USER).await);
    let switch = Switch::start().await;
    let mut running = Vec::new();
    for _ in 0..2 {
        let service = plan.program.start(&world, plan.path).await;
        switch.add(service.port);
        running.push(service);
    }
    let began = Instant::now();
    let load = Load::start(switch.port, plan.path, plan.clients, plan.pace);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..plan.restarts {
        let next = plan.program.start(&world, plan.path).await;
        switch.add(next.port);
        running.push(next);
        let mut leaving = running.remove(0);
        leaving.signal("TERM");
        tokio::time::sleep(plan.lag).await;
        switch.remove(leaving.port);
        assert_eq!(leaving.ended().await.0.code(), Some(0), "{}", leaving.log());
    }
    let tallies = load.stop().await;
    let answered: u64 = tallies.iter().map(|tally| tally.answered.load(Ordering::Relaxed)).sum();
    let mut lost = Vec::new();
    for class in Class::ALL {
        let tally = &tallies[class as usize];
        assert!(tally.answered.load(Ordering::Relaxed) > 0, "no answer to {class:?}");
        lost.extend(tally.lost.lock().unwrap().iter().map(|error| format!("{class:?}: {error}")));
    }
    let rate = answered as f64 / began.elapsed().as_secs_f64();
    eprintln!("lag {:?}: {answered} answers, {rate:.0}/s, {} lost", plan.lag, lost.len());
    Course { rate, lost }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_however_late_the_switch_learns_of_the_end() {
    let plan = |lag| Plan {
        program: Program::Users,
        path: USER,
        lag,
        restarts: 3,
        clients: 8,
        pace: Duration::from_millis(250),
    };
    for course in join_all(LAGS.map(|lag| restart(plan(lag)))).await {
        assert!(course.lost.is_empty(), "{:#?}", course.lost);
    }
}

/// The same clients, so this also shows that they can see a loss.
#[tokio::test(flavor = "multi_thread")]
async fn plain_axum_loses_requests_and_a_service_that_took_the_pillars_does_not() {
    let plan = |program, path| Plan {
        program: Program::Example(program),
        path,
        lag: Duration::from_secs(1),
        restarts: 1,
        clients: 8,
        pace: Duration::from_millis(250),
    };
    let results = join_all([restart(plan("plain", USER)), restart(plan("adopt_pillars", "/price"))]).await;
    assert!(!results[0].lost.is_empty(), "plain axum lost nothing");
    assert!(results[1].lost.is_empty(), "{:#?}", results[1].lost);
}

/// `make soak`: a release build, at the rate of the issue over all lags, or what the machine holds.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "9 minutes"]
async fn no_request_is_lost_in_fifty_restarts() {
    let plan = |lag| Plan {
        program: Program::Users,
        path: USER,
        lag,
        restarts: 50,
        clients: 16,
        // 48 clients a lag that pause so long on average, and 16 that think: 550 requests a second, less their latency.
        pace: Duration::from_millis(88),
    };
    let courses = join_all(LAGS.map(|lag| restart(plan(lag)))).await;
    eprintln!("{:.0}/s in all", courses.iter().map(|course| course.rate).sum::<f64>());
    for course in courses {
        assert!(course.lost.is_empty(), "{:#?}", course.lost);
    }
}
