//! Nothing came between us and the middle agents.

use crate::check::{Area, Check, Finding, Severity};
use crate::plan::Needs;
use crate::timeline::{Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E111",
    slug: "interposition-undisturbed",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "An agent that was gone, or past which connections were led, has not seen what happened meanwhile.",
    how: "Watches the agents themselves and what is spoken through them.",
    remedy: "Run again; let the target speak without TLS to the middle agent.",
    rests_on: &[],
    needs: Needs::Rolls,
    judge,
};

/// Disturbances that are told beside the first one.
const MAX_TOLD: usize = 5;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    if timeline.middle.standings.is_empty() {
        return Err(match timeline.plan().dependencies.first() {
            None => Unmeasured::NotDeclared("the target file declares no dependency".into()),
            Some(_) => Unmeasured::NotSeen("no middle agent stood before any dependency".into()),
        });
    }
    let real = timeline
        .middle
        .troubles
        .iter()
        .filter_map(|(line, t)| Some((*line, format!("{}: {}", t.dependency, t.trouble.disbelief()?))));
    let real: Vec<(usize, String)> = real.collect();
    let finding = match real.first() {
        Some((_, first)) => Finding::inconclusive(first.as_str()),
        None => Finding::pass("the middle agents stood undisturbed"),
    };
    Ok(finding
        .measured(format!("{} disturbances", real.len()), "0")
        .details(real.iter().skip(1).take(MAX_TOLD).map(|(_, text)| text.clone()))
        .lines(real.iter().map(|(line, _)| *line)))
}
