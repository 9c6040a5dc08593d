//! The pods stand on more than one node.

use crate::check::{Area, Check, Finding, Severity};
use crate::plan::{Needs, Place};
use crate::timeline::Timeline;

use std::collections::BTreeSet;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R004",
    slug: "spread-over-nodes",
    area: Area::Release,
    severity: Severity::Minor,
    why: "Replicas on one node go away together.",
    how: "Counts the nodes of the pods that are there at the end, where at least two nodes can take pods.",
    remedy: "Add topologySpreadConstraints over kubernetes.io/hostname.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    if timeline.plan().place == Place::Machine {
        return Finding::skipped("needs a cluster");
    }
    if timeline.workload.replicas() < 2 {
        return Finding::skipped("one replica cannot be spread");
    }
    match timeline.plan().target.nodes {
        0 => return Finding::inconclusive("no permission to list nodes"),
        1 => return Finding::skipped("only one node takes pods"),
        _ => {}
    }
    let last = timeline.pods.iter().filter(|pod| pod.termination.is_none());
    let nodes: BTreeSet<&str> = last.filter_map(|pod| pod.node.as_deref()).collect();
    let summary = format!("the pods at the end of the run stand on {} nodes", nodes.len());
    Finding::when(nodes.len() >= 2, summary.clone(), summary).measured(nodes.len().to_string(), ">= 2")
}
