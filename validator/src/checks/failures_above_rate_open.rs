//! Failures above the declared rate open the circuit, whatever they are.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Millis;
use crate::timeline::{Degraded, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B213",
    slug: "failures-above-rate-open",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "A database that is up and answers most calls with errors is as good as down; a breaker that counts only time-outs lets every caller find that out for itself.",
    how: "Calls of one pod are failed evenly, ten points above errorRate, answered at once (SQLSTATE 53200; 503 over HTTP; UNAVAILABLE over gRPC; a transaction counts once); with consecutiveFailures all of them. Once the window holds nothing older, calls must stop for 3 s (80 % of openFor if that is less). Where failed calls are repeated, fewer requests fail than calls do: then nothing can be said of a circuit that stays closed.",
    remedy: "Count every error that says that the dependency does not work as a failure: time-outs, refused connections, resources that are used up, 5xx.",
    rests_on: Kind::OF_BROKEN_CALLS,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let above = |one: &Degraded| {
        let breaker = one.breaker.zip(one.failing_percent());
        breaker.is_some_and(|(breaker, percent)| breaker.opens_at_percent(percent))
    };
    let all = timeline.degraded(above, "no breaker is declared whose calls can be failed in part")?;
    let (mut cases, mut after) = (Vec::new(), Vec::new());
    for one in &all {
        let opened = timeline.opened_in(one)?.map(|at| (at - one.fact.began) as f64 / 1000.0);
        let limit_s = limit_s(timeline, one)?;
        match opened {
            Some(seconds) if seconds <= limit_s => after.push(format!("{seconds:.1} s")),
            // A few calls are enough for a circuit that has opened.
            _ if one.missed_share().is_some() => {
                return Err(Unmeasured::NotSeen(one.missed_share().unwrap_or_default()));
            }
            opened => cases.push(case(timeline, one, opened, limit_s)?),
        }
    }
    let pass =
        format!("{} circuits opened, {} after calls began to fail in part", all.len(), after.join(", "));
    Ok(Finding::unless(cases, pass).tally(format!("of {} stayed closed", all.len()), "0"))
}

fn case(timeline: &Timeline, one: &Degraded, opened: Option<f64>, limit_s: f64) -> Result<Case, Unmeasured> {
    if let Some(repeats) = timeline.repeats(one) {
        return Err(Unmeasured::NotSeen(format!("{}: {repeats}", one.name())));
    }
    let due = one.fact.began + (limit_s * 1000.0) as Millis;
    if opened.is_none() && one.fact.ended < due {
        let few = format!("{} may need longer than its calls failed for: raise the rate", one.name());
        return Err(Unmeasured::NotSeen(few));
    }
    let share = one.achieved_percent().unwrap_or_default();
    let what = opened.map_or_else(
        || "never opened".to_owned(),
        |seconds| format!("opened only after {seconds:.1} s (by {limit_s:.1} s)"),
    );
    let text = format!("the circuit of {} {what} with {share:.0} % of its calls failing", one.name());
    Ok(Case::over((one.fact.began, due), text, one.line).of(&one.fact.pod).before(&one.fact.dependency))
}

/// When what the breaker looks back on is full of failures, and the policy's margin.
fn limit_s(timeline: &Timeline, one: &Degraded) -> Result<f64, Unmeasured> {
    let calls_per_s = timeline.quiet_calls_per_s(&one.fact.dependency)?;
    let fills_s = one.breaker.map_or(0.0, |breaker| breaker.fills_s(calls_per_s));
    Ok(fills_s + timeline.plan().policy.opening_late_s)
}
