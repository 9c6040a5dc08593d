//! Dependencies that are there and do not work as they should: they answer some calls with errors, come back as somebody
//! else, are slow, or their callers do not wait for them. Each pod goes through its own injections.

mod rounds;

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep};

pub(super) use self::rounds::{Injection, Round, assignment, least, rounds};
use super::context::RunContext;
use super::subject::Subject;
use crate::config::Protocol;
use crate::evidence::{Failure as Error, Fault, Step};
use crate::failure::Failure;
use crate::progress::Progress;

/// What a present connection and its pool have to be rid of before new ones are refused.
const CUT: Duration = Duration::from_millis(300);

/// An order that is taken back by hand may last longer.
const SPARE: Duration = Duration::from_mins(1);

/// What is slow by this much is slow, and far from dead.
const SLOW: Duration = Duration::from_millis(500);

/// Less is no slowness that anybody would notice.
const BARELY_SLOW: Duration = Duration::from_millis(100);

/// How long a client waits that does not wait for a dependency that hangs.
const IMPATIENT: Duration = Duration::from_secs(1);

/// The same for one that is slow: a part of its delay.
const IMPATIENT_PART: f64 = 0.6;

/// After this time in the Service again, pods can lose what they need.
const BACK: Duration = Duration::from_secs(20);

/// SQLSTATE 53200, `out_of_memory`: the server fails for a reason of its own (class 53, insufficient resources), so that
/// every breaker counts it; and no driver or pool does anything about the connection, as with 57P01, 25006 or class 08.
const OUT_OF_MEMORY: &str = "53200";

/// SQLSTATE 53300, `too_many_connections`.
const TOO_MANY: &str = "53300";

/// gRPC status codes: 14 UNAVAILABLE, 5 NOT_FOUND.
const UNAVAILABLE: u16 = 14;
const NOT_FOUND: u16 = 5;

/// Degrades each dependency in turn; nothing if none can be.
pub(super) async fn run(context: &RunContext<'_>, progress: &mut Progress) -> Result<(), Failure> {
    for round in rounds(context.dependencies(), context.requests_per_pod()) {
        let pods = context.serving();
        let assigned = assignment(&round, pods.len());
        progress.tell(&format!("{} is degraded: errors in part, slow, or not waited for", round.name()));
        context.step_log.begin(Step::Degraded, least(&round, &assigned));
        let each =
            pods.iter().zip(&assigned).map(|(pod, injections)| apply(context, &round, pod, injections));
        try_join_all(each).await?;
        context.wait_for(BACK, RunContext::all_in).await;
        context.step_log.end(Step::Degraded);
    }
    Ok(())
}

/// Sends one pod through its injections.
async fn apply(
    context: &RunContext<'_>,
    round: &Round<'_>,
    pod: &str,
    injections: &[Injection],
) -> Result<(), Failure> {
    let dependency = round.dependency;
    let (name, protocol) = (dependency.name.as_str(), dependency.protocol);
    let subject = Subject { context, dependency: name, protocol, breaker: round.breaker, pod };
    // What happened in the step before has to leave the window, and what fails here before the next one.
    let mut clean = Instant::now() + rounds::clean(&subject.window());
    for (number, injection) in injections.iter().enumerate() {
        if number > 0 && injection.is_about_calls() {
            closed(&subject).await;
        }
        match injection {
            Injection::ReadOnlyCache => read_only_cache(&subject, round.cache.unwrap_or(name)).await?,
            Injection::Slow => slow(&subject).await?,
            Injection::AbandonedSlow => abandoned_slow(&subject).await?,
            Injection::FewFailures => few_failures(&subject, clean).await?,
            Injection::ManyFailures => many_failures(&subject, clean).await?,
            Injection::AbandonedHang => abandoned_hang(&subject).await?,
            Injection::FailOver => fail_over(&subject).await?,
            Injection::ConnectionLimit => connection_limit(&subject).await?,
            Injection::ClientErrors => client_errors(&subject, clean).await?,
        }
        if injection.fails_calls() {
            clean = Instant::now() + rounds::clean(&subject.window());
        }
    }
    Ok(())
}

/// Waits until calls flow: a circuit may have opened.
async fn closed(subject: &Subject<'_>) {
    let patience =
        subject.breaker.map_or(Duration::ZERO, |(_, circuit)| circuit.patience() + circuit.open_for);
    subject.context.faults.calls_again(subject.dependency, subject.pod, patience).await;
}

/// Redis says that it is a replica: writes fail, reads go on.
async fn read_only_cache(subject: &Subject<'_>, cache: &str) -> Result<(), Failure> {
    let subject = Subject { dependency: cache, protocol: Protocol::Redis, ..*subject };
    subject.hold(fail(Error::ReadOnly, 100), rounds::READ_ONLY).await
}

async fn slow(subject: &Subject<'_>) -> Result<(), Failure> {
    let calls_per_s = subject.calls_per_s(Instant::now()).await;
    let delay_ms = delay(subject, calls_per_s).as_millis() as u64;
    subject.hold(Fault::Slow { delay_ms }, rounds::SLOW_FOR).await
}

