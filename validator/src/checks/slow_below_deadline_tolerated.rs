//! A dependency that is slow, and answers below the deadline, opens nothing and costs nobody an answer.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Fault, Millis};
use crate::timeline::{Degraded, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B214",
    slug: "slow-below-deadline-tolerated",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "Databases are slow now and then; who refuses users although every answer would have come in time makes an outage of it.",
    how: "Every call of one pod takes up to 500 ms more, at most a third of the declared deadline and, from 100 ms on, as much as leaves half of its open connections to others, for 8 s: its calls must go on, and no request to it past the Service may be lost or get 503. Only judged while calls in flight leave a connection of the pool to others: else it was we who held the pool.",
    remedy: "Let the deadline alone decide which call has failed; give the pool room for calls that take a third of it.",
    rests_on: Kind::OF_BROKEN_CALLS,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let patient = |one: &Degraded| {
        matches!(one.fact.fault, Fault::Slow { .. })
            && one.breaker.is_some()
            && timeline.given_up_in(one) == 0
    };
    let all = timeline.degraded(patient, "no breaker is declared: what is too slow is not known")?;
    let (mut cases, mut answers) = (Vec::new(), 0);
    for one in &all {
        if one.fact.hits == 0 {
            return Err(Unmeasured::NotSeen(format!("{} made no call while it was slow", one.name())));
        }
        let refused = refused(timeline, one);
        answers += refused.of;
        let opened = timeline.opened_in(one)?.map(|at| {
            let text = format!("the circuit of {} opened although every answer came in time", one.name());
            Case::over((one.fact.began, at.max(one.fact.ended)), text, one.line)
        });
        let wrong: Vec<Case> = opened.into_iter().chain(refused.cases).collect();
        if !wrong.is_empty() && in_flight(one) >= spare(timeline, one) {
            let full = format!("{}: slow calls filled its pool, it was we who held it", one.name());
            return Err(Unmeasured::NotSeen(full));
        }
        cases.extend(wrong.into_iter().map(|c| c.of(&one.fact.pod).before(&one.fact.dependency)));
    }
    let pass = format!("{answers} answers while every call took longer, none refused, no circuit opened");
    Ok(Finding::unless(cases, pass).details(all.iter().map(told)))
}

fn told(one: &Degraded) -> String {
    let Fault::Slow { delay_ms } = one.fact.fault else { return one.name() };
    format!("{}: {} calls took {delay_ms} ms longer", one.name(), one.fact.hits)
}

/// Requests past the Service, and those that were let down.
struct Refused {
    of: u64,
    cases: Vec<Case>,
}

fn refused(timeline: &Timeline, one: &Degraded) -> Refused {
    let mut refused = Refused { of: 0, cases: Vec::new() };
    for (line, second) in timeline.load.direct_seconds(&one.fact.pod, one.during()) {
        let (lost, words) = timeline.load.lost_in(second);
        refused.of += u64::from(second.due);
        if lost > 0 {
            let text = format!("{} answered {words} while {} was slow", one.fact.pod, one.fact.dependency);
            refused.cases.push(Case::over(second.during(), text, line).times(lost));
        }
    }
    refused
}

/// The most calls that waited at the same time.
fn in_flight(one: &Degraded) -> usize {
    let held = &one.fact.held;
    let at = |moment: Millis| held.iter().filter(|h| h.from <= moment && moment < h.to).count();
    held.iter().map(|h| at(h.from)).max().unwrap_or(0)
}

/// The connections that the pod had open at the time.
fn spare(timeline: &Timeline, one: &Degraded) -> usize {
    let open = timeline.calls.of(&one.fact.dependency, &one.fact.pod).most_open(one.during());
    usize::try_from(open).unwrap_or(usize::MAX)
}
