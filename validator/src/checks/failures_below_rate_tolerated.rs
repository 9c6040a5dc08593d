//! Failures below the declared rate do not open the circuit.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::{Dependency, Protocol};
use crate::plan::{Needs, Part};
use crate::timeline::{Degraded, Kind, Sought, Timeline, Unmeasured};

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
    needs: Needs::Parts(&[Part::FailingCalls]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let mut chosen = timeline.degraded(&Sought {
        fault: &|one| one.breaker.is_some() && one.failing_percent().is_some() && !one.must_open(),
        due: &|dependency| is_due(timeline, dependency),
        none: "no breaker is declared that bears a share of failures",
    })?;
    let told = chosen.look(|one| opened(timeline, one));
    let shares: Vec<String> =
        told.iter().filter_map(|(one, _)| Some(format!("{:.0} %", one.achieved_percent()?))).collect();
    let pass = format!("{} of calls failed and opened no circuit", shares.join(", "));
    let (unit, any) = (format!("of {} opened", told.len()), !told.is_empty());
    let cases = told.into_iter().filter_map(|(_, case)| case);
    Ok(Finding::unless(cases, pass).tally(unit, "0").beside(&chosen.open, any))
}

/// Of these calls can be failed, and there is a share that they surely bear.
fn is_due(timeline: &Timeline, dependency: &Dependency) -> bool {
    let Some(breaker) = &dependency.breaker else { return false };
    let calls_per_s = timeline.quiet_calls_per_s(&dependency.name).unwrap_or(f64::INFINITY);
    matches!(dependency.protocol, Protocol::Postgres | Protocol::Http)
        && breaker.borne_percent(calls_per_s).is_some()
}

/// What is wrong, if the circuit opened.
fn opened(timeline: &Timeline, one: &Degraded) -> Result<Option<Case>, Unmeasured> {
    if let Some(missed) = timeline.missed_share(one) {
        return Err(Unmeasured::NotSeen(missed));
    }
    let Some(at) = timeline.opened_in(one)? else { return Ok(None) };
    let (after, percent) = ((at - one.fact.began) as f64 / 1000.0, one.failing_percent().unwrap_or(0));
    let text = format!("{} opened after {after:.1} s with {percent} % of its calls failing", one.name());
    let during = (one.fact.began, at.max(one.fact.ended));
    Ok(Some(Case::over(during, text, one.line).of(&one.fact.pod).before(&one.fact.dependency)))
}
