//! Nobody else removed pods or changed the target during the run.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Millis;
use crate::plan::Needs;
use crate::timeline::{About, Kind, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E107",
    slug: "no-foreign-disruption",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "An eviction, a release or an autoscaler in the middle of the run would be counted as ours.",
    how: "Watches the condition DisruptionTarget of every pod, what the kubelet says of one that it has ended, and the Deployment's template and replicas, which the run itself changes in the rolls alone, or never.",
    remedy: "Run again when no node is being drained, and with releases and the autoscaler at rest.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

/// A node that is drained may take many pods along.
const MAX_TOLD: usize = 5;

/// Each of them is a disturbance of what it touches as well: what failed there is not held against the target.
fn judge(timeline: &Timeline) -> Finding {
    let ever = (Millis::MIN, Millis::MAX);
    let theirs = timeline.trust.during(&[Kind::Target], About::default(), ever);
    let told: Vec<String> = theirs.map(|one| one.why.clone()).collect();
    let Some(first) = told.first() else {
        return Finding::pass("nobody else removed a pod or changed the target").measured("0", "0");
    };
    let removed = timeline.pods.iter().filter_map(|pod| pod.disruption.as_ref());
    Finding::inconclusive(first.clone())
        .measured(told.len().to_string(), "0")
        .details(told.iter().skip(1).take(MAX_TOLD).cloned())
        .lines(removed.map(|removal| removal.line))
}
