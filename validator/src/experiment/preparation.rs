//! What is found out before anything is broken: the service answers, the agents know its health pings, and its
//! connections come through them.

use std::time::Duration;

use tokio::time::sleep;

use super::answers;
use super::context::RunContext;
use crate::events::Events;
use crate::evidence::{Fact, Step};
use crate::failure::Failure;
use crate::plan::{Place, Plan};
use crate::steer::Agents;

/// Load on the version as found, before anything is touched; and load through the agents, to compare.
pub(super) const QUIET: Duration = Duration::from_secs(10);

/// What was sent before a pause may take this long to be done with, writes off the request path included.
pub(super) const SETTLE: Duration = Duration::from_millis(1_500);

/// Long enough for a ping of every loop that pings at least once in 5 s, and of every readiness probe that does.
pub(super) const LEARNING: Duration = Duration::from_secs(6);

/// What exports now and then may open its connection later than the rest.
const LATE: Duration = Duration::from_secs(5);

/// Learns the pings, and measures through the agents.
///
/// # Errors
/// Exit 3 when no agent has seen the target: whatever was broken would be broken in front of nobody. Where only some
/// dependencies were not reached through their agents the run goes on, and GL-E108 says which.
pub(super) async fn run(context: &RunContext<'_>, events: &Events) -> Result<(), Failure> {
    if context.dependencies().next().is_some() {
        events.tell("learning the health pings: no load for some seconds");
        learn(context).await?;
    }
    events.tell(format!("quiet phase of {} s under load, through the agents", QUIET.as_secs()));
    // Each pod is met, however the Service spreads: one that nobody asks anything connects to nothing.
    context.meet(&context.serving()).await?;
    context.step_log.begin(Step::Quiet, QUIET);
    sleep(QUIET).await;
    context.step_log.end(Step::Quiet);
    if context.dependencies().next().is_none() || context.wait_for(LATE, RunContext::is_seen).await {
        return Ok(());
    }
    Err(unseen(context.plan))
}

/// Nothing of the target comes through an agent.
pub(super) fn unseen(plan: &Plan) -> Failure {
    let hint = match plan.place {
        Place::Cluster => {
            "let the target connect by the declared names: an address, an SRV record or a resolver that skips /etc/hosts \
             passes the agents by, and so does a NetworkPolicy that keeps it from them"
        }
        Place::Machine => {
            "let the program read the variables that are declared for its dependencies: a file of its own (.env), or another \
             name, passes the agents by; what it said is in golive-out"
        }
    };
    Failure::environment("no pod had a connection to any declared dependency through its agent").hint(hint)
}

/// Whether the version as found answers what it is asked. Gives what the load agents saw.
///
/// # Errors
/// Exit 3 with what it said instead (GL-E105).
pub(super) async fn answered(agents: &Agents, plan: &Plan) -> Result<Vec<Fact>, Failure> {
    let (facts, least) = (agents.evidence().await?, plan.limits().min_baseline_share);
    answers::trouble(&facts, &plan.traffic.requests, least).map_or(Ok(facts), Err)
}

async fn learn(context: &RunContext<'_>) -> Result<(), Failure> {
    let settle = SETTLE.max(context.usual.longest);
    context.step_log.begin(Step::Learning, settle + LEARNING);
    context.agents.pause(settle + LEARNING).await?;
    sleep(settle).await;
    context.middle.learn(true).await?;
    sleep(LEARNING.saturating_sub(Duration::from_millis(500))).await;
    context.middle.learn(false).await?;
    sleep(Duration::from_millis(500)).await;
    context.step_log.end(Step::Learning);
    Ok(())
}
