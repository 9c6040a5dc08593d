//! Before anything was touched, the service answered.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{Millis, Step};
use crate::plan::Needs;
use crate::timeline::{Timeline, refusal};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E105",
    slug: "quiet-phase-answered",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "A load that the service does not answer in quiet proves nothing about rolls.",
    how: "Counts right answers before the first roll: of a request without `expect` those below 500, of which one at least must be below 400, and not most of them 401 or 403.",
    remedy: "Check the paths of the target file against the service, give the headers that it asks for, or `expect` what it answers; look at its state before the run.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

/// Answers are counted by the second.
const SECOND_MS: Millis = 1_000;

fn judge(timeline: &Timeline) -> Finding {
    let Some(baseline) = timeline.step(Step::Baseline) else {
        return Finding::inconclusive("there was no quiet phase");
    };
    // A second is counted whole, and the last one may hold what the roll after it loses.
    let end = baseline.end.map_or(baseline.begin, |end| (end - SECOND_MS).max(baseline.begin));
    let window = (baseline.begin, end);
    let load = timeline.load.all(window);
    let total = load.answered + load.lost;
    if total == 0 {
        return Finding::inconclusive("no request was answered in the quiet phase");
    }
    let requests = &timeline.plan().traffic.requests;
    let refused = timeline
        .load
        .answers(window)
        .into_iter()
        .filter_map(|(template, answers)| refusal(requests.get(template)?, &answers));
    let refused: Vec<String> = refused.collect();
    if let Some(first) = refused.first() {
        return Finding::inconclusive(first.clone()).details(refused.iter().skip(1).cloned());
    }
    let share = load.answered as f64 / total as f64;
    let limit = timeline.plan().limits().min_baseline_share;
    let summary = format!("{} of {total} requests were answered in the quiet phase", load.answered);
    let finding = if share >= limit { Finding::pass(summary) } else { Finding::inconclusive(summary) };
    finding.measured(format!("{:.2} %", share * 100.0), format!(">= {:.0} %", limit * 100.0))
}
