//! What each pod goes through on its own, side by side with the others.

use std::time::Duration;

use tokio::time::sleep;

use super::circuit::Circuit;
use super::stage::Stage;
use crate::evidence::{Fault, TrialEnd};
use crate::failure::Failure;
use crate::platform::Platform;

/// Hiccups of the network: the last one is as long as some fail-overs.
const HICCUPS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];

/// How long a database is away when it is restarted.
const RESTART: Duration = Duration::from_secs(2);

/// Load on a pod alone before its collector is taken away, to compare with.
const BEFORE: Duration = Duration::from_secs(5);

/// Load without the collector before a pod has to end without it.
const WITHOUT_COLLECTOR: Duration = Duration::from_secs(8);

/// How long it takes at least to see a pod live and end without its collector.
pub(super) const LEAST_WITHOUT_COLLECTOR: Duration = BEFORE.saturating_add(WITHOUT_COLLECTOR);

/// How long a pod and its replacement may take together, grace period aside.
const REPLACEMENT: Duration = Duration::from_mins(1);

/// One thing that happens to one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The trial call hangs until its caller gives up; the next one, an open time later, is answered.
    FailedTrial,
    /// The trial call is held and then answered.
    GoodTrial,
    /// Short stalls of the database's network.
    Hiccups,
    /// The database is away for as long as a restart takes.
    Restart,
    /// The collector is gone, and the pod is deleted while it is.
    NoCollector,
}

/// Which pod goes through what. Acts that do not fit side by side come one after the other.
pub(super) fn casting(pods: usize) -> Vec<Vec<Act>> {
    use Act::{FailedTrial, GoodTrial, Hiccups, NoCollector, Restart};
    let mut cast = match pods {
        0 => Vec::new(),
        1 => vec![vec![FailedTrial, Restart, Hiccups, NoCollector]],
        2 => vec![vec![FailedTrial, Restart, Hiccups], vec![GoodTrial, NoCollector]],
        _ => vec![vec![FailedTrial, Restart], vec![GoodTrial, Hiccups], vec![GoodTrial, NoCollector]],
    };
    cast.resize(pods, vec![GoodTrial]);
    cast
}

/// How long the acts of three pods take at least: the longest is two open times, or the hiccups.
pub(super) fn least(circuit: &Circuit) -> Duration {
    let pause = circuit.window + Duration::from_secs(2);
    let failed = circuit.deadline + circuit.open_for + circuit.hold() + pause + RESTART;
    let hiccups = circuit.hold() + pause * 3 + HICCUPS.iter().sum::<Duration>();
    failed.max(hiccups)
}

/// Sends one pod through its acts.
pub(super) async fn play(
    stage: &Stage<'_, impl Platform>,
    database: &str,
    circuit: &Circuit,
    pod: &str,
    acts: &[Act],
) -> Result<(), Failure> {
    for act in acts {
        match act {
            Act::FailedTrial => failed_trial(stage, database, circuit, pod).await?,
            Act::GoodTrial => good_trial(stage, database, circuit, pod).await,
            Act::Hiccups => hiccups(stage, database, circuit, pod).await?,
            Act::Restart => restart(stage, database, circuit, pod).await?,
            Act::NoCollector => no_collector(stage, pod).await?,
        }
    }
    Ok(())
}

/// The order was given with those of the other pods; here it is waited for.
async fn good_trial(stage: &Stage<'_, impl Platform>, database: &str, circuit: &Circuit, pod: &str) {
    stage.faults.trial_over(database, pod, patience(circuit)).await;
}

async fn failed_trial(
    stage: &Stage<'_, impl Platform>,
    database: &str,
    circuit: &Circuit,
    pod: &str,
) -> Result<(), Failure> {
    stage.faults.trial_over(database, pod, patience(circuit)).await;
    sleep(circuit.open_for.saturating_sub(Duration::from_secs(2))).await;
    let fault = Fault::Trial { hold_ms: circuit.hold().as_millis() as u64, end: TrialEnd::Forward };
    stage.faults.set(database, [(pod, fault)], circuit.open_for * 3).await?;
    stage.faults.trial_over(database, pod, patience(circuit)).await;
    Ok(())
}

/// From the order on, a trial comes within this time if it comes at all.
fn patience(circuit: &Circuit) -> Duration {
    circuit.latest.saturating_sub(circuit.earliest) + circuit.deadline + Duration::from_secs(7)
}

async fn hiccups(
    stage: &Stage<'_, impl Platform>,
    database: &str,
    circuit: &Circuit,
    pod: &str,
) -> Result<(), Failure> {
    for hiccup in HICCUPS {
        // What happened before must have left the window.
        sleep(circuit.window + Duration::from_secs(2)).await;
        stage.faults.set(database, [(pod, Fault::Stall)], hiccup).await?;
        sleep(hiccup).await;
    }
    closed_again(stage, database, circuit, pod).await;
    Ok(())
}

async fn restart(
    stage: &Stage<'_, impl Platform>,
    database: &str,
    circuit: &Circuit,
    pod: &str,
) -> Result<(), Failure> {
    sleep(circuit.window + Duration::from_secs(2)).await;
    stage.faults.set(database, [(pod, Fault::Refuse)], RESTART).await?;
    sleep(RESTART).await;
    closed_again(stage, database, circuit, pod).await;
    Ok(())
}

/// Waits until calls flow, and long enough to see that they go on.
async fn closed_again(stage: &Stage<'_, impl Platform>, database: &str, circuit: &Circuit, pod: &str) {
    sleep(Duration::from_secs(3)).await;
    stage.faults.calls_again(database, pod, circuit.open_for + patience(circuit)).await;
}

pub(super) async fn no_collector(stage: &Stage<'_, impl Platform>, pod: &str) -> Result<(), Failure> {
    let Some(collector) = stage.collector() else { return Ok(()) };
    sleep(BEFORE).await;
    stage.faults.set(collector, [(pod, Fault::Refuse)], WITHOUT_COLLECTOR + REPLACEMENT * 2).await?;
    sleep(WITHOUT_COLLECTOR).await;
    stage.platform.delete(pod).await?;
    stage.wait_for(REPLACEMENT * 2, |stage| !stage.pods.borrow().contains_key(pod) && stage.all_in()).await;
    stage.faults.clear(collector, pod).await?;
    stage.direct(&stage.serving()).await
}

#[cfg(test)]
mod tests {
    use super::{Act, casting};

    #[test]
    fn every_act_is_played_however_few_pods_there_are() {
        for pods in 1..6 {
            let cast = casting(pods);
            assert_eq!(cast.len(), pods);
            for act in [Act::FailedTrial, Act::Hiccups, Act::Restart, Act::NoCollector] {
                assert_eq!(
                    cast.iter().flatten().filter(|played| **played == act).count(),
                    1,
                    "{act:?}, {pods} pods"
                );
            }
            let trial = |acts: &Vec<Act>| matches!(acts[0], Act::FailedTrial | Act::GoodTrial);
            assert!(cast.iter().all(trial), "each pod begins with its trial");
        }
        assert!(casting(0).is_empty());
    }
}