/// Below the deadline, and so that calls in flight leave half of the connections that are open to others: 90 calls a
/// second that take 500 ms each hold 45 connections, and it would be we who refuse the rest.
fn delay(subject: &Subject<'_>, calls_per_s: f64) -> Duration {
    let deadline = subject.breaker.map_or(SLOW, |(_, circuit)| circuit.deadline / 3);
    let half = f64::from(subject.open()) / 2.0 / calls_per_s.max(0.1);
    SLOW.min(deadline).min(Duration::from_secs_f64(half).max(BARELY_SLOW))
}

/// It works, slowly, and nobody waits for it.
async fn abandoned_slow(subject: &Subject<'_>) -> Result<(), Failure> {
    let Some((_, circuit)) = subject.breaker else { return Ok(()) };
    let (delay, length) = (SLOW.min(circuit.deadline / 3), circuit.abandoned_slow());
    let alone = subject.context.impatience.lock().await;
    subject.context.agents.impatient(delay.mul_f64(IMPATIENT_PART), length).await?;
    subject.hold(Fault::Slow { delay_ms: delay.as_millis() as u64 }, length).await?;
    drop(alone);
    Ok(())
}

async fn few_failures(subject: &Subject<'_>, clean: Instant) -> Result<(), Failure> {
    let calls_per_s = subject.calls_per_s(clean).await;
    let share = subject.breaker.and_then(|(breaker, _)| breaker.borne_percent(calls_per_s));
    let Some((share, error)) = share.zip(error(subject)) else { return Ok(()) };
    let length = subject.breaker.map_or(0.0, |(breaker, _)| breaker.fills_s(calls_per_s));
    subject.hold(fail(error, share), rounds::filled(length)).await?;
    // Calls that have stopped are seen to have stopped.
    sleep(rounds::AFTER).await;
    Ok(())
}

async fn many_failures(subject: &Subject<'_>, clean: Instant) -> Result<(), Failure> {
    let Some((breaker, _)) = subject.breaker else { return Ok(()) };
    let calls_per_s = subject.calls_per_s(clean).await;
    let Some(error) = error(subject) else { return Ok(()) };
    let at_most = rounds::filled(breaker.fills_s(calls_per_s)) + rounds::SEEN_OPEN;
    subject.set(fail(error, breaker.opening_percent(calls_per_s)), at_most + SPARE).await?;
    subject.stopped(at_most).await;
    subject.clear().await
}

/// No call is answered, and no client waits until it is given up.
async fn abandoned_hang(subject: &Subject<'_>) -> Result<(), Failure> {
    let Some((_, circuit)) = subject.breaker else { return Ok(()) };
    let (patience, length) = (IMPATIENT.min(circuit.deadline / 2), circuit.abandoned_hang());
    let alone = subject.context.impatience.lock().await;
    subject.context.agents.impatient(patience, length).await?;
    subject.hold(Fault::Hang, length).await?;
    drop(alone);
    Ok(())
}

async fn fail_over(subject: &Subject<'_>) -> Result<(), Failure> {
    subject.hold(fail(Error::FailOver, 100), rounds::FAIL_OVER).await
}

/// Present connections are cut once; new ones are refused by the server for a while.
async fn connection_limit(subject: &Subject<'_>) -> Result<(), Failure> {
    subject.set(Fault::Refuse, SPARE).await?;
    sleep(CUT).await;
    subject.hold(fail(Error::Startup(TOO_MANY.into()), 100), rounds::LIMITED).await?;
    closed(subject).await;
    sleep(rounds::AFTER).await;
    Ok(())
}

/// What was asked for is not there, says every answer: the dependency works.
async fn client_errors(subject: &Subject<'_>, clean: Instant) -> Result<(), Failure> {
    let calls_per_s = subject.calls_per_s(clean).await;
    let error = if speaks_grpc(subject) { Error::Grpc(NOT_FOUND) } else { Error::Status(404) };
    let length = subject.breaker.map_or(0.0, |(breaker, _)| breaker.fills_s(calls_per_s));
    subject.hold(fail(error, 100), rounds::filled(length)).await?;
    sleep(rounds::AFTER).await;
    Ok(())
}

/// An error that every breaker counts; none where the agent can say none for every call.
fn error(subject: &Subject<'_>) -> Option<Error> {
    match subject.protocol {
        Protocol::Postgres => Some(Error::Sqlstate(OUT_OF_MEMORY.into())),
        Protocol::Http if speaks_grpc(subject) => Some(Error::Grpc(UNAVAILABLE)),
        Protocol::Http => Some(Error::Status(503)),
        Protocol::Redis | Protocol::Otlp | Protocol::Tcp => None,
    }
}

fn speaks_grpc(subject: &Subject<'_>) -> bool {
    subject.context.middle.status(subject.dependency).grpc
}

fn fail(with: Error, share_percent: u8) -> Fault {
    Fault::Fail { with, share_percent }
}
