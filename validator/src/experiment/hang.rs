//! The seed's story: the database hangs while health pings are still answered. Every pod meets it at once; what
//! comes after, each pod meets on its own.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::sleep;

use super::circuit::Circuit;
use super::stage::Stage;
use super::trials::{self, Act};
use crate::evidence::{Fault, Step, TrialEnd};
use crate::failure::Failure;
use crate::platform::Platform;
use crate::progress::Progress;

/// Hangs each dependency with a breaker in turn, under load, and sends each pod through its acts: all of them with
/// the first dependency, only a trial with the others.
/// Without any breaker only the collector is taken away.
pub(super) async fn run(
    stage: &Stage<'_, impl Platform>,
    pods: &[String],
    progress: &mut Progress,
) -> Result<(), Failure> {
    if stage.circuits().is_empty() {
        return without_collector(stage, pods, progress).await;
    }
    for (number, (dependency, circuit)) in stage.circuits().into_iter().enumerate() {
        let pods = if number == 0 { pods.to_vec() } else { stage.serving() };
        let acts =
            if number == 0 { trials::casting(pods.len()) } else { vec![vec![Act::GoodTrial]; pods.len()] };
        sleep(circuit.window + Duration::from_secs(1)).await;
        progress.tell(&format!("{dependency} hangs, health pings are answered: circuits should open"));
        hang(stage, dependency, &circuit, &pods).await?;
        progress.tell("trials: one call each; then hiccups, a restart, the collector gone");
        stage.diary.begin(Step::Trials, trials::least(&circuit));
        each_on_its_own(stage, dependency, &circuit, &pods, &acts).await?;
        stage.diary.end(Step::Trials);
    }
    Ok(())
}

async fn without_collector(
    stage: &Stage<'_, impl Platform>,
    pods: &[String],
    progress: &mut Progress,
) -> Result<(), Failure> {
    let Some(pod) = pods.first().filter(|_| stage.collector().is_some()) else { return Ok(()) };
    progress.tell("the collector is gone for one pod, which is deleted while it is");
    stage.diary.begin(Step::Trials, trials::LEAST_WITHOUT_COLLECTOR);
    trials::no_collector(stage, pod).await?;
    stage.diary.end(Step::Trials);
    Ok(())
}

async fn hang(
    stage: &Stage<'_, impl Platform>,
    dependency: &str,
    circuit: &Circuit,
    pods: &[String],
) -> Result<(), Failure> {
    stage.diary.begin(Step::Hang, circuit.hang);
    let all = pods.iter().map(|pod| (pod.as_str(), Fault::Hang));
    stage.faults.set(dependency, all, circuit.hang + circuit.open_for * 3).await?;
    sleep(circuit.hang).await;
    stage.diary.end(Step::Hang);
    Ok(())
}

async fn each_on_its_own(
    stage: &Stage<'_, impl Platform>,
    dependency: &str,
    circuit: &Circuit,
    pods: &[String],
    acts: &[Vec<Act>],
) -> Result<(), Failure> {
    let first = pods.iter().zip(acts).map(|(pod, acts)| {
        let end = if acts.contains(&Act::FailedTrial) { TrialEnd::GiveUp } else { TrialEnd::Forward };
        (pod.as_str(), Fault::Trial { hold_ms: circuit.hold().as_millis() as u64, end })
    });
    stage.faults.set(dependency, first, circuit.open_for * 3).await?;
    let playing =
        pods.iter().zip(acts).map(|(pod, acts)| trials::play(stage, dependency, circuit, pod, acts));
    try_join_all(playing).await?;
    stage.faults.clear_all(dependency).await
}
