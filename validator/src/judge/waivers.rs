//! What the policy allows to fail: applied here and nowhere else, and every waiver that names the service is told.

use crate::check::{Check, Outcome};
use crate::checks;
use crate::config::{Day, Waiver};
use crate::plan::{Plan, Waivers};
use crate::report::{CheckLine, WaiverLine, WaiverState};

/// Waives what may be waived on this day, and tells of every waiver of the policy whose scope the target is in.
///
/// What the run rests on, and lost requests, stay as they are even if a policy names them: one that came with the evidence was
/// read by another validator.
pub(super) fn apply(plan: &Plan, day: Day, lines: &mut [CheckLine]) -> Vec<WaiverLine> {
    let target = &plan.target;
    let all = plan.policy.spec.waivers.iter();
    let ours = all.filter(|waiver| waiver.scope.covers(&target.namespace, &target.deployment));
    ours.map(|waiver| {
        let line = lines.iter_mut().find(|line| line.id == waiver.check.as_str());
        let state = match (plan.waivers, line) {
            (Waivers::Ignored, _) => WaiverState::Ignored,
            (Waivers::Count, Some(line)) => used(waiver, day, line),
            (Waivers::Count, None) => WaiverState::Unused,
        };
        WaiverLine::new(waiver, state)
    })
    .collect()
}

/// What becomes of a check that has a waiver.
fn used(waiver: &Waiver, day: Day, line: &mut CheckLine) -> WaiverState {
    if waiver.until < day {
        if matches!(line.finding.outcome, Outcome::Fail | Outcome::Inconclusive) {
            let told = format!("its waiver ended on {}; who answers for it: {}", waiver.until, waiver.owner);
            line.finding.details.push(told);
        }
        return WaiverState::Expired;
    }
    let fails = matches!(line.finding.outcome, Outcome::Fail | Outcome::Inconclusive);
    let may = checks::find(&line.id).is_some_and(Check::can_be_waived);
    if !fails || !may {
        return WaiverState::Unused;
    }
    line.finding.outcome = Outcome::Waived;
    line.finding
        .details
        .push(format!("waived until {} by {}: {}", waiver.until, waiver.approver, waiver.reason));
    WaiverState::Used
}
