//! Failures above the declared rate open the circuit, whatever they are.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::{Dependency, Opens, Protocol};
use crate::evidence::Millis;
use crate::plan::{Needs, Part};
use crate::timeline::{Degraded, Kind, Sought, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B213",
    slug: "failures-above-rate-open",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "A database that is up and answers most calls with errors is as good as down; a breaker that counts only time-outs lets every caller find that out for itself.",
    how: "Calls of one pod are failed evenly, ten points above errorRate, answered at once (SQLSTATE 53200; 503 over HTTP; UNAVAILABLE over gRPC; a transaction counts once); with consecutiveFailures all of them. Once the window holds nothing older, calls must stop for 3 s (80 % of openFor if that is less). Where failed calls are repeated, fewer requests fail than calls do, and where fewer calls come than the declaration needs none has to open: then nothing can be said of a circuit that stays closed.",
    remedy: "Count every error that says that the dependency does not work as a failure: time-outs, refused connections, resources that are used up, 5xx.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::FailingCalls]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let mut chosen = timeline.degraded(&Sought {
        fault: &Degraded::must_open,
        due: &is_due,
        none: "no breaker is declared whose calls can be failed in part",
    })?;
    let told = chosen.look(|one| opening(timeline, one));
    let after: Vec<String> =
        told.iter().filter_map(|(_, opened)| Some(format!("{:.1} s", opened.as_ref().ok()?))).collect();
    let early = told.iter().filter_map(|(one, opened)| early(one, *opened.as_ref().ok()?));
    let details: Vec<String> = early.collect();
    let pass =
        format!("{} circuits opened, {} after calls began to fail in part", after.len(), after.join(", "));
    let (unit, any) = (format!("of {} stayed closed", told.len()), !told.is_empty());
    let cases = told.into_iter().filter_map(|(_, opened)| opened.err());
    Ok(Finding::unless(cases, pass).tally(unit, "0").details(details).beside(&chosen.open, any))
}

/// Of these all calls can be failed.
fn is_due(dependency: &Dependency) -> bool {
    dependency.breaker.is_some() && matches!(dependency.protocol, Protocol::Postgres | Protocol::Http)
}

/// Seconds from the first failing calls to the opening, or what is wrong.
fn opening(timeline: &Timeline, one: &Degraded) -> Result<Result<f64, Case>, Unmeasured> {
    let limit_s = limit_s(timeline, one)?;
    let at = timeline.all_opened_in(one)?;
    let opened = at.map(|at| (at - one.fact.began) as f64 / 1000.0);
    if at.is_some_and(|at| one.fact.first_hit.is_none_or(|hit| hit > at + CLOSE_MS)) {
        let other = format!("calls of {} stopped before one of them failed", one.name());
        return Err(Unmeasured::NotSeen(other));
    }
    match opened {
        Some(seconds) if seconds <= limit_s => Ok(Ok(seconds)),
        opened => case(timeline, one, opened, limit_s).map(Err),
    }
}

/// Calls are counted by the tenth of a second, and stretches of them are looked at.
const CLOSE_MS: Millis = 1_000;

/// What is to be known of a circuit that opened before its window held nothing but what was failed: one that begins anew
/// may, one that slides may not.
fn early(one: &Degraded, seconds: f64) -> Option<String> {
    let Opens::ErrorRate { error_rate, window, .. } = one.breaker?.opens else { return None };
    let earliest = error_rate / (f64::from(one.failing_percent()?) / 100.0) * window.0;
    (seconds + 1.0 < earliest).then(|| {
        format!(
            "{}: a window that slides would have opened after {earliest:.1} s, not {seconds:.1} s",
            one.name()
        )
    })
}

/// Why a circuit that did not open in time is wrong.
fn case(timeline: &Timeline, one: &Degraded, opened: Option<f64>, limit_s: f64) -> Result<Case, Unmeasured> {
    // A few calls are enough for a circuit that has opened.
    if let Some(why) = timeline
        .missed_share(one)
        .or_else(|| too_few(one))
        .or_else(|| timeline.repeats(one).map(|why| format!("{}: {why}", one.name())))
    {
        return Err(Unmeasured::NotSeen(why));
    }
    one.breaker.map_or(Ok(()), |breaker| timeline.calls_enough(&one.fact.dependency, breaker))?;
    let due = one.fact.began.saturating_add((limit_s * 1000.0) as Millis);
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

/// Why the window may never have held the minimum of calls, while they failed.
fn too_few(one: &Degraded) -> Option<String> {
    let breaker = one.breaker?;
    let (needed, why) = breaker.opens.needs()?;
    let seconds = (one.fact.ended - one.fact.began).max(1) as f64 / 1000.0;
    let calls_per_s = one.fact.met as f64 / seconds / f64::from(breaker.per_process);
    (calls_per_s < needed).then(|| {
        format!(
            "{}: {calls_per_s:.1} calls per second and circuit while they failed are fewer than {why}",
            one.name()
        )
    })
}

/// When what the breaker looks back on is full of failures, and the policy's margin.
fn limit_s(timeline: &Timeline, one: &Degraded) -> Result<f64, Unmeasured> {
    let calls_per_s = timeline.quiet_calls_per_s(&one.fact.dependency)?;
    let fills_s = one.breaker.map_or(0.0, |breaker| breaker.fills_s(calls_per_s));
    Ok(fills_s + timeline.plan().limits().opening_late_s)
}
