//! Probe timings neither react too late nor restart a healthy pod.

use crate::check::{Area, Check, Finding, Severity};
use crate::config::Handler;
use crate::plan::Needs;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H003",
    slug: "probe-timings-sane",
    area: Area::Health,
    severity: Severity::Major,
    why: "A liveness probe that is as quick as readiness restarts pods that only needed a moment; a slow readiness keeps sending users to a dead one.",
    how: "Reads the probes of the container that serves, the defaults of Kubernetes filled in: readiness must give up within 30 s, liveness not sooner than readiness. That both ask the same endpoint is told: whether it harms is for GL-H206.",
    remedy: "Follow the chart's values: readiness every 5 s, 2 failures; liveness every 10 s, 3 failures.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let target = &timeline.plan().target;
    let (Some(readiness), Some(liveness)) = (&target.readiness, &target.liveness) else {
        return Finding::skipped("needs both probes; see GL-H001 and GL-H002");
    };
    let (ready_after, live_after) = (readiness.gives_up_after_s(), liveness.gives_up_after_s());
    let mut faults = Vec::new();
    if ready_after > 30 {
        faults.push(format!("readiness gives up only after {ready_after} s (at most 30 s)"));
    }
    if live_after < ready_after {
        faults.push(format!(
            "liveness restarts after {live_after} s, before readiness ({ready_after} s) took the pod out"
        ));
    }
    let same = readiness.handler == liveness.handler && matches!(readiness.handler, Handler::HttpGet { .. });
    let finding = if faults.is_empty() && same {
        Finding::warn("liveness and readiness ask the same endpoint: what takes a pod out also restarts it")
    } else {
        Finding::when(faults.is_empty(), "readiness gives up before liveness restarts", faults.join("; "))
    };
    finding
        .measured(
            format!("readiness {ready_after} s, liveness {live_after} s"),
            "readiness <= 30 s, liveness >= readiness",
        )
        .lines([timeline.workload.line])
}
