//! Dependencies that are there and do not work as they should: they answer some calls with errors, come back as somebody
//! else, are slow, or their callers do not wait for them. Each pod goes through its own injections.

mod rounds;
mod slowness;

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::time::{Instant, sleep};

use self::rounds::Injection;
pub(super) use self::rounds::{Round, assignment, least, rounds};
use super::context::RunContext;
use super::subject::Subject;
use crate::config::{Protocol, of_each_call};
use crate::events::Events;
use crate::evidence::{Failure as Error, Fault, Step};
use crate::failure::Failure;
use crate::plan::Part;

/// An order that is taken back by hand may last longer.
const SPARE: Duration = Duration::from_mins(1);

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
pub(super) async fn run(context: &RunContext<'_>, events: &Events) -> Result<(), Failure> {
    let rounds = rounds(context.dependencies(), context.requests_per_pod(), &context.plan.parts);
    for (number, round) in rounds.iter().enumerate() {
        let pods = context.serving();
        if number > 0 {
            // What is asked behind the one before gets no calls while that one's circuits are open.
            all_closed(context, &pods).await;
        }
        let assigned = assignment(round, pods.len());
        events.tell(format!("{} is degraded: errors in part, slow, or not waited for", round.name()));
        context.step_log.begin(Step::Degraded, least(round, &assigned));
        let each = pods.iter().zip(&assigned).map(|(pod, injections)| apply(context, round, pod, injections));
        try_join_all(each).await?;
        context.wait_for(BACK, RunContext::all_in).await;
        context.step_log.end(Step::Degraded);
    }
    // A loss ends with everything back. Without one the next step is a roll, in which what an open circuit refuses is lost.
    if !rounds.is_empty() && !context.plan.can_do(Part::Loss) {
        all_closed(context, &context.serving()).await;
    }
    Ok(())
}

/// Waits until the calls of all pods flow before every dependency with a breaker.
async fn all_closed(context: &RunContext<'_>, pods: &[String]) {
    let circuits = context.circuits();
    let each = pods.iter().flat_map(|pod| {
        circuits.iter().map(move |(name, circuit)| {
            context.faults.calls_again(name, pod, circuit.patience() + circuit.open_for)
        })
    });
    join_all(each).await;
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
        if number > 0 {
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

/// Waits until calls flow: a circuit may have opened, or connections were lost.
async fn closed(subject: &Subject<'_>) {
    let margin = subject.context.plan.limits().max_recovery_margin_s;
    let patience = subject.breaker.map_or_else(
        || Duration::from_secs_f64(margin) + rounds::AFTER,
        |(_, circuit)| circuit.patience() + circuit.open_for,
    );
    subject.context.faults.calls_again(subject.dependency, subject.pod, patience).await;
}

/// Redis says that it is a replica: writes fail, reads go on.
async fn read_only_cache(subject: &Subject<'_>, cache: &str) -> Result<(), Failure> {
    let subject = Subject { dependency: cache, protocol: Protocol::Redis, ..*subject };
    subject.hold(fail(Error::ReadOnly, 100), rounds::READ_ONLY).await
}

async fn slow(subject: &Subject<'_>) -> Result<(), Failure> {
    let Some(delay) = delay(subject).await else { return Ok(()) };
    let patient = subject.context.impatience.read().await;
    subject.hold(Fault::Slow { delay_ms: delay.as_millis() as u64 }, rounds::SLOW_FOR).await?;
    drop(patient);
    Ok(())
}

/// How much longer every call is made to take; none where there is no room for it.
async fn delay(subject: &Subject<'_>) -> Option<Duration> {
    let (_, circuit) = subject.breaker?;
    let calls_per_s = subject.calls_per_s(Instant::now()).await;
    let calls_per_request = calls_per_s / subject.context.requests_per_pod();
    let room = (subject.protocol == Protocol::Postgres).then(|| subject.most_open());
    slowness::delay(circuit.deadline, calls_per_s, calls_per_request, room)
}

/// It works, slowly, and nobody waits for it.
async fn abandoned_slow(subject: &Subject<'_>) -> Result<(), Failure> {
    let Some((_, circuit)) = subject.breaker else { return Ok(()) };
    let Some(delay) = delay(subject).await else { return Ok(()) };
    let Some(patience) = slowness::patience_of_slow(delay, subject.context.usual.nearly_all) else {
        return Ok(());
    };
    let length = circuit.abandoned_slow();
    let alone = subject.context.impatience.write().await;
    subject.context.agents.impatient(patience, length).await?;
    subject.hold(Fault::Slow { delay_ms: delay.as_millis() as u64 }, length).await?;
    drop(alone);
    Ok(())
}

async fn few_failures(subject: &Subject<'_>, clean: Instant) -> Result<(), Failure> {
    let Some((breaker, _)) = subject.breaker else { return Ok(()) };
    let calls_per_s = subject.calls_per_s(clean).await;
    let calls_per_request = calls_per_s / subject.context.requests_per_pod();
    let share = breaker.borne_percent(calls_per_s).and_then(|whole| of_each_call(whole, calls_per_request));
    let Some((share, error)) = share.zip(error(subject)) else { return Ok(()) };
    let Some(length) = rounds::filled(breaker.fills_s(calls_per_s)) else { return Ok(()) };
    let patient = subject.context.impatience.read().await;
    subject.hold(fail(error, share), length).await?;
    // Calls that have stopped are seen to have stopped.
    sleep(rounds::AFTER).await;
    drop(patient);
    Ok(())
}

async fn many_failures(subject: &Subject<'_>, clean: Instant) -> Result<(), Failure> {
    let Some((breaker, _)) = subject.breaker else { return Ok(()) };
    let calls_per_s = subject.calls_per_s(clean).await;
    let Some(error) = error(subject) else { return Ok(()) };
    let Some(length) = rounds::filled(breaker.fills_s(calls_per_s)) else { return Ok(()) };
    let at_most = length + rounds::SEEN_OPEN;
    let patient = subject.context.impatience.read().await;
    subject.set(fail(error, breaker.opening_percent(calls_per_s)), at_most + SPARE).await?;
    subject.stopped(at_most).await;
    drop(patient);
    subject.clear().await
}

/// No call is answered, and no client waits until it is given up.
async fn abandoned_hang(subject: &Subject<'_>) -> Result<(), Failure> {
    let Some((_, circuit)) = subject.breaker else { return Ok(()) };
    let patience = slowness::patience_of_hang(circuit.deadline, subject.context.usual.nearly_all);
    let Some(patience) = patience else { return Ok(()) };
    let length = circuit.abandoned_hang();
    let alone = subject.context.impatience.write().await;
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
    subject.hold(fail(Error::Startup(TOO_MANY.into()), 100), rounds::LIMITED).await?;
    closed(subject).await;
    sleep(rounds::AFTER).await;
    Ok(())
}

/// What was asked for is not there, says every answer: the dependency works.
async fn client_errors(subject: &Subject<'_>, clean: Instant) -> Result<(), Failure> {
    let calls_per_s = subject.calls_per_s(clean).await;
    let error = if speaks_grpc(subject) { Error::Grpc(NOT_FOUND) } else { Error::Status(404) };
    let length = subject.breaker.and_then(|(breaker, _)| rounds::filled(breaker.fills_s(calls_per_s)));
    let Some(length) = length else { return Ok(()) };
    let patient = subject.context.impatience.read().await;
    subject.hold(fail(error, 100), length).await?;
    sleep(rounds::AFTER).await;
    drop(patient);
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
