//! Dependencies that are gone altogether: one of each pod, then all of all, then the other one of each pod.

use std::time::Duration;

use tokio::time::sleep;

use super::circuit::Circuit;
use super::context::RunContext;
use crate::config::{Need, Probe};
use crate::evidence::{Fault, Step};
use crate::failure::Failure;
use crate::plan::{Part, Plan};

/// Ways to be gone; pods next to each other meet different ones.
const MODES: [Fault; 3] = [Fault::Refuse, Fault::Reset, Fault::Silence];

/// A loss lasts at least this long, so that breakers are seen to open.
pub(super) const LOSS_MIN: Duration = Duration::from_secs(8);

/// Where pods stay in the Service without a dependency, users are watched so long once every circuit has to be open.
pub(super) const WATCHED: Duration = Duration::from_secs(6);

/// Endpoints that are not out after this time stay in.
pub(super) const LOSS_MAX: Duration = Duration::from_secs(25);

/// Where no liveness probe is declared, nobody restarts for the sake of a dependency.
const BLACKOUT_MIN: Duration = Duration::from_secs(15);

/// No run is without everything for longer.
const BLACKOUT_MAX: Duration = Duration::from_secs(90);

/// Beyond a liveness probe's patience.
const BEYOND: Duration = Duration::from_secs(8);

/// Twice what a ping and a probe need to see that a dependency is back.
pub(super) const PARTIAL: Duration = Duration::from_secs(10);

/// Beyond the open time and its trial, how long things may need until they are as before.
const RECOVERY: Duration = Duration::from_secs(25);

/// How much longer than the open time it usually takes: a trial, and some seconds to see that calls go on.
pub(super) const SETTLED: Duration = Duration::from_secs(8);

/// Ends of faults lie behind the whole experiment; they are for a validator that has died.
const AT_MOST: Duration = Duration::from_mins(4);

/// Runs the four steps.
pub(super) async fn run(context: &RunContext<'_>, pods: &[String]) -> Result<(), Failure> {
    let stores = context.stores();
    if stores.is_empty() || !context.plan.does(Part::Loss) {
        return Ok(());
    }
    let firsts = firsts(context, &stores, pods.len());
    one_of_each(context, &firsts, pods).await?;
    all_of_all(context, (&stores, &firsts), pods).await?;
    the_other_of_each(context, &firsts, pods).await?;
    recover(context, &stores, pods).await
}

async fn one_of_each(context: &RunContext<'_>, firsts: &[&str], pods: &[String]) -> Result<(), Failure> {
    let least = least(context);
    context.step_log.begin(Step::Loss, least);
    for (number, (pod, store)) in pods.iter().zip(firsts).enumerate() {
        context.faults.set(store, [(pod.as_str(), mode(number))], AT_MOST).await?;
    }
    sleep(least).await;
    // Pods that lack what they need leave; those that promise to go on are watched while they do.
    let leaving = pods.iter().zip(firsts).filter(|(_, store)| needs(context, store));
    let leaving: Vec<&String> = leaving.map(|(pod, _)| pod).collect();
    let gone = |context: &RunContext<'_>| {
        let serving = context.serving();
        leaving.iter().all(|pod| !serving.contains(pod))
    };
    context.wait_for(LOSS_MAX.saturating_sub(least), gone).await;
    context.step_log.end(Step::Loss);
    Ok(())
}

async fn all_of_all(
    context: &RunContext<'_>,
    (stores, firsts): (&[&str], &[&str]),
    pods: &[String],
) -> Result<(), Failure> {
    let blackout = blackout(context.plan, context.circuits().into_iter().map(|(_, circuit)| circuit));
    context.step_log.begin(Step::Blackout, blackout);
    for (number, (pod, lost)) in pods.iter().zip(firsts).enumerate() {
        for store in stores.iter().filter(|store| *store != lost) {
            context.faults.set(store, [(pod.as_str(), mode(number + 1))], AT_MOST).await?;
        }
    }
    sleep(blackout).await;
    context.step_log.end(Step::Blackout);
    Ok(())
}

async fn the_other_of_each(
    context: &RunContext<'_>,
    firsts: &[&str],
    pods: &[String],
) -> Result<(), Failure> {
    context.step_log.begin(Step::Partial, PARTIAL);
    for (pod, store) in pods.iter().zip(firsts) {
        context.faults.clear(store, pod).await?;
    }
    sleep(PARTIAL).await;
    context.step_log.end(Step::Partial);
    Ok(())
}

async fn recover(context: &RunContext<'_>, stores: &[&str], pods: &[String]) -> Result<(), Failure> {
    let circuits = context.circuits();
    let longest = circuits.iter().map(|(_, circuit)| circuit.open_for + circuit.deadline).max();
    let before: Vec<u64> = calls(context, pods);
    // A trial may fail just before everything is back.
    context.step_log.begin(Step::Recovery, circuits.first().map_or(PARTIAL, |(_, circuit)| circuit.open_for));
    for store in stores {
        context.faults.clear_all(store).await?;
    }
    context
        .wait_for(longest.unwrap_or_default() + RECOVERY, |context| {
            let flowing = calls(context, pods).iter().zip(&before).all(|(now, before)| *now >= before + 20);
            flowing && context.all_in()
        })
        .await;
    sleep(Duration::from_secs(3)).await;
    context.step_log.end(Step::Recovery);
    Ok(())
}

