//! Probe timings neither react too late nor restart a healthy pod.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::Timeline;

use serde_json::Value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H003",
    slug: "probe-timings-sane",
    area: Area::Health,
    severity: Severity::Major,
    why: "A liveness probe that is as quick as readiness restarts pods that only needed a moment; a slow readiness keeps sending users to a dead one.",
    how: "Reads the probes: readiness must give up within 30 s, liveness not sooner than readiness, liveness and readiness must not ask the same endpoint.",
    remedy: "Follow the chart's values: readiness every 5 s, 2 failures; liveness every 10 s, 3 failures.",
    rests_on: &[],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let workload = &timeline.workload;
    let (Some(readiness), Some(liveness)) =
        (workload.probe("readinessProbe"), workload.probe("livenessProbe"))
    else {
        return Finding::skipped("needs both probes; see GL-H001 and GL-H002");
    };
    let (ready_after, live_after) = (gives_up_after_s(readiness), gives_up_after_s(liveness));
    let mut faults = Vec::new();
    if ready_after > 30 {
        faults.push(format!("readiness gives up only after {ready_after} s (at most 30 s)"));
    }
    if live_after < ready_after {
        faults.push(format!(
            "liveness restarts after {live_after} s, before readiness ({ready_after} s) took the pod out"
        ));
    }
    if readiness.get("httpGet").is_some() && readiness.get("httpGet") == liveness.get("httpGet") {
        faults.push(
            "liveness and readiness ask the same endpoint: a lost dependency restarts the pod".to_owned(),
        );
    }
    let measured = format!("readiness {ready_after} s, liveness {live_after} s");
    Finding::when(faults.is_empty(), "readiness gives up before liveness restarts", faults.join("; "))
        .measured(measured, "readiness <= 30 s, liveness >= readiness")
        .lines([workload.line])
}

/// Period times failures; Kubernetes defaults are 10 s and 3.
fn gives_up_after_s(probe: &Value) -> i64 {
    let of = |name: &str, default| probe.get(name).and_then(Value::as_i64).unwrap_or(default);
    of("periodSeconds", 10) * of("failureThreshold", 3)
}
