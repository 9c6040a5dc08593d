//! Whether losing a node, or a drain, leaves somebody to answer.

use serde_json::Value;

use super::Rule;
use crate::check::Severity;
use crate::lint::bundle::Bundle;
use crate::lint::workload::{Said, Workload, said};
use crate::selector::matches;

pub(super) const SPREAD: Rule = Rule {
    id: "GL-R052",
    slug: "spread-is-declared",
    severity: Severity::Minor,
    why: "Without a rule the scheduler may put all replicas onto one node, and lose them with it.",
    remedy: "Declare topologySpreadConstraints over kubernetes.io/hostname.",
    find: spread,
};

pub(super) const AUTOSCALER: Rule = Rule {
    id: "GL-R053",
    slug: "autoscaler-owns-replicas",
    severity: Severity::Minor,
    why: "Every apply of a manifest with `replicas` takes back what the autoscaler decided, in the middle of the load.",
    remedy: "Leave `replicas` out where an autoscaler scales the workload, and let minReplicas be 2 or more.",
    find: autoscaler,
};

pub(super) const BUDGET: Rule = Rule {
    id: "GL-R054",
    slug: "budget-selects-somebody",
    severity: Severity::Minor,
    why: "A disruption budget whose selector selects no pod protects nobody, and nothing says so.",
    remedy: "Give the budget the matchLabels of the workload's own selector.",
    find: budget,
};

fn spread(workload: &Workload, bundle: &Bundle) -> Vec<Said> {
    let pod = workload.pod();
    let declared =
        pod["topologySpreadConstraints"].is_array() || pod["affinity"]["podAntiAffinity"].is_object();
    let replicas = workload.manifest.get("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let several = replicas >= 2 || bundle.autoscaler_of(workload).is_some();
    if declared || !several || !workload.is_counted() {
        return Vec::new();
    }
    vec![said("/spec/template/spec", "nothing keeps the replicas from standing on one node")]
}

fn autoscaler(workload: &Workload, bundle: &Bundle) -> Vec<Said> {
    let Some(scaler) = bundle.autoscaler_of(workload) else { return Vec::new() };
    let least = scaler.get("/spec/minReplicas").and_then(Value::as_u64).unwrap_or(1);
    let fixed = workload.manifest.get("/spec/replicas");
    let both =
        fixed.map(|replicas| format!("replicas: {replicas} beside the autoscaler `{}`", scaler.name()));
    let few = (least < 2).then(|| format!("the autoscaler `{}` may scale down to {least}", scaler.name()));
    both.into_iter().chain(few).map(|text| said("/spec/replicas", text)).collect()
}

fn budget(workload: &Workload, bundle: &Bundle) -> Vec<Said> {
    let labels = workload.manifest.get("/spec/template/metadata/labels");
    let nobody = bundle.budgets_near(workload).filter(|budget| {
        let named = budget.name() == workload.manifest.name();
        named && !matches(budget.get("/spec/selector"), labels)
    });
    nobody
        .map(|budget| {
            said("/spec", format!("the disruption budget `{}` does not select the pods", budget.name()))
        })
        .collect()
}
