//! Load comes from two nodes where there are two.

use crate::check::{Area, Check, Finding, Severity};
use crate::plan::Needs;
use crate::timeline::Timeline;

use std::collections::BTreeSet;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E104",
    slug: "two-vantage-points",
    area: Area::Run,
    severity: Severity::Major,
    why: "Each node's proxy learns of an endpoint's end at its own time; one vantage point sees one of them.",
    how: "Counts the nodes of the load agents.",
    remedy: "Make room for an agent (50m CPU, 64Mi) on a second node.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let nodes: BTreeSet<&str> = timeline.load.seconds.iter().map(|(_, s)| s.node.as_str()).collect();
    let wanted = if timeline.plan().target.nodes == 1 { 1 } else { 2 };
    let summary = format!("load came from {} nodes", nodes.len());
    let finding = if nodes.len() >= wanted { Finding::pass(summary) } else { Finding::inconclusive(summary) };
    finding.measured(nodes.len().to_string(), format!(">= {wanted}"))
}
