//! After the outage every pod asks its database again, in time.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Millis, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B210",
    slug: "fresh-again-after-outage",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "A circuit that stays open after the database is back goes on serving old data until somebody restarts the pods.",
    how: "From the moment everything is back to the moment calls of the pod flow again: at most the open time, one deadline and the policy's margin.",
    remedy: "Let the next request after the open time be the trial; do not double the open time without a bound.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::Hang, Part::Loss]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    timeline.tested_circuits()?;
    let begin = timeline.step(Step::Recovery).map(|span| span.begin);
    let begin = begin.ok_or_else(|| Unmeasured::NotSeen("the recovery was not reached".into()))?;
    let margin = timeline.plan().limits().max_recovery_margin_s;
    let mut wrong = Vec::new();
    let (mut longest, mut limit, mut pods) = (0.0_f64, 0.0_f64, 0);
    for loss in timeline.losses()? {
        for (dependency, breaker) in timeline.breakers() {
            let Some((line, _)) = loss.faults.iter().find(|(_, f)| f.dependency == dependency.name) else {
                continue;
            };
            limit = breaker.open_for.0 + breaker.deadline.0 + margin;
            pods += 1;
            let calls = timeline.calls.of(&dependency.name, loss.pod);
            let due = begin + (limit * 1000.0) as Millis;
            let flow = calls.flow_after(begin, breaker.trials_per_pod());
            let text = match flow.map(|at| (at - begin) as f64 / 1000.0) {
                Some(took) if took <= limit => {
                    longest = longest.max(took);
                    continue;
                }
                Some(took) => format!("{} asked {} again only after {took:.1} s", loss.pod, dependency.name),
                None => format!("{} did not ask {} again", loss.pod, dependency.name),
            };
            let case = Case::over((begin, flow.unwrap_or(due)), text, *line);
            wrong.push(case.of(loss.pod).before(&dependency.name));
        }
    }
    let pass = format!("{pods} pods asked their database again within {longest:.1} s");
    Ok(Finding::unless(wrong, pass).measured(format!("{longest:.1} s"), format!("<= {limit} s")))
}
