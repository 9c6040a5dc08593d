//! A disruption budget protects the pods and still allows one to leave.

use crate::check::{Area, Check, Finding, Severity};
use crate::plan::{Needs, Place};
use crate::selector::matches;
use crate::timeline::Timeline;

use serde_json::Value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R003",
    slug: "disruption-budget-allows-one",
    area: Area::Release,
    severity: Severity::Minor,
    why: "Without one a node drain may take all pods at once; one that allows none blocks every drain.",
    how: "Finds the PodDisruptionBudget that selects the pods and reads how many may leave at full strength.",
    remedy: "Add a PodDisruptionBudget with maxUnavailable: 1.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    if timeline.plan().place == Place::Machine {
        return Finding::skipped("needs a cluster");
    }
    let workload = &timeline.workload;
    let labels = workload.get("/spec/template/metadata/labels");
    let ours: Vec<_> = workload.budgets.iter().filter(|(_, budget)| selects(budget, labels)).collect();
    match ours.as_slice() {
        [] => Finding::fail("no PodDisruptionBudget selects the pods").measured("none", "one"),
        [(line, budget)] => {
            let allowed = allowed(budget, workload.replicas());
            let summary = format!("a disruption budget lets {allowed} of {} pods leave", workload.replicas());
            Finding::when(allowed >= 1, summary.clone(), summary)
                .measured(allowed.to_string(), ">= 1")
                .lines([*line])
        }
        several => {
            Finding::fail(format!("{} disruption budgets select the pods: evictions fail", several.len()))
                .lines(several.iter().map(|(line, _)| *line))
        }
    }
}

fn selects(budget: &Value, labels: Option<&Value>) -> bool {
    matches(budget.pointer("/spec/selector"), labels)
}

/// Pods that may leave at full strength; percentages round up, as the disruption controller does.
fn allowed(budget: &Value, replicas: i64) -> i64 {
    let number = |value: &Value| match value.as_str() {
        Some(text) => {
            text.trim_end_matches('%').parse::<i64>().map_or(0, |percent| (replicas * percent + 99) / 100)
        }
        None => value.as_i64().unwrap_or(0),
    };
    let spec = &budget["spec"];
    match (spec.get("maxUnavailable"), spec.get("minAvailable")) {
        (Some(most), _) => number(most).min(replicas),
        (None, Some(least)) => replicas - number(least),
        (None, None) => 0,
    }
}
