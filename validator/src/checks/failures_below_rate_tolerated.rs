//! Failures below the declared rate do not open the circuit.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::timeline::{Degraded, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B212",
    slug: "failures-below-rate-tolerated",
    area: Area::Breaker,
    severity: Severity::Minor,
    why: "A circuit that opens at fewer failures than declared turns a database that serves most calls into one that serves none.",
    how: "Calls of one pod are failed evenly, ten points below errorRate, for longer than the window (SQLSTATE 53200; 503 over HTTP; UNAVAILABLE over gRPC; a transaction counts once); with consecutiveFailures every tenth one. Calls that stop for 3 s (80 % of openFor if that is less) mean that the circuit opened.",
    remedy: "Hold the share of failures over the whole window against the declared rate, and count each call once: one that makes several statements fails more often than each of them.",
    rests_on: Kind::OF_BROKEN_CALLS,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let below = |one: &Degraded| {
        let breaker = one.breaker.zip(one.failing_percent());
        breaker.is_some_and(|(breaker, percent)| !breaker.opens_at_percent(percent))
    };
    let all = timeline.degraded(below, "no breaker is declared that bears a share of failures")?;
    if let Some(missed) = all.iter().find_map(Degraded::missed_share) {
        return Err(Unmeasured::NotSeen(missed));
    }
    let mut cases = Vec::new();
    for one in &all {
        let Some(at) = timeline.opened_in(one)? else { continue };
        let (after, percent) = ((at - one.fact.began) as f64 / 1000.0, one.failing_percent().unwrap_or(0));
        let text = format!("{} opened after {after:.1} s with {percent} % of its calls failing", one.name());
        let during = (one.fact.began, at.max(one.fact.ended));
        cases.push(Case::over(during, text, one.line).of(&one.fact.pod).before(&one.fact.dependency));
    }
    let shares: Vec<String> =
        all.iter().filter_map(Degraded::achieved_percent).map(|share| format!("{share:.0} %")).collect();
    let pass = format!("{} of calls failed and opened no circuit", shares.join(", "));
    Ok(Finding::unless(cases, pass).tally(format!("of {} opened", all.len()), "0"))
}
