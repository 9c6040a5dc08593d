//! Ready endpoints never fall below replicas - maxUnavailable.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Millis;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R202",
    slug: "ready-endpoints-keep-promise",
    area: Area::Release,
    severity: Severity::Blocker,
    why: "Below that number the rest carries more than it was sized for.",
    how: "Counts the ready endpoints of all slices of the Service at every event of the rolls.",
    remedy: "Check readiness probes and minReadySeconds: a pod that is Ready too early lets the next one go.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let rolling = timeline.rolling();
    if rolling.is_empty() {
        return Finding::inconclusive("no roll was made");
    }
    let promised = timeline.workload.replicas() - timeline.workload.rolling().0;
    let of_roll = |(begin, end): &(Millis, Millis)| {
        let before = timeline.endpoints.iter().rev().find(|count| count.at < *begin);
        let during = timeline.endpoints.iter().filter(|count| (*begin..=*end).contains(&count.at));
        before.into_iter().chain(during).min_by_key(|count| count.ready)
    };
    let Some(fewest) = rolling.iter().filter_map(of_roll).min_by_key(|count| count.ready) else {
        return Finding::inconclusive("no EndpointSlice of the Service was seen");
    };
    let summary = format!("at least {} endpoints were ready, {promised} are promised", fewest.ready);
    Finding::when(fewest.ready as i64 >= promised, summary.clone(), summary)
        .measured(fewest.ready.to_string(), format!(">= {promised}"))
        .lines([fewest.line])
}
