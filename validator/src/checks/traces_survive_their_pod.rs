//! Requests served by pods that have since died are in the collector too.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::SpanKind;
use crate::timeline::Timeline;

use super::sampled_requests_traced::spans_of;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T203",
    slug: "traces-survive-their-pod",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "The last seconds of a pod are the ones an incident is about; a process that exits without a flush takes them along.",
    how: "Of the sampled requests sent from 5 s before each deletion until the pod was gone, every one must have its server span.",
    remedy: "Flush the span exporter after the last request and before exit, within the grace period.",
    judge,
};

/// Before its deletion a pod holds spans of about this time in its batch (OTEL_BSP_SCHEDULE_DELAY is 5 s).
const BATCH_MS: i64 = 5_000;

fn judge(timeline: &Timeline) -> Finding {
    if timeline.load.traces.is_empty() {
        return Finding::inconclusive("no trace store could be asked");
    }
    let windows: Vec<_> =
        timeline.terminations().iter().map(|(_, t)| (t.at - BATCH_MS, t.gone.unwrap_or(t.at))).collect();
    let during = |at: i64| windows.iter().any(|(begin, end)| (*begin..=*end).contains(&at));
    let requests: Vec<_> = timeline.load.sampled().filter(|(_, r)| during(r.due)).collect();
    if requests.is_empty() {
        return Finding::inconclusive("no sampled request was answered while a pod was terminating");
    }
    let lost: Vec<usize> = requests
        .iter()
        .filter(|(_, r)| {
            let spans = spans_of(timeline, r.trace_id.as_deref());
            !spans.iter().any(|s| s.kind == SpanKind::Server && s.parent == r.parent_id)
        })
        .map(|(line, _)| *line)
        .collect();
    let found = requests.len() - lost.len();
    let summary = format!(
        "{found} of {} requests around {} terminations are in the collector",
        requests.len(),
        windows.len()
    );
    Finding::when(lost.is_empty(), summary.clone(), summary)
        .measured(format!("{} missing", lost.len()), "0")
        .lines(lost)
}
