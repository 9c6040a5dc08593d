//! What each pod goes through on its own, side by side with the others.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use super::circuit::Circuit;
use super::context::RunContext;
use crate::evidence::{Fault, TrialEnd};
use crate::failure::Failure;
use crate::plan::Part;

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
pub(super) enum Injection {
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

impl Injection {
    /// The part of the experiment that it belongs to.
    fn part(self) -> Part {
        match self {
            Self::FailedTrial => Part::FailedTrial,
            Self::GoodTrial => Part::Hang,
            Self::Hiccups | Self::Restart => Part::Hiccups,
            Self::NoCollector => Part::Collector,
        }
    }

    /// How long it takes at least.
    fn least(self, circuit: &Circuit) -> Duration {
        let pause = circuit.window + Duration::from_secs(2);
        match self {
            Self::FailedTrial => circuit.deadline + circuit.open_for + circuit.hold(),
            Self::GoodTrial => circuit.hold(),
            Self::Hiccups => pause * 3 + HICCUPS.iter().sum::<Duration>(),
            Self::Restart => pause + RESTART,
            Self::NoCollector => LEAST_WITHOUT_COLLECTOR,
        }
    }
}

/// Which pod goes through what of these parts; each begins with a trial, since its circuit is open. What does not fit side by
/// side comes one after the other.
pub(super) fn assignment(pods: usize, parts: &BTreeSet<Part>) -> Vec<Vec<Injection>> {
    let mut assigned = all(pods);
    for injections in &mut assigned {
        injections.retain(|injection| parts.contains(&injection.part()));
        if !matches!(injections.first(), Some(Injection::FailedTrial | Injection::GoodTrial)) {
            injections.insert(0, Injection::GoodTrial);
        }
    }
    assigned
}

fn all(pods: usize) -> Vec<Vec<Injection>> {
    use Injection::{FailedTrial, GoodTrial, Hiccups, NoCollector, Restart};
    let mut assigned = match pods {
        0 => Vec::new(),
        1 => vec![vec![FailedTrial, Restart, Hiccups, NoCollector]],
        2 => vec![vec![FailedTrial, Restart, Hiccups], vec![GoodTrial, NoCollector]],
        _ => vec![vec![FailedTrial, Restart], vec![GoodTrial, Hiccups], vec![GoodTrial, NoCollector]],
    };
    assigned.resize(pods, vec![GoodTrial]);
    assigned
}

/// How long the injections of one part take at least, on one pod.
pub(super) fn least_of(circuit: &Circuit, part: Part) -> Duration {
    let injections = all(1).concat().into_iter().filter(|one| one.part() == part);
    injections.map(|one| one.least(circuit)).sum()
}

/// How long these take at least: as long as those of the pod that has most to go through.
pub(super) fn least(circuit: &Circuit, assigned: &[Vec<Injection>]) -> Duration {
    let of = |injections: &Vec<Injection>| injections.iter().map(|one| one.least(circuit)).sum();
    assigned.iter().map(of).max().unwrap_or_default()
}

/// Sends one pod through its injections.
pub(super) async fn apply(
    context: &RunContext<'_>,
    database: &str,
    circuit: &Circuit,
    pod: &str,
    injections: &[Injection],
) -> Result<(), Failure> {
    for injection in injections {
        match injection {
            Injection::FailedTrial => failed_trial(context, database, circuit, pod).await?,
            Injection::GoodTrial => good_trial(context, database, circuit, pod).await,
            Injection::Hiccups => hiccups(context, database, circuit, pod).await?,
            Injection::Restart => restart(context, database, circuit, pod).await?,
            Injection::NoCollector => no_collector(context, pod).await?,
        }
    }
    Ok(())
}

/// The order was given with those of the other pods; here it is waited for.
async fn good_trial(context: &RunContext<'_>, database: &str, circuit: &Circuit, pod: &str) {
    context.faults.trial_over(database, pod, circuit.patience()).await;
}

async fn failed_trial(
    context: &RunContext<'_>,
    database: &str,
    circuit: &Circuit,
    pod: &str,
) -> Result<(), Failure> {
    context.faults.trial_over(database, pod, circuit.patience()).await;
    sleep(circuit.open_for.saturating_sub(Duration::from_secs(2))).await;
    let fault = Fault::Trial { hold_ms: circuit.hold().as_millis() as u64, end: TrialEnd::Forward };
    context.faults.set(database, [(pod, fault)], circuit.open_for * 3).await?;
    context.faults.trial_over(database, pod, circuit.patience()).await;
    Ok(())
}

async fn hiccups(
    context: &RunContext<'_>,
    database: &str,
    circuit: &Circuit,
    pod: &str,
) -> Result<(), Failure> {
    for hiccup in HICCUPS {
        // What happened before must have left the window.
        sleep(circuit.window + Duration::from_secs(2)).await;
        context.faults.set(database, [(pod, Fault::Stall)], hiccup).await?;
        sleep(hiccup).await;
    }
    closed_again(context, database, circuit, pod).await;
    Ok(())
}

async fn restart(
    context: &RunContext<'_>,
    database: &str,
    circuit: &Circuit,
    pod: &str,
) -> Result<(), Failure> {
    sleep(circuit.window + Duration::from_secs(2)).await;
    context.faults.set(database, [(pod, Fault::Refuse)], RESTART).await?;
    sleep(RESTART).await;
    closed_again(context, database, circuit, pod).await;
    Ok(())
}

/// Waits until calls flow, and long enough to see that they go on.
async fn closed_again(context: &RunContext<'_>, database: &str, circuit: &Circuit, pod: &str) {
    sleep(Duration::from_secs(3)).await;
    context.faults.calls_again(database, pod, circuit.open_for + circuit.patience()).await;
}

pub(super) async fn no_collector(context: &RunContext<'_>, pod: &str) -> Result<(), Failure> {
    let Some(collector) = context.collector() else { return Ok(()) };
    sleep(BEFORE).await;
    context.faults.set(collector, [(pod, Fault::Refuse)], WITHOUT_COLLECTOR + REPLACEMENT * 2).await?;
    sleep(WITHOUT_COLLECTOR).await;
    context.platform.delete_pod(pod).await?;
    context
        .wait_for(REPLACEMENT * 2, |context| !context.pods.borrow().contains_key(pod) && context.all_in())
        .await;
    context.faults.clear(collector, pod).await?;
    context.direct(&context.serving()).await
}

#[cfg(test)]
mod tests {
    use super::{Injection, assignment};
    use crate::plan::Part;

