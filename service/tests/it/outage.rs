//! Postgres away under 200 requests a second, measured from outside: when the circuit opens, what users notice before
//! and after, what still reaches the server, and how it comes back.

mod watch;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::harness::{Mode, Pace, Paced, Sample, Service, World, quantile, read, seconds, until};
use watch::{Database, Watch};

const RATE: f64 = 200.0;
/// 3 s of requests, and some more.
const CLIENTS: usize = 900;
const WARM: Duration = Duration::from_secs(15);
/// `DATABASE_MAX_CONNECTIONS`, and the one of health.
const MOST_CONNECTIONS: i64 = 10 + 1;

/// An outage, and the seconds in which the circuit must open.
struct Outage {
    mode: Mode,
    opens: std::ops::Range<f64>,
}

/// What was measured in one.
struct Course {
    /// All counted from the start of the load.
    began: Duration,
    opened: Duration,
    back: Duration,
    closed: Duration,
    samples: Vec<Sample>,
    most_connections: i64,
    statements_while_open: i64,
    /// Calls that ended at the deadline of the breaker, and those that the pool or the connection failed.
    deadlines: u64,
    failures: u64,
}

fn is_write(number: u64) -> bool {
    number.is_multiple_of(10)
}

/// Nine reads of users that have a copy, then a write, which has no fallback.
fn ask(number: u64) -> Request<Full<Bytes>> {
    if !is_write(number) {
        return read(number);
    }
    let body = format!(r#"{{"name":"Ada","email":"ada{number}@example.com"}}"#);
    let request =
        Request::post("/api/users").header("host", "users").header("content-type", "application/json");
    request.body(Full::from(body)).unwrap()
}

impl Outage {
    async fn run(&self) -> Course {
        let world = World::new().await;
        let service = world.ready(&[("SEED_USERS", "100")]).await;
        let database = Database::of(&world).await;
        let watch = Watch::start(&world).await;
        let load = Pace { port: service.port, rate: RATE, clients: CLIENTS, ask }.start();
        tokio::time::sleep(WARM).await;
        world.postgres.set(self.mode);
        let began = load.elapsed();
        let opened = changed(&service, &load, r#"from="closed",to="open""#, seconds(10)).await;
        let outcome = async |name: &str| {
            service.metric(&format!(r#"breaker_calls_total{{breaker="postgres",outcome="{name}"}}"#)).await
        };
        let (deadlines, failures) = (outcome("deadline").await, outcome("failure").await);
        // The worst moment to come back: a trial has just failed.
        changed(&service, &load, r#"from="half_open",to="open""#, seconds(40)).await;
        world.postgres.set(Mode::Forward);
        let back = load.elapsed();
        let statements_while_open = statements_until_trial(&service, database).await;
        let closed = changed(&service, &load, r#"from="half_open",to="closed""#, seconds(40)).await;
        tokio::time::sleep(seconds(5)).await;
        let samples = load.stop().await;
        let most_connections = watch.stop().await;
        Course {
            began,
            opened,
            back,
            closed,
            samples,
            most_connections,
            statements_while_open,
            deadlines,
            failures,
        }
    }
}

/// When this transition was first counted.
async fn changed(service: &Service, load: &Paced, labels: &str, limit: Duration) -> Duration {
    let series = format!(r#"breaker_transitions_total{{breaker="postgres",{labels}}}"#);
    until(labels, limit, async || service.metric(&series).await > 0).await;
    load.elapsed()
}

/// Statements of requests that Postgres, which is back, counts until the circuit asks it again: from 2 s after its
/// return, when the gate has delivered what it held, until shortly before the trial.
async fn statements_until_trial(service: &Service, mut database: Database) -> i64 {
    tokio::time::sleep(seconds(2)).await;
    let before = database.statements().await;
    let began = Instant::now();
    let mut counted = 0;
    while began.elapsed() < seconds(40) {
        let seen = database.statements().await - before;
        if service.metric(r#"breaker_state{breaker="postgres",state="open"}"#).await == 0 {
            break;
        }
        counted = seen;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(began.elapsed() > seconds(20), "it was not open for long enough to show anything");
    counted
}

impl Course {
    fn between(&self, from: Duration, to: Duration) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |each| (from..to).contains(&each.at))
    }

    /// Reads or writes that were sent while the circuit was open; the first moments belong to what came before.
    fn while_open(&self, writes: bool) -> impl Iterator<Item = &Sample> {
        let after = Duration::from_millis(100);
        self.between(self.opened + after, self.back).filter(move |each| is_write(each.number) == writes)
    }

    /// The median of the slices of 10 s: what else happens on the machine blurs one or two of them.
    fn p99(&self, writes: bool) -> Duration {
        let slices = (0..).map_while(|slice| {
            let from = self.opened + slice * seconds(10);
            let to = from + seconds(10);
            let times =
                || self.while_open(writes).filter(|each| (from..to).contains(&each.at)).map(|each| each.took);
            (to <= self.back).then(|| quantile(0.99, times()))
        });
        quantile(0.5, slices)
    }

    fn longest_before(&self) -> Duration {
        self.between(self.began.saturating_sub(seconds(3)), self.opened).map(|each| each.took).max().unwrap()
    }

    /// Until the first request of those after which none was answered otherwise than by Postgres.
    fn usable_after(&self) -> Duration {
        let fallback =
            |each: &&Sample| each.stale || each.status.is_none_or(|status| status.is_server_error());
        let last = self.between(self.closed, Duration::MAX).filter(fallback).last();
        last.map_or(Duration::ZERO, |each| each.at - self.closed)
    }

    /// The limit that acts first: the wait of the pool for a connection (`DATABASE_ACQUIRE_TIMEOUT`, 2 s) or the
    /// deadline of the call (`BREAKER_DEADLINE`, 3 s).
    fn first_limit(&self) -> &'static str {
        let longest = self.longest_before();
        if longest < Duration::from_millis(1_900) {
            "none"
        } else if self.failures > self.deadlines {
            "the pool's"
        } else {
            "the call's"
        }
    }

    #[expect(clippy::print_stderr, reason = "the row is the result, shown by --nocapture")]
    fn print(&self, mode: Mode) {
        eprintln!(
            "| {mode:?} | {:.2} s | {} ({} failed, {} at the deadline) | {:.2} s | {:.1} ms | {:.1} ms | {} | {} | {:.1} s | {:.2} s |",
            (self.opened - self.began).as_secs_f64(),
            self.first_limit(),
            self.failures,
            self.deadlines,
            self.longest_before().as_secs_f64(),
            self.p99(false).as_secs_f64() * 1e3,
            self.p99(true).as_secs_f64() * 1e3,
            self.statements_while_open,
            self.most_connections,
            (self.closed - self.back).as_secs_f64(),
            self.usable_after().as_secs_f64(),
        );
    }

    fn judge(&self, opens: &std::ops::Range<f64>) {
        let opened = (self.opened - self.began).as_secs_f64();
        assert!(opens.contains(&opened), "opened after {opened:.2} s");
        assert!(self.samples.iter().all(|each| each.status.is_some()), "a request without any answer");
        assert!(self.while_open(false).all(|each| each.stale), "a read without its copy");
        assert!(
            self.while_open(true).all(|each| each.status.is_some_and(|is| is == 503) && each.retry_after)
        );
        assert!(self.longest_before() <= Duration::from_millis(3_300), "{:?}", self.longest_before());
        assert!(self.p99(false) <= Duration::from_millis(10), "reads: {:?}", self.p99(false));
        assert!(self.p99(true) <= Duration::from_millis(3), "refusals: {:?}", self.p99(true));
        assert_eq!(self.statements_while_open, 0, "statements reached Postgres");
        assert!(self.most_connections <= MOST_CONNECTIONS, "{} connections", self.most_connections);
        assert!(self.closed - self.back <= Duration::from_millis(33_500), "{:?}", self.closed - self.back);
        assert!(self.usable_after() <= seconds(1), "{:?}", self.usable_after());
    }
}

#[expect(clippy::print_stderr, reason = "the table is the result, shown by --nocapture")]
async fn judge(outage: Outage) {
    let course = outage.run().await;
    eprintln!(
        "| outage | opened after | limit that acts first | longest before | p99 of reads | p99 of refusals | statements | \
         connections | recovered after | usable after |"
    );
    course.print(outage.mode);
    course.judge(&outage.opens);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "90 seconds"]
async fn connections_that_are_closed_open_the_circuit_in_time() {
    judge(Outage { mode: Mode::Refuse, opens: 4.4..5.1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "90 seconds"]
async fn connections_that_are_refused_open_the_circuit_in_time() {
    judge(Outage { mode: Mode::Gone, opens: 4.4..5.1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "90 seconds"]
async fn a_database_that_hangs_opens_the_circuit_in_time() {
    judge(Outage { mode: Mode::Hang, opens: 5.0..6.6 }).await;
}
