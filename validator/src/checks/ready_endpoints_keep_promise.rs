//! Ready endpoints never fall below replicas - maxUnavailable.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Millis;
use crate::plan::Needs;
use crate::timeline::{EndpointCount, Kind, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R202",
    slug: "ready-endpoints-keep-promise",
    area: Area::Release,
    severity: Severity::Blocker,
    why: "Below that number the rest carries more than it was sized for.",
    how: "Counts the ready endpoints of all slices of the Service at every event of the rolls; of an observing run, which has none, at every event of the observation.",
    remedy: "Check readiness probes and minReadySeconds: a pod that is Ready too early lets the next one go.",
    rests_on: &[
        Kind::Watch,
        Kind::Validator,
        Kind::Load,
        Kind::Agent,
        Kind::Dependency,
        Kind::Target,
        Kind::Clock,
    ],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let with_observation = |rolls: Vec<_>| rolls.into_iter().chain(timeline.observed()).collect::<Vec<_>>();
    let (watched, judged) =
        (with_observation(timeline.rolling()), with_observation(timeline.rolling_judged()));
    if watched.is_empty() {
        return Finding::inconclusive("neither a roll nor an observation was made");
    }
    let counts: Vec<Seen<'_>> = watched.iter().flat_map(|roll| during(timeline, *roll)).collect();
    let Some((fewest, (since, _))) = counts.iter().min_by_key(|seen| beyond(timeline, seen)) else {
        return Finding::inconclusive("no EndpointSlice of the Service was seen");
    };
    let promised = timeline.workload.promised(*since);
    let summary = format!("at least {} endpoints were ready, {promised} are promised", fewest.ready);
    let few = counts.iter().filter(|seen| beyond(timeline, seen) < 0);
    // In the roll in of another image the pods that it replaces may be what falls: of its own ones GL-H101 tells.
    let (own, others): (Vec<_>, Vec<_>) =
        few.partition(|(_, (at, _))| judged.iter().any(|(begin, end)| (begin..=end).contains(&at)));
    let cases = |of: Vec<&Seen<'_>>| of.into_iter().map(|seen| case(timeline, seen)).collect();
    Finding::of_both(cases(own), cases(others), summary)
        .measured(fewest.ready.to_string(), format!(">= {promised}"))
        .lines([fewest.line])
}

/// So many endpoints were ready from one moment to another.
type Seen<'t> = (&'t EndpointCount, (Millis, Millis));

/// How many more they are than are promised.
fn beyond(timeline: &Timeline, (count, (since, _)): &Seen<'_>) -> i64 {
    count.ready as i64 - timeline.workload.promised(*since)
}

fn case(timeline: &Timeline, (count, window): &Seen<'_>) -> Case {
    let promised = timeline.workload.promised(window.0);
    let text = format!("only {} endpoints were ready, {promised} are promised", count.ready);
    Case::over(*window, text, count.line)
}

/// What the endpoints were in a stretch, and when: first what they were at its begin.
fn during<'t>(timeline: &'t Timeline, (begin, end): (Millis, Millis)) -> Vec<Seen<'t>> {
    let before = timeline.endpoints.iter().rev().find(|count| count.at < begin);
    let during = timeline.endpoints.iter().filter(|count| (begin..=end).contains(&count.at));
    let counts: Vec<_> = before.into_iter().chain(during).collect();
    let ends = counts.iter().skip(1).map(|count| count.at).chain([end]);
    counts.iter().zip(ends).map(|(count, until)| (*count, (count.at.max(begin), until))).collect()
}
