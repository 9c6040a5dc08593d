//! The trial call comes when the declared open time has run out.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Limits;
use crate::evidence::Millis;
use crate::plan::{Needs, Part};
use crate::timeline::{Circuit, Kind, Opened, Through, Timeline, Trial, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B203",
    slug: "trial-comes-when-due",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "Too early and the database is not left alone; too late and users see the fallback longer than they must.",
    how: "From the moment a circuit opened, or a trial of it was given up, to the next statement that reaches the middle agent; one that does not come while it is waited for is late. Where more statements come through the open circuit than trials could, or some come without load, the trial cannot be told (GL-B204).",
    remedy: "Let the open time run from the opening, and send the next request as the trial when it is over.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::Hang, Part::FailedTrial]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

/// When a trial of one circuit may come, in seconds after it has opened.
struct Due {
    earliest: f64,
    latest: f64,
}

impl Due {
    fn of(circuit: &Circuit, limits: &Limits) -> Self {
        let Circuit { breaker, pace, .. } = circuit;
        // The first process of several may have opened as much before the last one, that is seen.
        let spread = if breaker.per_process > 1 {
            let (first, last) = circuit.opens_between_s();
            last - first
        } else {
            0.0
        };
        let next = RULE_OF_THREE / pace.calls_per_s;
        Self {
            earliest: breaker.open_for.0 - limits.trial_early_s - spread,
            latest: breaker.open_for.0 + limits.trial_late_s + next,
        }
    }
}

/// At 95 % a call has come in the time in which three are expected: the trial is the next one after the open time.
const RULE_OF_THREE: f64 = 3.0;

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    let (mut limit, mut leaky) = (String::new(), None);
    for (circuit, opened) in timeline.opened_circuits()? {
        if let Some(through) = timeline.through(circuit, opened).filter(Through::is_more_than_trials) {
            // What comes first may be one more of the statements that ask no circuit, and no trial.
            if through.hides_trials() {
                leaky = Some(circuit.name());
                continue;
            }
            wrong.extend(too_soon(timeline, circuit, &through));
        }
        let due = Due::of(circuit, timeline.plan().limits());
        limit = format!("{:.1} to {:.1} s", due.earliest, due.latest);
        for (trial, since) in circuit.trials.iter().filter_map(|trial| Some((trial, trial.since?))) {
            seen.extend(trial.fact.first_hit.map(|hit| format!("{:.1}", seconds(since.last, hit))));
            wrong.extend(untimely(circuit, (trial, since), &due));
        }
    }
    if seen.is_empty() && wrong.is_empty() {
        return Err(Unmeasured::NotSeen(leaky.map_or("no trial call came".to_owned(), |name| {
            format!("statements of {name} came while the circuit was open (GL-B204): no trial can be told among them")
        })));
    }
    Ok(Finding::unless(wrong, format!("{} trials came when they were due", seen.len()))
        .measured(format!("{} s", seen.join(", ")), limit))
}

/// The first call that came while the circuit should have been open.
fn too_soon(timeline: &Timeline, circuit: &Circuit, through: &Through) -> Option<Case> {
    let first = timeline.calls.of(circuit.dependency, circuit.pod).first_after(through.during.0)?;
    let since = circuit.opened()?.last;
    let text = format!("{}: a trial came after {:.1} s", circuit.name(), seconds(since, first));
    let case = Case::between((since, first), text, circuit.line);
    Some(case.of(circuit.pod).before(circuit.dependency))
}

/// A trial that came too soon or too late, or did not come while it was waited for.
fn untimely(circuit: &Circuit, (trial, since): (&Trial, Opened), due: &Due) -> Option<Case> {
    let name = circuit.name();
    let case = |until, text| {
        let case = Case::between((since.last, until), text, trial.line);
        case.of(circuit.pod).before(circuit.dependency)
    };
    let Some(hit) = trial.fact.first_hit else {
        let (ended, waited) = (trial.fact.ended, seconds(since.by, trial.fact.ended));
        return (waited > due.latest)
            .then(|| case(ended, format!("{name}: no trial came within {waited:.1} s")));
    };
    // The circuit opened between two moments: the trial is wrong if it is from either.
    let is_wrong = seconds(since.last, hit) < due.earliest || seconds(since.by, hit) > due.latest;
    is_wrong.then(|| case(hit, format!("{name}: the trial came after {:.1} s", seconds(since.last, hit))))
}

fn seconds(from: Millis, to: Millis) -> f64 {
    (to - from) as f64 / 1000.0
}
