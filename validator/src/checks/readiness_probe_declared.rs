//! The serving container declares a readiness probe.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H001",
    slug: "readiness-probe-declared",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "Without a readiness probe a pod gets users' requests the moment its process exists.",
    how: "Reads readinessProbe of the pod template's containers.",
    remedy: "Declare readinessProbe with httpGet /ready.",
    rests_on: &[],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let workload = &timeline.workload;
    match workload.probe("readinessProbe") {
        Some(_) => Finding::pass("declared: a readiness probe").lines([workload.line]),
        None => Finding::fail("the pod template declares no readinessProbe").lines([workload.line]),
    }
}
