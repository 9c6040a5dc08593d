//! There are at least two replicas.

use crate::check::{Area, Check, Finding, Severity};
use crate::plan::Needs;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R002",
    slug: "replicas-at-least-two",
    area: Area::Release,
    severity: Severity::Major,
    why: "One replica means an outage for every node that goes away.",
    how: "Reads spec.replicas.",
    remedy: "Set replicas to 2 or more.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let replicas = timeline.workload.replicas();
    let summary = format!("{replicas} replicas");
    Finding::when(replicas >= 2, summary.clone(), summary)
        .measured(replicas.to_string(), ">= 2")
        .lines([timeline.workload.line])
}
