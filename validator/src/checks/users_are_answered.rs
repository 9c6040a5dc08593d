//! While nobody does anything to the service, its users are answered.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Class, SecondFact, Step};
use crate::plan::Needs;
use crate::timeline::{About, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H103",
    slug: "users-are-answered",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "Probes say that a pod lives; whether users get what they ask for only their requests say.",
    how: "Counts requests through the Service that are answered as usual or as declared while nothing is done to the service: of an observing run those of the observation, of any other those of the baseline. Seconds in which the run itself was disturbed are left out.",
    remedy: "Look at what the requests ended as, and at the service's log of that time.",
    rests_on: &[Kind::Load, Kind::Validator, Kind::Target, Kind::Clock],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let seconds = seconds(timeline)?;
    let telling = |second: &SecondFact| -> u64 {
        let telling = second.outcomes.iter().filter(|(outcome, _)| outcome.is_telling());
        telling.map(|(_, count)| u64::from(*count)).sum()
    };
    let total: u64 = seconds.iter().map(|(_, second)| telling(second)).sum();
    if total == 0 {
        return Err(Unmeasured::NotSeen("no request was answered or lost in an undisturbed second".into()));
    }
    let cases: Vec<Case> = seconds.iter().filter_map(|second| case(timeline, *second)).collect();
    let answered = total - cases.iter().map(|case| case.count).sum::<u64>();
    let (share, least) = (answered as f64 / total as f64, timeline.plan().limits().min_baseline_share);
    let failed: Vec<Case> = cases.into_iter().filter(|_| share < least).collect();
    // Before the roll in of another image the version serves that the candidate may repair.
    let is_replaced = timeline.observed().is_none() && timeline.plan().target.changes_image();
    let (own, replaced) = if is_replaced { (Vec::new(), failed) } else { (failed, Vec::new()) };
    Ok(Finding::of_both(own, replaced, format!("{answered} of {total} requests were answered as usual"))
        .counted(format!("of {total} requests were not answered as usual"))
        .measured(format!("{:.2} %", share * 100.0), format!(">= {:.0} %", least * 100.0)))
}

/// Those of the load through the Service.
fn seconds<'t>(timeline: &'t Timeline) -> Result<Vec<(usize, &'t SecondFact)>, Unmeasured> {
    let window = match timeline.observed() {
        Some(observed) => observed,
        None => timeline.between(Step::Baseline, Step::Baseline)?,
    };
    let clear = |second: &SecondFact| {
        timeline.trust.explains(CHECK.rests_on, About::default(), second.during()).is_none()
            && second.class != Class::Direct
    };
    Ok(timeline.load.seconds_within(window).filter(|(_, second)| clear(second)).collect())
}

/// What users of a second were told instead, if any were let down.
fn case(timeline: &Timeline, (line, second): (usize, &SecondFact)) -> Option<Case> {
    let (count, words) = timeline.load.lost_in(second);
    let text = format!("{}: {words}", timeline.request_name(second.template));
    (count > 0).then(|| Case::over(second.during(), text, line).times(count))
}
