//! An answer that what was asked for is not there is no failure of the dependency.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Protocol;
use crate::plan::{Needs, Part};
use crate::timeline::{Degraded, Kind, Sought, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B215",
    slug: "client-errors-not-counted",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "A crawler that asks for what is not there must not be able to cut everybody off from a dependency that works.",
    how: "Every call of one pod to a dependency over HTTP with a breaker is answered 404 (NOT_FOUND over gRPC) for longer than the window: calls must go on.",
    remedy: "Count as failures what says that the dependency does not work: no answer, 5xx; not 4xx, beside 408 and 429 if you like.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::FailingCalls]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let mut chosen = timeline.degraded(&Sought {
        fault: &Degraded::is_client_error,
        due: &|dependency| dependency.breaker.is_some() && dependency.protocol == Protocol::Http,
        none: "no dependency over HTTP declares a breaker",
    })?;
    let told = chosen.look(|one| opened(timeline, one));
    let calls: u64 = told.iter().map(|(one, _)| one.fact.hits).sum();
    let pass = format!("{calls} calls were answered that nothing was found, and no circuit opened");
    let (unit, any) = (format!("of {} opened", told.len()), !told.is_empty());
    let cases = told.into_iter().filter_map(|(_, case)| case);
    Ok(Finding::unless(cases, pass).tally(unit, "0").beside(&chosen.open, any))
}

/// What is wrong, if the circuit opened.
fn opened(timeline: &Timeline, one: &Degraded) -> Result<Option<Case>, Unmeasured> {
    if one.fact.hits == 0 {
        return Err(Unmeasured::NotSeen(format!("{} made no call that could be answered so", one.name())));
    }
    let Some(at) = timeline.opened_in(one)? else { return Ok(None) };
    let text = format!("the circuit of {} opened for answers that nothing was found", one.name());
    let during = (one.fact.began, at.max(one.fact.ended));
    Ok(Some(Case::over(during, text, one.line).of(&one.fact.pod).before(&one.fact.dependency)))
}
