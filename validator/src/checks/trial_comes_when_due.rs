//! The trial call comes when the declared open time has run out.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::plan::{Needs, Part};
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B203",
    slug: "trial-comes-when-due",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "Too early and the database is not left alone; too late and users see the fallback longer than they must.",
    how: "From the moment a circuit opened, or a trial of it was given up, to the next statement that reaches the middle agent.",
    remedy: "Let the open time run from the opening, and send the next request as the trial when it is over.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::Hang, Part::FailedTrial]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let policy = timeline.plan().limits();
    let mut seen = Vec::new();
    let mut wrong = Vec::new();
    let mut limit = String::new();
    for (circuit, _) in timeline.opened_circuits()? {
        let open_for = circuit.breaker.open_for.0;
        // The first process of several may have opened as much before the last one, that is seen.
        let spread = if circuit.breaker.per_process > 1 {
            let (first, last) = circuit.opens_between_s();
            last - first
        } else {
            0.0
        };
        let (earliest, latest) = (open_for - policy.trial_early_s - spread, open_for + policy.trial_late_s);
        limit = format!("{earliest:.1} to {latest:.1} s");
        for trial in &circuit.trials {
            let (Some(since), Some(hit)) = (trial.since, trial.fact.first_hit) else { continue };
            let after = |since| (hit - since) as f64 / 1000.0;
            seen.push(format!("{:.1}", after(since.last)));
            // The circuit opened between two moments: the trial is wrong if it is from either.
            if after(since.last) < earliest || after(since.by) > latest {
                let text = format!("{}: the trial came after {:.1} s", circuit.name(), after(since.last));
                let case = Case::between((since.last, hit), text, trial.line);
                wrong.push(case.of(circuit.pod).before(circuit.dependency));
            }
        }
    }
    if seen.is_empty() {
        return Err(Unmeasured::NotSeen("no trial call came".into()));
    }
    Ok(Finding::unless(wrong, format!("{} trials came when they were due", seen.len()))
        .measured(format!("{} s", seen.join(", ")), limit))
}
