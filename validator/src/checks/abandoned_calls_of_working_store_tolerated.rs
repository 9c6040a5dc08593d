//! Clients that hang up on a service whose dependency works open nothing.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Fault;
use crate::plan::{Needs, Part};
use crate::timeline::{Degraded, Kind, Sought, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B217",
    slug: "abandoned-calls-of-working-store-tolerated",
    area: Area::Breaker,
    severity: Severity::Minor,
    why: "Clients leave for reasons of their own; if their leaving counted as failures, a few of them could cut everybody else off.",
    how: "Every call of one pod takes up to 500 ms more, as with GL-B214, while every client of the load hangs up after 60 % of that: calls of the pod must go on. Requests past the Service to the pod tell whether it was given up, if they usually take less.",
    remedy: "Count no call as a failure that its caller gave up well before the deadline.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::HangUps]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let slow = |one: &Degraded| matches!(one.fact.fault, Fault::Slow { .. }) && one.breaker.is_some();
    let mut chosen = timeline.degraded(&Sought {
        fault: &|one| slow(one) && timeline.given_up_in(one) > 0,
        due: &|dependency| dependency.breaker.is_some(),
        none: "no breaker is declared that could open",
    })?;
    let told = chosen.look(|one| opened(timeline, one));
    let requests: usize = told.iter().map(|(one, _)| timeline.given_up_in(one)).sum();
    let pass = format!("{requests} requests were given up by their clients, and no circuit opened");
    let (unit, any) = (format!("of {} opened", told.len()), !told.is_empty());
    let cases = told.into_iter().filter_map(|(_, case)| case);
    Ok(Finding::unless(cases, pass).tally(unit, "0").beside(&chosen.open, any))
}

/// What is wrong, if the circuit opened.
fn opened(timeline: &Timeline, one: &Degraded) -> Result<Option<Case>, Unmeasured> {
    let Some(at) = timeline.opened_in(one)? else { return Ok(None) };
    if let Some(held) = timeline.held_the_pool(one) {
        return Err(Unmeasured::NotSeen(held));
    }
    let text = format!("the circuit of {} opened for clients that hung up", one.name());
    let during = (one.fact.began, at.max(one.fact.ended));
    Ok(Some(Case::over(during, text, one.line).of(&one.fact.pod).before(&one.fact.dependency)))
}
