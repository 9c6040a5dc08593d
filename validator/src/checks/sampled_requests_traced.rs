//! A sampled request leaves one server span that continues the caller's trace.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::{Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T201",
    slug: "sampled-requests-traced",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "Without it nobody can follow a user's failed request into the service.",
    how: "The load sends requests with the sampled flag of traceparent set (W3C Trace Context); the middle agent before the collector copies what the pods export. Judged from the end of the roll in, when every pod exports past it, until dependencies are broken.",
    remedy: "Take traceparent in, create a server span per request as a child of it, export it to the collector.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let sampled = timeline.load.sampled(timeline.copied()?);
    if sampled.is_empty() {
        return Ok(Finding::inconclusive("no sampled request was answered"));
    }
    timeline.read_collector()?;
    if timeline.load.traces.is_empty() {
        let collector = timeline.silent_collector()?;
        let summary =
            format!("not one of {} sampled requests left a span on its way to {collector}", sampled.len());
        return Ok(Finding::fail(summary).measured("no span", "one server span each"));
    }
    let mut without = Vec::new();
    let mut several = Vec::new();
    for (line, request) in &sampled {
        match timeline.load.servers_of(request).count() {
            0 => without.push(*line),
            1 => {}
            _ => several.push(*line),
        }
    }
    let whole = sampled.len() - without.len() - several.len();
    let summary =
        format!("{whole} of {} sampled requests have exactly one server span in our trace", sampled.len());
    Ok(Finding::when(without.is_empty() && several.is_empty(), summary.clone(), summary)
        .measured(format!("{} without, {} with several", without.len(), several.len()), "0")
        .lines(without.into_iter().chain(several)))
}
