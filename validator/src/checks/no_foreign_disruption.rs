//! Nobody else removed pods or changed the target during the run.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Millis;
use crate::plan::Needs;
use crate::timeline::{Kind, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E107",
    slug: "no-foreign-disruption",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "An eviction, a release or an autoscaler in the middle of the run would be counted as ours.",
    how: "Watches the condition DisruptionTarget of every pod, and the Deployment's template and replicas, which the run itself changes in the rolls alone, or never.",
    remedy: "Run again when no node is being drained, and with releases and the autoscaler at rest.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let disrupted: Vec<_> =
        timeline.pods.iter().filter_map(|pod| Some((pod, pod.disruption.as_ref()?))).collect();
    let ever = (Millis::MIN, Millis::MAX);
    let changes: Vec<String> =
        timeline.trust.during(&[Kind::Target], None, ever).map(|change| change.why.clone()).collect();
    let all = disrupted.len() + changes.len();
    let summary = match changes.first() {
        _ if all == 0 => {
            return Finding::pass("nobody else removed a pod or changed the target").measured("0", "0");
        }
        Some(change) => change.clone(),
        None => format!("{} pods were removed by somebody else", disrupted.len()),
    };
    Finding::inconclusive(summary)
        .measured(all.to_string(), "0")
        .details(changes.into_iter().skip(1))
        .details(disrupted.iter().take(3).map(|(pod, (reason, _))| format!("{}: {reason}", pod.name)))
        .lines(disrupted.iter().map(|(_, (_, line))| *line))
}
