//! Clients that hang up on a service whose dependency works open nothing.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Fault;
use crate::timeline::{Degraded, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B217",
    slug: "abandoned-calls-of-working-store-tolerated",
    area: Area::Breaker,
    severity: Severity::Minor,
    why: "Clients leave for reasons of their own; if their leaving counted as failures, a few of them could cut everybody else off.",
    how: "Every call of one pod takes 500 ms, at most a third of the declared deadline, while every client of the load hangs up after 60 % of that: calls of the pod must go on.",
    remedy: "Count no call as a failure that its caller gave up well before the deadline.",
    rests_on: Kind::OF_BROKEN_CALLS,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let slow = |one: &Degraded| matches!(one.fact.fault, Fault::Slow { .. }) && one.breaker.is_some();
    let all = timeline.degraded(slow, "no breaker is declared that could open")?;
    let given_up: Vec<_> = all.iter().filter(|one| timeline.given_up_in(one) > 0).collect();
    if given_up.is_empty() {
        return Err(Unmeasured::NotSeen("no client hung up on a dependency that worked".into()));
    }
    let mut cases = Vec::new();
    for one in &given_up {
        let Some(at) = timeline.opened_in(one)? else { continue };
        let text = format!("the circuit of {} opened for clients that hung up", one.name());
        let during = (one.fact.began, at.max(one.fact.ended));
        cases.push(Case::over(during, text, one.line).of(&one.fact.pod).before(&one.fact.dependency));
    }
    let requests: usize = given_up.iter().map(|one| timeline.given_up_in(one)).sum();
    let pass = format!("{requests} requests were given up by their clients, and no circuit opened");
    Ok(Finding::unless(cases, pass).tally(format!("of {} opened", given_up.len()), "0"))
}
