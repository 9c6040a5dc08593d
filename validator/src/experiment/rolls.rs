//! Two rolls under load: the first shows how the old version drains and brings the candidate behind the agents, the
//! second shows the candidate's own end.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::QUIET;
use super::hang::hold;
use super::stage::Stage;
use crate::cluster::{Candidate, RollEnd, Rollout};
use crate::evidence::{Fault, Step};
use crate::failure::Failure;
use crate::progress::Progress;

/// Load after the last old pod is gone: twice the slowest propagation measured in a roll (1.3 s), rounded up.
const TAIL: Duration = Duration::from_secs(4);

/// What was sent before a pause may take this long to be done with, writes off the request path included.
const SETTLE: Duration = Duration::from_millis(1_500);

/// Long enough for a ping of every loop that pings at least once in 5 s, and of every readiness probe that does.
const LEARNING: Duration = Duration::from_secs(6);

/// Statements held of one pod at a time in the second roll: every SIGTERM meets some.
const HELD_AT_ONCE: u32 = 2;

/// Faults of the second roll outlive it; they end with the pods, or when they are cleared.
const ROLL_AT_MOST: Duration = Duration::from_mins(15);

/// Rolls twice; says whether the candidate runs and can be experimented on.
pub(super) async fn run(
    stage: &Stage<'_>,
    candidate: &Candidate,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<bool, Failure> {
    let mut rollout = Rollout::prepare(stage.cluster, stage.target, stage.pods.clone()).await?;
    if !roll(stage, &mut rollout, Step::Roll1, candidate, deadline, progress).await? {
        return Ok(false);
    }
    progress.tell("learning the health pings: no load for some seconds");
    learn(stage).await?;
    progress.tell(&format!("quiet phase of {} s under load, through the agents", QUIET.as_secs()));
    stage.diary.begin(Step::Quiet, QUIET);
    sleep(QUIET).await;
    stage.diary.end(Step::Quiet);

    hold_some(stage).await?;
    let complete = tokio::select! {
        rolled = roll(stage, &mut rollout, Step::Roll2, &Candidate::Restart, deadline, progress) => rolled?,
        failed = keep_cold(stage) => return failed,
    };
    for dependency in stage.circuits().into_iter().map(|(name, _)| name).chain(stage.caches()) {
        stage.faults.clear_all(dependency).await?;
    }
    if !complete {
        return Ok(false);
    }
    stage.diary.begin(Step::Tail, TAIL);
    sleep(TAIL).await;
    stage.diary.end(Step::Tail);
    Ok(true)
}

async fn roll(
    stage: &Stage<'_>,
    rollout: &mut Rollout,
    step: Step,
    candidate: &Candidate,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<bool, Failure> {
    stage.diary.begin(step, stage.target.least_roll);
    let told = |gone: usize, all: usize| {
        progress.tell(&format!("{}: {gone} of {all} old pods replaced and gone", step.name()));
    };
    match rollout.roll(candidate, deadline, told).await? {
        RollEnd::Complete => {
            stage.diary.end(step);
            Ok(true)
        }
        RollEnd::Stuck(reason) => {
            stage.diary.end_early(step, reason);
            Ok(false)
        }
        RollEnd::Unpullable(reason) => Err(unpullable(&reason)),
    }
}

async fn learn(stage: &Stage<'_>) -> Result<(), Failure> {
    stage.diary.begin(Step::Learning, SETTLE + LEARNING);
    stage.agents.pause(SETTLE + LEARNING).await?;
    sleep(SETTLE).await;
    stage.middle.learn(true).await?;
    sleep(LEARNING.saturating_sub(Duration::from_millis(500))).await;
    stage.middle.learn(false).await?;
    sleep(Duration::from_millis(500)).await;
    stage.diary.end(Step::Learning);
    Ok(())
}

/// Holds some answers of every pod that is about to be replaced, so that each has calls in flight when it is told to
/// end.
async fn hold_some(stage: &Stage<'_>) -> Result<(), Failure> {
    let pods = stage.serving();
    for (database, circuit) in stage.circuits() {
        let hold_ms = hold(&circuit).as_millis() as u64;
        let each = pods.iter().map(|pod| (pod.as_str(), Fault::Hold { hold_ms, at_most: HELD_AT_ONCE }));
        stage.faults.set(database, each, ROLL_AT_MOST).await?;
    }
    Ok(())
}

/// Lets every read of a cache miss, for the pods there are and for those that come: a deploy with a cold cache.
/// Ends only when an order fails.
async fn keep_cold(stage: &Stage<'_>) -> Result<bool, Failure> {
    let mut cold = BTreeSet::new();
    let mut pods = stage.pods.clone();
    loop {
        let new: Vec<String> =
            pods.borrow_and_update().keys().filter(|pod| !cold.contains(*pod)).cloned().collect();
        for cache in stage.caches().into_iter().filter(|_| !new.is_empty()) {
            let each = new.iter().map(|pod| (pod.as_str(), Fault::Miss));
            stage.faults.set(cache, each, ROLL_AT_MOST).await?;
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
