//! Nobody else removed pods during the run.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E107",
    slug: "no-foreign-disruption",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "An eviction or preemption during the rolls would be counted as ours.",
    how: "Watches the condition DisruptionTarget of every pod.",
    remedy: "Run again when no node is being drained.",
    rests_on: &[],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let disrupted: Vec<_> =
        timeline.pods.iter().filter_map(|pod| Some((pod, pod.disruption.as_ref()?))).collect();
    if disrupted.is_empty() {
        return Finding::pass("no pod was evicted or preempted").measured("0", "0");
    }
    Finding::inconclusive(format!("{} pods were removed by somebody else", disrupted.len()))
        .measured(disrupted.len().to_string(), "0")
        .details(disrupted.iter().take(3).map(|(pod, (reason, _))| format!("{}: {reason}", pod.name)))
        .lines(disrupted.iter().map(|(_, (_, line))| *line))
}
