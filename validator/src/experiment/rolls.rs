//! Two rolls under load: in, which shows how the old version drains and brings the candidate behind the agents, to a
//! cold cache; and out, which shows the candidate's own end.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep};

use super::peace;
use super::stage::Stage;
use crate::cluster::{PodTable, RollEnd, Stays};
use crate::evidence::{Fault, Step, StepTrouble};
use crate::failure::Failure;
use crate::plan::PreStop;
use crate::progress::Progress;

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
const BEFORE: Duration = Duration::from_secs(5);

/// Brings the candidate; says whether it runs and can be experimented on.
pub(super) async fn roll_in(
    stage: &Stage<'_>,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<bool, Failure> {
    stage.diary.begin(Step::RollIn, stage.target.least_roll);
    let told = |gone: usize, all: usize| progress.tell(&count(Step::RollIn, gone, all));
    let rolled = tokio::select! {
        rolled = stage.rollout.roll_in(deadline, told) => rolled?,
        failed = keep_cold(stage) => return Err(failed),
    };
    for cache in stage.caches() {
        stage.faults.clear_all(cache).await?;
    }
    // Pods that no agent has seen may not start because we keep them from their dependencies.
    if let RollEnd::Stuck(reason) = &rolled
        && stage.dependencies().next().is_some()
        && !stage.is_led_seen()
    {
        return Err(peace::unseen().about(reason));
    }
    ended(stage, Step::RollIn, rolled)
}

/// Brings the template that stays, and asks the pods that leave until they are gone.
pub(super) async fn roll_out(
    stage: &Stage<'_>,
    stays: Stays,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<bool, Failure> {
    stage.diary.begin(Step::RollOut, BEFORE + stage.target.least_roll);
    let leaving = stage.serving();
    stage.direct_to_the_end(&leaving).await?;
    sleep(BEFORE).await;
    hold_some(stage, &leaving).await?;
    let told = |gone: usize, all: usize| progress.tell(&count(Step::RollOut, gone, all));
    let rolled = tokio::select! {
        rolled = stage.rollout.roll_out(stays, deadline, told) => rolled?,
        failed = follow(stage, &leaving) => return Err(failed),
        Err(failed) = try_join_all(leaving.iter().map(|pod| release(stage, pod))) => return Err(failed),
    };
    for (database, _) in stage.circuits() {
        stage.faults.clear_all(database).await?;
    }
    stage.direct(&[]).await?;
    if !ended(stage, Step::RollOut, rolled)? {
        return Ok(false);
    }
    stage.diary.begin(Step::Tail, TAIL);
    sleep(TAIL).await;
    stage.diary.end(Step::Tail);
    Ok(true)
}

fn count(step: Step, gone: usize, all: usize) -> String {
    format!("{}: {gone} of {all} old pods replaced and gone", step.name())
}

/// Says whether the roll is complete.
fn ended(stage: &Stage<'_>, step: Step, rolled: RollEnd) -> Result<bool, Failure> {
    let complete = rolled == RollEnd::Complete;
    match rolled {
        RollEnd::Complete => stage.diary.end(step),
        RollEnd::Stuck(reason) => stage.diary.end_early(step, StepTrouble::Stuck(reason)),
        RollEnd::OutOfTime(left) => stage.diary.end_early(step, StepTrouble::OutOfTime(left)),
        RollEnd::Unpullable(reason) => return Err(unpullable(&reason)),
    }
    Ok(complete)
}

/// Holds some answers of every pod that is about to be replaced, so that each has calls in flight when it is told to
/// end; none of a pod that has too few connections to spare one.
async fn hold_some(stage: &Stage<'_>, leaving: &[String]) -> Result<(), Failure> {
    for (database, circuit) in stage.circuits() {
        let hold_ms = circuit.hold().as_millis() as u64;
        let spare = |pod: &String| HELD_AT_ONCE.min(stage.faults.now(database, pod).open / HELD_PART);
        let each = leaving.iter().map(|pod| (pod.as_str(), spare(pod))).filter(|(_, spare)| *spare > 0);
        let each = each.map(|(pod, at_most)| (pod, Fault::Hold { hold_ms, at_most }));
        stage.faults.set(database, each, ROLL_AT_MOST).await?;
    }
    Ok(())
}

/// Ends the holds of a pod soon after its SIGTERM, if it comes when the template says: a statement that began late in the
/// drain would outlast it by our doing.
async fn release(stage: &Stage<'_>, pod: &String) -> Result<(), Failure> {
    let mut pods = stage.pods.clone();
    let leaves = |table: &PodTable| table.get(pod).is_none_or(|brief| brief.leaving);
    if pods.wait_for(leaves).await.is_err() {
        return Ok(());
    }
    let hook = if let PreStop::Sleep(seconds) = stage.plan.target.pre_stop { seconds } else { 0 };
    sleep(Duration::from_secs(hook.into()) + HELD_AFTER).await;
    for (database, _) in stage.circuits() {
        stage.faults.clear(database, pod).await?;
    }
    Ok(())
}

/// Keeps asking those that are still there. Ends only when an agent does not take the list.
async fn follow(stage: &Stage<'_>, leaving: &[String]) -> Failure {
    let mut pods = stage.pods.clone();
    let mut asked = leaving.to_vec();
    loop {
        let there: Vec<String> = {
            let table = pods.borrow_and_update();
            leaving.iter().filter(|pod| table.contains_key(*pod)).cloned().collect()
        };
        if there != asked {
            if let Err(failure) = stage.direct_to_the_end(&there).await {
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
async fn keep_cold(stage: &Stage<'_>) -> Failure {
    let mut cold = BTreeSet::new();
    let mut pods = stage.pods.clone();
    loop {
        let new: Vec<String> = {
            let table = pods.borrow_and_update();
            let led = table.iter().filter(|(pod, brief)| brief.led && !cold.contains(*pod));
            led.map(|(pod, _)| pod.clone()).collect()
        };
        for cache in stage.caches().into_iter().filter(|_| !new.is_empty()) {
            let each = new.iter().map(|pod| (pod.as_str(), Fault::Miss));
            if let Err(failure) = stage.faults.set(cache, each, ROLL_AT_MOST).await {
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
