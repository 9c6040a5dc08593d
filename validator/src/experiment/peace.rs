//! What is found out before anything is broken: the service answers, the agents know its health pings, and its
//! connections come through them.

use std::time::Duration;

use tokio::time::sleep;

use super::answers;
use super::stage::Stage;
use crate::cluster::Agents;
use crate::evidence::Step;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::progress::Progress;

/// Load on the version as found, before anything is touched; and load through the agents, to compare.
pub(super) const QUIET: Duration = Duration::from_secs(10);

/// What was sent before a pause may take this long to be done with, writes off the request path included.
const SETTLE: Duration = Duration::from_millis(1_500);

/// Long enough for a ping of every loop that pings at least once in 5 s, and of every readiness probe that does.
const LEARNING: Duration = Duration::from_secs(6);

/// What exports now and then may open its connection later than the rest.
const LATE: Duration = Duration::from_secs(5);

/// Learns the pings, and measures through the agents.
///
/// # Errors
/// Exit 3 when a pod has no connection at the agent of a dependency (GL-E108): there is nothing that could be broken in
/// front of it.
pub(super) async fn run(stage: &Stage<'_>, progress: &mut Progress) -> Result<(), Failure> {
    if stage.dependencies().next().is_some() {
        progress.tell("learning the health pings: no load for some seconds");
        learn(stage).await?;
    }
    progress.tell(&format!("quiet phase of {} s under load, through the agents", QUIET.as_secs()));
    stage.diary.begin(Step::Quiet, QUIET);
    sleep(QUIET).await;
    stage.diary.end(Step::Quiet);
    stage.wait_for(LATE, |stage| unseen(stage).is_none()).await;
    match unseen(stage) {
        Some(what) => Err(Failure::environment(what).hint(
            "let the target connect by the declared name: an address, an SRV record or a resolver that skips /etc/hosts \
             passes the agents by, and so does a NetworkPolicy that keeps it from them",
        )),
        None => Ok(()),
    }
}

/// Whether the version as found answers what it is asked.
///
/// # Errors
/// Exit 3 with what it said instead (GL-E105).
pub(super) async fn answered(agents: &Agents, plan: &Plan) -> Result<(), Failure> {
    let (facts, least) = (agents.evidence().await?, plan.policy.min_baseline_share);
    answers::trouble(&facts, &plan.traffic.requests, least).map_or(Ok(()), Err)
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

/// A pod that no agent has seen, if there is one.
fn unseen(stage: &Stage<'_>) -> Option<String> {
    let pods = stage.serving();
    if pods.is_empty() {
        return Some("no pod was Ready in the quiet phase".to_owned());
    }
    stage.dependencies().find_map(|dependency| {
        let now = stage.middle.status(&dependency.name);
        let seen = |pod: &&String| {
            now.pods.get(*pod).is_some_and(|pod| u64::from(pod.open) + pod.calls + pod.pings > 0)
        };
        let unseen = pods.iter().find(|pod| !seen(pod))?;
        let (name, upstream) = (&dependency.name, &dependency.upstream);
        Some(format!("{unseen} had no connection to {name} ({upstream}) through its agent"))
    })
}
