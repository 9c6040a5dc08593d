//! No watch was interrupted.

use crate::check::{Area, Check, Finding, Severity};
use crate::plan::Needs;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E102",
    slug: "watches-had-no-gap",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "What happened in a gap was not seen: a zero means nothing there.",
    how: "Every watch goes on from the last resourceVersion; a list in between is a gap.",
    remedy: "Run again; look at the API server's load if it happens often.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    if timeline.gaps.is_empty() {
        return Finding::pass("four watches, no gap").measured("0", "0");
    }
    Finding::inconclusive(format!("{} gaps in the watches", timeline.gaps.len()))
        .measured(timeline.gaps.len().to_string(), "0")
        .details(timeline.gaps.iter().take(3).map(|(_, gap)| gap.reason.clone()))
        .lines(timeline.gaps.iter().map(|(line, _)| *line))
}
