//! The grace period covers preStop, the shutdown and the kubelet's own margin.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::Timeline;

use serde_json::Value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-S001",
    slug: "grace-covers-shutdown",
    area: Area::Shutdown,
    severity: Severity::Major,
    why: "A grace period that ends in the middle of the drain turns every deploy into a SIGKILL.",
    how: "terminationGracePeriodSeconds >= preStop sleep + the policy's shutdown budget + 2 s.",
    remedy: "Raise terminationGracePeriodSeconds, or shorten preStop or the drain.",
    rests_on: &[],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let workload = &timeline.workload;
    let policy = &timeline.plan().policy;
    let grace = workload.number("/spec/template/spec/terminationGracePeriodSeconds").unwrap_or(30);
    let hooks = workload.containers().iter().filter_map(|c| c.pointer("/lifecycle/preStop"));
    let mut pre_stop = 0;
    for hook in hooks {
        match hook.pointer("/sleep/seconds").and_then(Value::as_i64) {
            Some(seconds) => pre_stop = pre_stop.max(seconds),
            None => {
                return Finding::warn("a preStop hook other than sleep: its time is not declared")
                    .lines([workload.line]);
            }
        }
    }
    let needed = pre_stop as f64 + policy.shutdown_budget_s + policy.kubelet_margin_s;
    let summary = format!(
        "grace period {grace} s, needed {needed} s (preStop {pre_stop} + shutdown {} + margin {})",
        policy.shutdown_budget_s, policy.kubelet_margin_s
    );
    Finding::when(grace as f64 >= needed, summary.clone(), summary)
        .measured(format!("{grace} s"), format!(">= {needed} s"))
        .lines([workload.line])
}
