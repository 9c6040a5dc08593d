//! Requests served by pods that have since died left their spans too.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T203",
    slug: "traces-survive-their-pod",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "The last seconds of a pod are the ones an incident is about; a process that exits without a flush takes them along.",
    how: "Of the sampled requests sent in the second roll from 5 s before each deletion until the pod was gone, every one must have its server span. Half of the sampled requests go over idle connections: theirs are the last that a pod answers.",
    remedy: "Flush the span exporter after the last request and before exit, within the grace period.",
    rests_on: &[
        Kind::Agent,
        Kind::Record,
        Kind::Content,
        Kind::Dependency,
        Kind::Target,
        Kind::Watch,
        Kind::Validator,
    ],
    judge,
};

/// Before its deletion a pod holds spans of about this time in its batch (OTEL_BSP_SCHEDULE_DELAY is 5 s).
const BATCH_MS: i64 = 5_000;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let collector = timeline.read_collector()?;
    if timeline.load.traces.is_empty() {
        return Err(timeline.no_traces());
    }
    let (copied, end) = timeline.copied()?;
    // The pods that leave in the first roll began before the agents stood there: their traces are in no copy.
    let terminations = timeline.terminations();
    let windows: Vec<_> = terminations
        .iter()
        .filter(|(_, t)| t.at >= copied)
        .map(|(_, t)| (t.at - BATCH_MS, t.gone.unwrap_or(t.at)))
        .collect();
    let during = |at: i64| windows.iter().any(|(begin, end)| (*begin..=*end).contains(&at));
    let mut requests = timeline.load.sampled((copied, end));
    requests.retain(|(_, r)| during(r.due));
    if requests.is_empty() {
        return Ok(Finding::inconclusive("no sampled request was answered while a pod was terminating"));
    }
    let lost = requests.iter().filter(|(_, r)| timeline.load.servers_of(r).next().is_none());
    let lost = lost.map(|(line, r)| {
        Case::over(r.during(), format!("{} left no server span", r.request), *line).before(collector)
    });
    let (total, ends) = (requests.len(), windows.len());
    let pass = format!("{total} of {total} requests around {ends} terminations left their server span");
    Ok(Finding::unless(lost, pass)
        .counted(format!("of {total} requests around {ends} terminations left no server span"))
        .tally("missing", "0"))
}
