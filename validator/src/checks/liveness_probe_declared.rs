//! The serving container declares a liveness probe.

use crate::check::{Area, Check, Finding, Severity};
use crate::plan::Needs;
use crate::timeline::Timeline;

use super::readiness_probe_declared::declared;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H002",
    slug: "liveness-probe-declared",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "Without a liveness probe a deadlocked process stays in service until somebody notices.",
    how: "Reads livenessProbe of the container that serves: the one with the port that the Service leads to, not a sidecar; or of one beside it that asks this very port.",
    remedy: "Declare a livenessProbe for the container that serves, such as httpGet /health.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    declared(timeline, timeline.plan().target.liveness.as_ref(), "livenessProbe")
}
