//! The trial call comes when the declared open time has run out.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Millis;
use crate::plan::Part;
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B203",
    slug: "trial-comes-when-due",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "Too early and the database is not left alone; too late and users see the fallback longer than they must.",
    how: "From the moment a circuit opened, or a trial of it was given up, to the next statement that reaches the middle agent; one that does not come while it is waited for is late. Where statements come although the circuit is open (GL-B204), the trial cannot be told.",
    remedy: "Let the open time run from the opening, and send the next request as the trial when it is over.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: &[Part::Hang, Part::FailedTrial],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let policy = timeline.plan().limits();
    let mut seen = Vec::new();
    let mut wrong = Vec::new();
    let (mut limit, mut leaky) = (String::new(), None);
    for (circuit, opened) in timeline.opened_circuits()? {
        // What comes first may be one more of the statements that ask no circuit, and no trial.
        if timeline.through(circuit, opened).is_some_and(|through| through.is_more_than_trials()) {
            leaky = Some(circuit);
            continue;
        }
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
            let Some(since) = trial.since else { continue };
            let after = |since: Millis, at: Millis| (at - since) as f64 / 1000.0;
            let (name, case) = (circuit.name(), |until, text| {
                let case = Case::between((since.last, until), text, trial.line);
                case.of(circuit.pod).before(circuit.dependency)
            });
            let Some(hit) = trial.fact.first_hit else {
                // It was waited for as long as the order stood.
                let waited = after(since.by, trial.fact.ended);
                if waited > latest {
                    wrong.push(case(trial.fact.ended, format!("{name}: no trial came within {waited:.1} s")));
                }
                continue;
            };
            seen.push(format!("{:.1}", after(since.last, hit)));
            // The circuit opened between two moments: the trial is wrong if it is from either.
            if after(since.last, hit) < earliest || after(since.by, hit) > latest {
                let text = format!("{name}: the trial came after {:.1} s", after(since.last, hit));
                wrong.push(case(hit, text));
            }
        }
    }
    if seen.is_empty() && wrong.is_empty() {
        return Err(Unmeasured::NotSeen(leaky.map_or("no trial call came".to_owned(), |circuit| {
            format!(
                "statements of {} came while the circuit was open (GL-B204): no trial can be told among them",
                circuit.name()
            )
        })));
    }
    Ok(Finding::unless(wrong, format!("{} trials came when they were due", seen.len()))
        .measured(format!("{} s", seen.join(", ")), limit))
}
