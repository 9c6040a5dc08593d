//! Ready endpoints never fall below replicas - maxUnavailable.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::timeline::{Kind, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R202",
    slug: "ready-endpoints-keep-promise",
    area: Area::Release,
    severity: Severity::Blocker,
    why: "Below that number the rest carries more than it was sized for.",
    how: "Counts the ready endpoints of all slices of the Service at every event of the rolls.",
    remedy: "Check readiness probes and minReadySeconds: a pod that is Ready too early lets the next one go.",
    rests_on: &[Kind::Watch, Kind::Validator, Kind::Load, Kind::Agent, Kind::Dependency, Kind::Target],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let Some((begin, end)) = timeline.rolling() else {
        return Finding::inconclusive("no roll was made");
    };
    let promised = timeline.workload.replicas() - timeline.workload.rolling().0;
    let before = timeline.endpoints.iter().rev().find(|count| count.at < begin);
    let during = timeline.endpoints.iter().filter(|count| (begin..=end).contains(&count.at));
    let counts: Vec<_> = before.into_iter().chain(during).collect();
    let Some(fewest) = counts.iter().min_by_key(|count| count.ready) else {
        return Finding::inconclusive("no EndpointSlice of the Service was seen");
    };
    let summary = format!("at least {} endpoints were ready, {promised} are promised", fewest.ready);
    let ends = counts.iter().skip(1).map(|count| count.at).chain([end]);
    let few = counts.iter().zip(ends).filter(|(count, _)| (count.ready as i64) < promised);
    let cases = few.map(|(count, until)| {
        let text = format!("only {} endpoints were ready, {promised} are promised", count.ready);
        Case::over((count.at.max(begin), until), text, count.line)
    });
    Finding::unless(cases, summary)
        .measured(fewest.ready.to_string(), format!(">= {promised}"))
        .lines([fewest.line])
}
