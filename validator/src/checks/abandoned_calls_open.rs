//! The circuit opens although no client waits for the deadline.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Fault;
use crate::timeline::{Degraded, Kind, Opening, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B216",
    slug: "abandoned-calls-open",
    area: Area::Breaker,
    severity: Severity::Minor,
    why: "Users hang up after a second; where a call ends with its request nothing is ever counted, and the breaker sleeps through the outage that it was built for.",
    how: "Calls of one pod hang while every client of the load hangs up after 1 s (half of the declared deadline if that is less): the circuit must open as if they waited. The last pod-direct request that waited tells.",
    remedy: "Let a call that was begun end by itself, or count one that is dropped after a good part of its deadline as a failure.",
    rests_on: Kind::OF_BROKEN_CALLS,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let hangs = |one: &Degraded| one.fact.fault == Fault::Hang && one.breaker.is_some();
    let all = timeline.degraded(hangs, "no breaker is declared that could open")?;
    let (mut cases, mut opened) = (Vec::new(), Vec::new());
    for one in &all {
        if timeline.given_up_in(one) == 0 {
            return Err(Unmeasured::NotSeen("no client hung up while calls hung".into()));
        }
        let Some(breaker) = one.breaker else { continue };
        match timeline.abandoned_opening(one.fact, breaker) {
            Opening::At(at) => opened.push(format!("{:.1} s", (at - one.fact.began) as f64 / 1000.0)),
            Opening::Never => {
                let text = format!("the circuit of {} stayed closed while clients hung up", one.name());
                let case = Case::over(one.during(), text, one.line);
                cases.push(case.of(&one.fact.pod).before(&one.fact.dependency));
            }
            Opening::Unseen(reason) => return Err(Unmeasured::NotSeen(reason)),
        }
    }
    let pass = format!("{} circuits opened, after {}, although nobody waited", all.len(), opened.join(", "));
    Ok(Finding::unless(cases, pass).tally(format!("of {} stayed closed", all.len()), "0"))
}
