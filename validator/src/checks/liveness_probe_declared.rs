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
    how: "Reads livenessProbe of the container that serves: the one with the port that the Service leads to, not a sidecar.",
    remedy: "Declare a livenessProbe for the container that serves, such as httpGet /health.",
    rests_on: &[],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let target = &timeline.plan().target;
    let finding = if let Some(probe) = &target.liveness {
        Finding::pass(format!("declared: {probe}"))
    } else {
        let none = format!("container `{}` declares no livenessProbe", target.container);
        match timeline.workload.other_with("livenessProbe", &target.container) {
            // A proxy before the application, or a helper beside it: only its owner knows which.
            Some(other) => Finding::warn(format!("{none}; container `{other}` beside it does")),
            None => Finding::fail(none),
        }
    };
    finding.lines([timeline.workload.line])
}
