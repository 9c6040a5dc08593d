//! The serving container declares a readiness probe.

use crate::check::{Area, Check, Finding, Severity};
use crate::config::Probe;
use crate::plan::Needs;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H001",
    slug: "readiness-probe-declared",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "Without a readiness probe a pod gets users' requests the moment its process exists.",
    how: "Reads readinessProbe of the container that serves: the one with the port that the Service leads to, not a sidecar; or of one beside it that asks this very port.",
    remedy: "Declare a readinessProbe for the container that serves, such as httpGet /ready.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    declared(timeline, timeline.plan().target.readiness.as_ref(), "readinessProbe")
}

/// Whether the container that serves declares a probe, which stands in its template under `field`.
pub(super) fn declared(timeline: &Timeline, probe: Option<&Probe>, field: &str) -> Finding {
    let container = &timeline.plan().target.container;
    if timeline.plan().target.assumed.iter().any(|assumed| assumed == field) {
        return Finding::skipped(format!(
            "needs a cluster, or spec.local of a target file: no {field} is declared"
        ));
    }
    let finding = if let Some(probe) = probe {
        Finding::pass(format!("declared: {probe}"))
    } else {
        let none = format!("container `{container}` declares no {field}");
        match timeline.workload.other_with(field, container) {
            // A proxy before the application, or a helper beside it: only its owner knows which.
            Some(other) => Finding::inconclusive(format!(
                "{none}; container `{other}` beside it does: whether that speaks for the service only its owner knows"
            )),
            None => Finding::fail(none),
        }
    };
    finding.lines([timeline.workload.line])
}
