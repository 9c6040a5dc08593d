//! A sampled request leaves one server span that continues the caller's trace.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{Span, SpanKind};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T201",
    slug: "sampled-requests-traced",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "Without it nobody can follow a user's failed request into the service.",
    how: "The load sends requests with the sampled flag of traceparent set (W3C Trace Context) and asks the collector for each trace id afterwards.",
    remedy: "Take traceparent in, create a server span per request as a child of it, export it to the collector.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let sampled: Vec<_> = timeline.load.sampled().collect();
    if sampled.is_empty() {
        return Finding::inconclusive("no sampled request was answered");
    }
    if timeline.load.traces.is_empty() {
        return Finding::inconclusive(
            "no trace store could be asked: declare an otlp dependency with its query Service",
        );
    }
    let mut without = Vec::new();
    let mut several = Vec::new();
    for (line, request) in &sampled {
        let spans = spans_of(timeline, request.trace_id.as_deref());
        let servers = spans.iter().filter(|s| s.kind == SpanKind::Server && s.parent == request.parent_id);
        match servers.count() {
            0 => without.push(*line),
            1 => {}
            _ => several.push(*line),
        }
    }
    let whole = sampled.len() - without.len() - several.len();
    let summary =
        format!("{whole} of {} sampled requests have exactly one server span in our trace", sampled.len());
    Finding::when(without.is_empty() && several.is_empty(), summary.clone(), summary)
        .measured(format!("{} without, {} with several", without.len(), several.len()), "0")
        .lines(without.into_iter().chain(several))
}

/// The spans that the collector holds for a trace id.
pub(super) fn spans_of<'a>(timeline: &Timeline<'a>, trace_id: Option<&str>) -> &'a [Span] {
    let found = timeline.load.traces.iter().find(|(_, trace)| Some(trace.trace_id.as_str()) == trace_id);
    found.map(|(_, trace)| trace.spans.as_slice()).unwrap_or_default()
}