/// How long everything is away: longer than the patience of the declared liveness probe, so that whoever restarts for the
/// sake of a dependency does so, until each circuit that is open has let a trial through, and where pods lose what they need only
/// now, until the readiness probe has had to take them out.
pub(super) fn blackout(plan: &Plan, circuits: impl Iterator<Item = Circuit>) -> Duration {
    let patience = |probe: Option<&Probe>| {
        probe.map_or(Duration::ZERO, |probe| Duration::from_secs_f64(probe.out_s()) + BEYOND)
    };
    let restart = patience(plan.target.liveness.as_ref());
    let leave = patience(plan.target.readiness.as_ref().filter(|_| is_needed_later(plan)));
    let trial = circuits.map(|circuit| circuit.open_for + circuit.deadline * 2).max().unwrap_or_default();
    restart.max(leave).max(trial).clamp(BLACKOUT_MIN, BLACKOUT_MAX)
}

/// Whether some pods lose a store that they need only after another one.
fn is_needed_later(plan: &Plan) -> bool {
    let promised = || plan.dependencies.iter().filter(|dependency| dependency.is_promised());
    promised().count() > 1 && promised().any(|dependency| dependency.readiness == Need::Required)
}

/// Calls of each pod at the databases with a breaker, so far.
fn calls(context: &RunContext<'_>, pods: &[String]) -> Vec<u64> {
    let circuits = context.circuits();
    let of = |pod: &String| circuits.iter().map(|(name, _)| context.faults.now(name, pod).calls).sum();
    pods.iter().map(of).collect()
}

/// How long the first loss usually takes: until the readiness probe has taken the pods out.
pub(super) fn about(plan: &Plan) -> Duration {
    let out = plan.target.readiness.as_ref().map_or(0.0, Probe::out_s);
    Duration::from_secs_f64(out.min(LOSS_MAX.as_secs_f64())).clamp(LOSS_MIN, LOSS_MAX)
}

/// How long each pod lacks one dependency at least.
fn least(context: &RunContext<'_>) -> Duration {
    let latest = context.circuits().iter().map(|(_, circuit)| circuit.latest).max();
    let all_leave = context.stores().into_iter().all(|store| needs(context, store));
    match latest {
        Some(latest) if !all_leave => LOSS_MIN.max(latest + WATCHED),
        _ => LOSS_MIN,
    }
}

/// Whether a pod is not ready without it.
fn needs(context: &RunContext<'_>, store: &str) -> bool {
    context.dependencies().any(|d| d.name == store && d.readiness == Need::Required)
}

/// The store that each of so many pods loses first: one of which the file says what readiness makes of it, if there is any.
fn firsts<'s>(context: &RunContext<'_>, stores: &[&'s str], pods: usize) -> Vec<&'s str> {
    let is_promised = |name: &&&str| context.dependencies().any(|d| d.name == **name && d.is_promised());
    let promised: Vec<&'s str> = stores.iter().filter(is_promised).copied().collect();
    let asked = if promised.is_empty() { stores } else { &promised };
    (0..pods).map(|number| asked[first(number, asked.len(), pods)]).collect()
}

/// Which store a pod loses first: the second of two for every third pod, since most of what is asked is about the database that
/// is declared first. Of more stores, or fewer pods, each is to have its turn, as far as there are pods.
fn first(number: usize, stores: usize, pods: usize) -> usize {
    if stores == 2 && pods > 2 { usize::from(number % 3 == 2) } else { number % stores }
}

fn mode(number: usize) -> Fault {
    MODES[number % MODES.len()].clone()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::{blackout, first};
    use crate::config::{Dependency, Need};
    use crate::timeline::tests::header;

    #[test]
    fn who_loses_what_it_needs_only_in_the_blackout_has_the_time_to_leave() {
        let mut plan = header().plan;
        plan.target.liveness = None;
        let alone = blackout(&plan, std::iter::empty());
        assert_eq!(alone, super::BLACKOUT_MIN, "a pod that loses its only store has left before");
        let cache = plan.dependencies[0].clone();
        plan.dependencies.push(Dependency { name: "cache".into(), readiness: Need::Optional, ..cache });
        // Three times every ten seconds, and its time-out.
        assert_eq!(blackout(&plan, std::iter::empty()), Duration::from_secs(31) + super::BEYOND);
    }

    #[test]
    fn each_store_is_lost_alone_by_some_pod_if_there_are_as_many_pods() {
        for stores in 1..5 {
            for pods in 1..8 {
                let lost: BTreeSet<usize> = (0..pods).map(|number| first(number, stores, pods)).collect();
                assert_eq!(lost.len(), stores.min(pods), "{stores} stores, {pods} pods");
            }
        }
        assert_eq!([0, 1, 2].map(|number| first(number, 2, 3)), [0, 0, 1], "two of three lose the database");
    }
}
