//! Each roll replaced every pod before our eyes.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Step;
use crate::plan::Needs;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E106",
    slug: "terminations-seen",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "A pod whose end was not seen may have been killed.",
    how: "Counts the deletions seen in each roll and the terminated states among them.",
    remedy: "Run again; if it happens often, look for a controller that deletes pods by force.",
    rests_on: &[],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let terminations = timeline.terminations();
    let rolls = Step::ROLLS.iter().filter(|step| timeline.step(**step).is_some()).count();
    let expected = timeline.workload.replicas() as usize * rolls;
    let seen = terminations.iter().filter(|(_, t)| t.exit.is_some()).count();
    let summary = format!("the end of {seen} of {expected} pods was seen");
    let finding = if seen >= expected && expected > 0 {
        Finding::pass(summary)
    } else {
        Finding::inconclusive(summary)
    };
    let unseen = terminations.iter().filter(|(_, t)| t.exit.is_none()).map(|(_, t)| t.line);
    finding.measured(seen.to_string(), format!(">= {expected}")).lines(unseen)
}
