//! A dependency that is slow, and answers below the deadline, opens nothing and costs nobody an answer.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Fault;
use crate::plan::{Needs, Part};
use crate::timeline::{Degraded, Kind, Sought, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B214",
    slug: "slow-below-deadline-tolerated",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "Databases are slow now and then; who refuses users although every answer would have come in time makes an outage of it.",
    how: "Every call of one pod takes up to 500 ms more for 8 s; those of one request together at most a third of the declared deadline, and no more than the open connections have room for: its calls must go on, and no request to it past the Service may be lost or get 503. What went wrong while fewer calls came than usual, before a circuit opened, is not held against it: they waited for each other, and it was we who held the pool.",
    remedy: "Let the deadline alone decide which call has failed; give the pool room for calls that take a third of it.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::SlowCalls]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let slow = |one: &Degraded| matches!(one.fact.fault, Fault::Slow { .. }) && one.breaker.is_some();
    let mut chosen = timeline.degraded(&Sought {
        fault: &|one| slow(one) && timeline.given_up_in(one) == 0,
        due: &|dependency| dependency.breaker.is_some(),
        none: "no breaker is declared: what is too slow is not known",
    })?;
    let told = chosen.look(|one| tolerated(timeline, one));
    let answers: u64 = told.iter().map(|(_, refused)| refused.of).sum();
    let pass = format!("{answers} answers while every call took longer, none refused, no circuit opened");
    let (details, any) = (told.iter().map(|(one, _)| self::told(one)).collect::<Vec<_>>(), !told.is_empty());
    let cases = told.into_iter().flat_map(|(_, refused)| refused.cases);
    Ok(Finding::unless(cases, pass).details(details).beside(&chosen.open, any))
}

/// Answers of the pod, and what is wrong.
fn tolerated(timeline: &Timeline, one: &Degraded) -> Result<Refused, Unmeasured> {
    if one.fact.hits == 0 {
        return Err(Unmeasured::NotSeen(format!("{} made no call while it was slow", one.name())));
    }
    let mut refused = refused(timeline, one);
    if let Some(at) = timeline.opened_in(one)? {
        let text = format!("the circuit of {} opened although every answer came in time", one.name());
        refused.cases.insert(0, Case::over((one.fact.began, at.max(one.fact.ended)), text, one.line));
    }
    if let Some(held) = timeline.held_the_pool(one).filter(|_| !refused.cases.is_empty()) {
        return Err(Unmeasured::NotSeen(held));
    }
    let about = |case: Case| case.of(&one.fact.pod).before(&one.fact.dependency);
    Ok(Refused { cases: refused.cases.into_iter().map(about).collect(), ..refused })
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
