//! The strategy never takes a ready pod away before its replacement is ready.

use crate::check::{Area, Check, Finding, Severity};
use crate::plan::{Needs, Place};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R001",
    slug: "strategy-keeps-capacity",
    area: Area::Release,
    severity: Severity::Major,
    why: "maxUnavailable above 0, or Recreate, plans the loss of capacity into every deploy.",
    how: "Reads spec.strategy: RollingUpdate with maxUnavailable 0.",
    remedy: "Set strategy.rollingUpdate.maxUnavailable: 0 and maxSurge: 1.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    if timeline.plan().place == Place::Machine {
        return Finding::skipped("needs a cluster");
    }
    let workload = &timeline.workload;
    let kind = workload.get("/spec/strategy/type").and_then(|v| v.as_str()).unwrap_or("RollingUpdate");
    let (unavailable, surge) = workload.rolling();
    let holds = kind == "RollingUpdate" && unavailable == 0;
    let summary = format!("{kind}, maxUnavailable {unavailable}, maxSurge {surge}");
    Finding::when(holds, summary.clone(), summary)
        .measured(unavailable.to_string(), "0")
        .lines([workload.line])
}
