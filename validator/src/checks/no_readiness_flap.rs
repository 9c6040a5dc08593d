//! A pod that was Ready stays Ready until it is deleted.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H101",
    slug: "no-readiness-flap",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "Every flap takes capacity away and is often a probe that times out under load.",
    how: "Watches the condition Ready of every pod until dependencies are broken on purpose.",
    remedy: "Look at the readiness handler's time under load; answer from a snapshot, not from a call to the dependency.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    if timeline.pods.is_empty() {
        return Finding::inconclusive("no pod was seen");
    }
    let flaps = timeline.pods.iter().flat_map(|pod| pod.flaps().into_iter().map(move |flap| (pod, flap)));
    // Once dependencies are taken away, readiness must follow them: GL-H204 to GL-H207.
    let flaps: Vec<_> = flaps.filter(|(_, (at, _))| timeline.in_peace((*at, *at + 1)).next().is_some()).collect();
    let summary =
        format!("{} pods, {} of them lost Ready before their deletion", timeline.pods.len(), flaps.len());
    Finding::when(flaps.is_empty(), summary.clone(), summary)
        .measured(flaps.len().to_string(), "0")
        .details(flaps.iter().take(5).map(|(pod, _)| format!("{} became not Ready", pod.name)))
        .lines(flaps.iter().map(|(_, (_, line))| *line))
}
