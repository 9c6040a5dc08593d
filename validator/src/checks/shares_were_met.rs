//! Of the calls that were to fail in part, as many failed as were to.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::{Degraded, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E112",
    slug: "shares-were-met",
    area: Area::Run,
    severity: Severity::Minor,
    why: "A circuit that stayed closed at 40 % of failures has proved nothing if there were 10.",
    how: "Where calls are failed in part, the share of those that failed must be within 5 points of what was ordered, over 20 calls at least. GL-B212 and GL-B213 rest on it.",
    remedy: "Raise the rate, so that every pod makes more calls.",
    rests_on: &[],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let in_part = |one: &Degraded| one.failing_percent().is_some();
    let all = timeline.degraded(in_part, "no calls were to fail in part")?;
    let missed: Vec<String> = all.iter().filter_map(Degraded::missed_share).collect();
    let achieved: Vec<String> = all
        .iter()
        .filter_map(|one| Some(format!("{:.0} % of {}", one.achieved_percent()?, one.fact.met)))
        .collect();
    let finding = match missed.first() {
        Some(text) => Finding::inconclusive(text.clone()),
        None => Finding::pass(format!("calls failed as ordered: {}", achieved.join(", "))),
    };
    Ok(finding
        .measured(format!("{} missed", missed.len()), "0")
        .details(missed.into_iter().skip(1))
        .lines(all.iter().map(|one| one.line)))
}
