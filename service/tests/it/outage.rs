//! Postgres away under 200 requests a second, measured from outside: when the circuit opens, what users notice before
//! and after, what still reaches the server, and how it comes back.

mod course;
mod watch;

use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::harness::{Mode, Pace, Paced, Service, World, read, seconds, until};
use course::Course;
use watch::{Database, Watch};

const RATE: f64 = 200.0;
/// 3 s of requests, and some more.
const CLIENTS: usize = 900;
const WARM: Duration = Duration::from_secs(15);

/// An outage, and the seconds in which the circuit must open.
struct Outage {
    mode: Mode,
    opens: Range<f64>,
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
