//! Of the calls that were to fail in part, as many failed as were to.

use crate::check::{Area, Check, Finding, Severity};
use crate::plan::{Needs, Part};
use crate::timeline::{Degraded, Sought, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E112",
    slug: "shares-were-met",
    area: Area::Run,
    severity: Severity::Minor,
    why: "A circuit that stayed closed at 40 % of failures has proved nothing if there were 10.",
    how: "Where calls are failed in part, the share of those that failed must be within 5 points of what was ordered, over 20 calls at least; a circuit that had to open, and did, needs no more than it got. GL-B212 and GL-B213 rest on it.",
    remedy: "Raise the rate, so that every pod makes more calls.",
    rests_on: &[],
    needs: Needs::Parts(&[Part::FailingCalls]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let chosen = timeline.degraded(&Sought {
        fault: &|one| one.failing_percent().is_some(),
        due: &|_| false,
        none: "no calls were to fail in part",
    })?;
    let missed: Vec<String> = chosen.all.iter().filter_map(|one| timeline.missed_share(one)).collect();
    let achieved = |one: &Degraded| Some(format!("{:.0} % of {}", one.achieved_percent()?, one.fact.met));
    let achieved: Vec<String> = chosen.all.iter().filter_map(achieved).collect();
    let finding = match missed.first() {
        Some(text) => Finding::inconclusive(text.clone()),
        None => Finding::pass(format!("calls failed as ordered: {}", achieved.join(", "))),
    };
    let lines: Vec<usize> = chosen.all.iter().map(|one| one.line).collect();
    Ok(finding
        .measured(format!("{} missed", missed.len()), "0")
        .details(missed.into_iter().skip(1))
        .lines(lines)
        .beside(&chosen.open, !chosen.all.is_empty()))
}
