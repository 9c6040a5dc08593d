//! The database hangs while health pings are still answered. Every pod meets it at once; what
//! comes after, each pod meets on its own.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::sleep;

use super::circuit::Circuit;
use super::context::RunContext;
use super::preparation::QUIET;
use super::trials::{self, Injection};
use crate::events::Events;
use crate::evidence::{Fault, Step, TrialEnd};
use crate::failure::Failure;
use crate::plan::Part;

/// Requests past the Service have begun by then.
const BREATH: Duration = Duration::from_secs(2);

/// Hangs each dependency with a breaker in turn, under load, and sends each pod through its injections: all of them with
/// the first dependency, only a trial with the others.
/// Without any breaker, or where nothing is to hang, only the collector is taken away.
pub(super) async fn run(context: &RunContext<'_>, pods: &[String], events: &Events) -> Result<(), Failure> {
    if context.circuits().is_empty() || !context.plan.does(Part::Hang) {
        return without_collector(context, pods, events).await;
    }
    for (number, (dependency, circuit)) in context.circuits().into_iter().enumerate() {
        let pods = if number == 0 { pods.to_vec() } else { context.serving() };
        let injections = if number == 0 {
            trials::assignment(pods.len(), &context.plan.parts)
        } else {
            vec![vec![Injection::GoodTrial]; pods.len()]
        };
        // What was let in in peace must not meet the fault.
        sleep(until_clean(number, &circuit).max(context.usual.longest + BREATH)).await;
        events.tell(format!("{dependency} hangs, health pings are answered: circuits should open"));
        hang(context, dependency, &circuit, &pods).await?;
        events.tell("trials: one call each; then hiccups, a restart, the collector gone");
        context.step_log.begin(Step::Trials, trials::least(&circuit, &injections));
        each_on_its_own(context, dependency, &circuit, &pods, &injections).await?;
        context.step_log.end(Step::Trials);
    }
    Ok(())
}

/// Until the window holds calls alone that worked: the first dependency had the quiet phase for it, the others come after
/// what was done before the one in front of them.
pub(super) fn until_clean(number: usize, circuit: &Circuit) -> Duration {
    let whole = circuit.window + Duration::from_secs(1);
    if number == 0 { whole.saturating_sub(QUIET).max(BREATH) } else { whole }
}

async fn without_collector(
    context: &RunContext<'_>,
    pods: &[String],
    events: &Events,
) -> Result<(), Failure> {
    let wanted = context.collector().is_some() && context.plan.does(Part::Collector);
    let Some(pod) = pods.first().filter(|_| wanted) else { return Ok(()) };
    events.tell("the collector is gone for one pod, which is deleted while it is");
    context.step_log.begin(Step::Trials, trials::LEAST_WITHOUT_COLLECTOR);
    trials::no_collector(context, pod).await?;
    context.step_log.end(Step::Trials);
    Ok(())
}

async fn hang(
    context: &RunContext<'_>,
    dependency: &str,
    circuit: &Circuit,
    pods: &[String],
) -> Result<(), Failure> {
    context.step_log.begin(Step::Hang, circuit.hang);
    let all = pods.iter().map(|pod| (pod.as_str(), Fault::Hang));
    context.faults.set(dependency, all, circuit.hang + circuit.open_for * 3).await?;
    sleep(circuit.hang).await;
    context.step_log.end(Step::Hang);
    Ok(())
}

async fn each_on_its_own(
    context: &RunContext<'_>,
    dependency: &str,
    circuit: &Circuit,
    pods: &[String],
    injections: &[Vec<Injection>],
) -> Result<(), Failure> {
    let first = pods.iter().zip(injections).map(|(pod, injections)| {
        let end =
            if injections.contains(&Injection::FailedTrial) { TrialEnd::GiveUp } else { TrialEnd::Forward };
        (pod.as_str(), Fault::Trial { hold_ms: circuit.hold().as_millis() as u64, end })
    });
    context.faults.set(dependency, first, circuit.open_for * 3).await?;
    let running = pods
        .iter()
        .zip(injections)
        .map(|(pod, injections)| trials::apply(context, dependency, circuit, pod, injections));
    try_join_all(running).await?;
    context.faults.clear_all(dependency).await
}
