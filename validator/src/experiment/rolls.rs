//! Two rolls under load: in, which shows how the old version drains and brings the candidate behind the agents, to a
//! cold cache; and out, which shows the candidate's own end.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep};

use super::context::RunContext;
use super::preparation;
use crate::events::Events;
use crate::evidence::{Fault, Step, StepTrouble};
use crate::failure::Failure;
use crate::platform::Roll;
use crate::steer::{PodTable, RollEnd, Stays};

/// Load after the last old pod is gone: twice the slowest propagation measured in a roll (1.3 s), rounded up.
const TAIL: Duration = Duration::from_secs(4);

/// Statements held of one pod at a time in the roll out: every SIGTERM meets some.
const HELD_AT_ONCE: u32 = 2;

/// What may be held of a pod's connections: the others go on serving.
const HELD_PART: u32 = 4;

/// What a pod begins later than this after its SIGTERM is not held any more: with the hold itself (2 s) it is done within
/// the least that a drain lasts, 5 s.
const HELD_AFTER: Duration = Duration::from_secs(3);

/// Faults of a roll may outlive it; they end with the pods, or when they are cleared.
const ROLL_AT_MOST: Duration = Duration::from_mins(15);

/// Requests past the Service before the first pod is told to end: what it has batched until then is at stake.
pub(super) const BEFORE: Duration = Duration::from_secs(5);

/// Brings the candidate; says whether it runs and can be experimented on.
pub(super) async fn roll_in(
    context: &RunContext<'_>,
    rollout: &impl Roll,
    deadline: Instant,
    events: &Events,
) -> Result<bool, Failure> {
    context.step_log.begin(Step::RollIn, context.target.least_roll);
    let told = |gone: usize, all: usize| events.tell(count(Step::RollIn, gone, all));
    let rolled = tokio::select! {
        rolled = rollout.roll_in(deadline, told) => rolled?,
        failed = keep_cold(context) => return Err(failed),
    };
    for cache in context.caches() {
        context.faults.clear_all(cache).await?;
    }
    // Pods that no agent has seen may not start because we keep them from their dependencies.
    if let RollEnd::Stuck(reason) = &rolled
        && context.dependencies().next().is_some()
        && !context.is_led_seen()
    {
        return Err(preparation::unseen(context.plan).about(reason));
    }
    ended(context, Step::RollIn, rolled)
}

/// Brings the template that stays, and asks the pods that leave until they are gone.
pub(super) async fn roll_out(
    context: &RunContext<'_>,
    rollout: &impl Roll,
    stays: Stays,
    deadline: Instant,
    events: &Events,
) -> Result<bool, Failure> {
    context.step_log.begin(Step::RollOut, BEFORE + context.target.least_roll);
    let leaving = context.serving();
    context.direct_to_the_end(&leaving).await?;
    sleep(BEFORE).await;
    hold_some(context, &leaving).await?;
    let told = |gone: usize, all: usize| events.tell(count(Step::RollOut, gone, all));
    let rolled = tokio::select! {
        rolled = rollout.roll_out(stays, deadline, told) => rolled?,
        failed = follow(context, &leaving) => return Err(failed),
        Err(failed) = try_join_all(leaving.iter().map(|pod| release(context, pod))) => return Err(failed),
    };
    for (database, _) in context.circuits() {
        context.faults.clear_all(database).await?;
    }
    context.direct(&[]).await?;
    if !ended(context, Step::RollOut, rolled)? {
        return Ok(false);
    }
    context.step_log.begin(Step::Tail, TAIL);
    sleep(TAIL).await;
    context.step_log.end(Step::Tail);
    Ok(true)
}

fn count(step: Step, gone: usize, all: usize) -> String {
    format!("{}: {gone} of {all} old pods replaced and gone", step.name())
}

/// Says whether the roll is complete.
fn ended(context: &RunContext<'_>, step: Step, rolled: RollEnd) -> Result<bool, Failure> {
    let complete = rolled == RollEnd::Complete;
    match rolled {
        RollEnd::Complete => context.step_log.end(step),
        RollEnd::Stuck(reason) => context.step_log.end_early(step, StepTrouble::Stuck(reason)),
        RollEnd::OutOfTime(left) => context.step_log.end_early(step, StepTrouble::OutOfTime(left)),
        RollEnd::Unpullable(reason) => return Err(unpullable(&reason)),
    }
    Ok(complete)
}

/// Holds some answers of every pod that is about to be replaced, so that each has calls in flight when it is told to
/// end; none of a pod that has too few connections to spare one.
async fn hold_some(context: &RunContext<'_>, leaving: &[String]) -> Result<(), Failure> {
    for (database, circuit) in context.circuits() {
        let hold_ms = circuit.hold().as_millis() as u64;
        let spare = |pod: &String| HELD_AT_ONCE.min(context.faults.now(database, pod).open / HELD_PART);
        let each = leaving.iter().map(|pod| (pod.as_str(), spare(pod))).filter(|(_, spare)| *spare > 0);
        let each = each.map(|(pod, at_most)| (pod, Fault::Hold { hold_ms, at_most }));
        context.faults.set(database, each, ROLL_AT_MOST).await?;
    }
    Ok(())
}

/// Ends the holds of a pod soon after its SIGTERM, if it comes when the template says: a statement that began late in the
/// drain would outlast it by our doing.
async fn release(context: &RunContext<'_>, pod: &String) -> Result<(), Failure> {
    let mut pods = context.pods.clone();
    let leaves = |table: &PodTable| table.get(pod).is_none_or(|brief| brief.leaving);
    if pods.wait_for(leaves).await.is_err() {
        return Ok(());
    }
    sleep(context.plan.target.pre_stop.declared() + HELD_AFTER).await;
    for (database, _) in context.circuits() {
        context.faults.clear(database, pod).await?;
    }
    Ok(())
}

/// Keeps asking those that are still there. Ends only when an agent does not take the list.
async fn follow(context: &RunContext<'_>, leaving: &[String]) -> Failure {
    let mut pods = context.pods.clone();
    let mut asked = leaving.to_vec();
    loop {
        let there: Vec<String> = {
            let table = pods.borrow_and_update();
            leaving.iter().filter(|pod| table.contains_key(*pod)).cloned().collect()
        };
        if there != asked {
            if let Err(failure) = context.direct_to_the_end(&there).await {
                return failure;
            }
            asked = there;
        }
        if pods.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Lets every read of a cache miss, for the pods of the candidate as they come: a deploy with a cold cache. Ends only
/// when an order fails.
async fn keep_cold(context: &RunContext<'_>) -> Failure {
    let mut cold = BTreeSet::new();
    let mut pods = context.pods.clone();
    loop {
        let new: Vec<String> = {
            let table = pods.borrow_and_update();
            let led = table.iter().filter(|(pod, brief)| brief.led && !cold.contains(*pod));
            led.map(|(pod, _)| pod.clone()).collect()
        };
        for cache in context.caches().into_iter().filter(|_| !new.is_empty()) {
            let each = new.iter().map(|pod| (pod.as_str(), Fault::Miss));
            if let Err(failure) = context.faults.set(cache, each, ROLL_AT_MOST).await {
                return failure;
            }
        }
        cold.extend(new);
        if pods.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

fn unpullable(reason: &str) -> Failure {
    Failure::environment(format!("the candidate cannot be started: {reason}"))
        .hint("check the name and tag of --image, and that the nodes may pull it; in kind: `kind load docker-image`")
}
