//! The seed's story: the database hangs while health pings are still answered. Every pod meets it at once; what
//! comes after, each pod meets on its own.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::sleep;

use super::circuit::Circuit;
use super::stage::Stage;
use super::trials;
use crate::evidence::{Fault, Step, TrialEnd};
use crate::failure::Failure;

/// How long before the first possible trial the agents are told to expect it.
const AHEAD: Duration = Duration::from_millis(1_500);

/// How long the trial's answer is held: long enough for a second call to show itself, below the deadline of a call.
pub(super) fn hold(circuit: &Circuit) -> Duration {
    Duration::from_secs(2).min(circuit.deadline * 2 / 3)
}

/// Hangs the first database with a breaker under load, then sends each pod through its acts.
pub(super) async fn run(stage: &Stage<'_>, pods: &[String]) -> Result<(), Failure> {
    let circuits = stage.circuits();
    let Some((database, circuit)) = circuits.first() else {
        return Ok(());
    };
    let open = (circuit.earliest + circuit.open_for).saturating_sub(AHEAD);
    stage.diary.begin(Step::Hang, open);
    let all = pods.iter().map(|pod| (pod.as_str(), Fault::Hang));
    stage.faults.set(database, all, open + circuit.open_for * 3).await?;
    sleep(open).await;
    stage.diary.end(Step::Hang);

    let acts = trials::casting(pods.len());
    stage.diary.begin(Step::Trials, trials::least(circuit));
    let first = pods.iter().zip(&acts).map(|(pod, acts)| {
        let end = if acts.contains(&trials::Act::FailedTrial) { TrialEnd::GiveUp } else { TrialEnd::Forward };
        (pod.as_str(), Fault::Trial { hold_ms: hold(circuit).as_millis() as u64, end })
    });
    stage.faults.set(database, first, circuit.open_for * 3).await?;
    let playing = pods.iter().zip(&acts).map(|(pod, acts)| trials::play(stage, database, circuit, pod, acts));
    try_join_all(playing).await?;
    stage.faults.clear_all(database).await?;
    stage.diary.end(Step::Trials);
    Ok(())
}
