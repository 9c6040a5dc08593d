//! Users do not feel that the collector is away.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{Millis, SecondFact};
use crate::timeline::{Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T206",
    slug: "no-slower-without-collector",
    area: Area::Tracing,
    severity: Severity::Major,
    why: "Telemetry that blocks requests turns an outage of the monitoring into one of the service.",
    how: "One pod's connections to the collector are refused: times of its pod-direct answers until its deletion, held against the 5 s before.",
    remedy: "Export from a background task with a bounded queue that drops when it is full.",
    judge,
};

/// What is compared with: the same pod, just before.
const BEFORE_MS: Millis = 5_000;

/// Whoever needs this long at the median has other troubles than its collector.
const STUCK_MS: f64 = 1_000.0;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let policy = &timeline.plan().policy;
    for (line, fault) in timeline.collector_away()? {
        let pod = |second: &SecondFact| second.pod.as_deref() == Some(fault.pod.as_str());
        let before = timeline.load.fallback((fault.began - BEFORE_MS, fault.began), pod);
        let during =
            timeline.load.fallback((fault.began, fault.ended.min(timeline.deleted(&fault.pod))), pod);
        if before.total == 0 || during.total == 0 {
            continue;
        }
        if before.times.quantile_ms(0.5) > STUCK_MS {
            return Err(Unmeasured::NotSeen(format!(
                "{} hardly answered even with its collector",
                fault.pod
            )));
        }
        let of = |share: f64| (before.times.quantile_ms(share), during.times.quantile_ms(share));
        let ((p50, p50_without), (p99, p99_without)) = (of(0.5), of(0.99));
        let limit = (p99 * policy.max_slower_factor).max(p99 + policy.max_slower_ms);
        let summary = format!("p99 {p99_without:.1} ms without a collector, {p99:.1} ms with one");
        return Ok(Finding::when(p99_without <= limit, summary.clone(), summary)
            .measured(
                format!("p50 {p50:.1} -> {p50_without:.1} ms, p99 {p99_without:.1} ms"),
                format!("p99 <= {limit:.1} ms"),
            )
            .lines([line]));
    }
    Err(Unmeasured::NotSeen("no request was sent to a pod alone while its collector was away".into()))
}