    #[test]
    fn every_act_is_played_however_few_pods_there_are() {
        for pods in 1..6 {
            let assigned = assignment(pods, &Part::all());
            assert_eq!(assigned.len(), pods);
            for injection in
                [Injection::FailedTrial, Injection::Hiccups, Injection::Restart, Injection::NoCollector]
            {
                assert_eq!(
                    assigned.iter().flatten().filter(|assigned| **assigned == injection).count(),
                    1,
                    "{injection:?}, {pods} pods"
                );
            }
            let trial = |injections: &Vec<Injection>| {
                matches!(injections[0], Injection::FailedTrial | Injection::GoodTrial)
            };
            assert!(assigned.iter().all(trial), "each pod begins with its trial");
        }
        assert!(assignment(0, &Part::all()).is_empty());
    }

    #[test]
    fn what_is_not_selected_is_not_done_and_a_circuit_is_closed_by_a_trial_before_anything_else() {
        let assigned = assignment(3, &[Part::Hang, Part::Hiccups].into());
        let trial = Injection::GoodTrial;
        assert_eq!(assigned, [vec![trial, Injection::Restart], vec![trial, Injection::Hiccups], vec![trial]]);
        assert_eq!(assignment(1, &Part::QUICK.into()), [vec![trial]]);
    }
}
