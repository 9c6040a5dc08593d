//! The serving container declares a liveness probe.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H002",
    slug: "liveness-probe-declared",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "Without a liveness probe a deadlocked process stays in service until somebody notices.",
    how: "Reads livenessProbe of the pod template's containers.",
    remedy: "Declare livenessProbe with httpGet /health.",
    rests_on: &[],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let workload = &timeline.workload;
    match workload.probe("livenessProbe") {
        Some(_) => Finding::pass("declared: a liveness probe").lines([workload.line]),
        None => Finding::fail("the pod template declares no livenessProbe").lines([workload.line]),
    }
}
