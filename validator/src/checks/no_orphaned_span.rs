//! Every span has its parent.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Span;
use crate::plan::Needs;
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T205",
    slug: "no-orphaned-span",
    area: Area::Tracing,
    severity: Severity::Major,
    why: "A span whose parent was never exported hangs in the air: the trace shows two halves and nobody knows how they belong together.",
    how: "In the traces of sampled requests the parent of each span must be a span of the same trace, or the one that our request named.",
    remedy: "Export the spans of a request with one decision, and end the outer span even when the inner one fails.",
    rests_on: &[Kind::Load, Kind::Agent, Kind::Record, Kind::Content, Kind::Dependency, Kind::Target],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let collector = timeline.read_collector()?;
    if timeline.load.traces.is_empty() {
        return Err(timeline.no_traces());
    }
    let (mut total, mut orphans) = (0, Vec::new());
    for (line, request) in timeline.load.sampled(timeline.copied()?) {
        let spans = timeline.load.spans_of(request);
        let known = |id: &String| request.parent_id.as_ref() == Some(id) || spans.iter().any(|s| s.id == *id);
        // A span without a parent began a trace of its own: in ours it is as lost as one whose parent is.
        let answers = timeline.load.servers_of(request);
        let begins = |span: &Span| answers.iter().any(|answer| answer.id == span.id);
        let lost = spans.iter().filter(|s| !s.parent.as_ref().is_some_and(known) && !begins(s)).count();
        total += spans.len();
        let text = || format!("{lost} spans of {} have no parent", request.request);
        let case = || Case::over(request.during(), text(), line).before(collector).times(lost as u64);
        orphans.extend((lost > 0).then(case));
    }
    if total == 0 {
        return Err(Unmeasured::NotSeen("no span of a sampled request was seen".into()));
    }
    Ok(Finding::unless(orphans, format!("{total} of {total} spans have their parent"))
        .counted(format!("of {total} spans have no parent"))
        .tally("without", "0"))
}
