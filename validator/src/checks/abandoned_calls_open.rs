//! The circuit opens although no client waits for the deadline.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Fault;
use crate::plan::{Needs, Part};
use crate::timeline::{Degraded, Kind, Opening, Sought, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B216",
    slug: "abandoned-calls-open",
    area: Area::Breaker,
    severity: Severity::Minor,
    why: "Users hang up after a second; where a call ends with its request nothing is ever counted, and the breaker sleeps through the outage that it was built for.",
    how: "Calls of one pod hang while every client of the load hangs up after 1 s (half of the declared deadline if that is less): the circuit must open as if they waited. The last pod-direct request that waited longer than it usually takes tells.",
    remedy: "Let a call that was begun end by itself, or count one that is dropped after a good part of its deadline as a failure.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::HangUps]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let mut chosen = timeline.degraded(&Sought {
        fault: &|one| one.fact.fault == Fault::Hang && one.breaker.is_some(),
        due: &|dependency| dependency.breaker.is_some(),
        none: "no breaker is declared that could open",
    })?;
    let told = chosen.look(|one| opened(timeline, one));
    let after: Vec<String> =
        told.iter().filter_map(|(_, opened)| Some(format!("{:.1} s", opened.as_ref().ok()?))).collect();
    let pass = format!("{} circuits opened, after {}, although nobody waited", after.len(), after.join(", "));
    let (unit, any) = (format!("of {} stayed closed", told.len()), !told.is_empty());
    let cases = told.into_iter().filter_map(|(_, opened)| opened.err());
    Ok(Finding::unless(cases, pass).tally(unit, "0").beside(&chosen.open, any))
}

/// Seconds from the first hanging calls to the opening, or what is wrong.
fn opened(timeline: &Timeline, one: &Degraded) -> Result<Result<f64, Case>, Unmeasured> {
    if timeline.given_up_in(one) == 0 {
        return Err(Unmeasured::NotSeen(format!("no client of {} hung up while calls hung", one.fact.pod)));
    }
    let Some(breaker) = one.breaker else {
        return Err(Unmeasured::NotDeclared("no breaker is declared".into()));
    };
    match timeline.abandoned_opening(one.fact, breaker) {
        Opening::At(opened) => Ok(Ok((opened.last - one.fact.began) as f64 / 1000.0)),
        Opening::Never => {
            timeline.calls_enough(&one.fact.dependency, breaker)?;
            let text = format!("the circuit of {} stayed closed while clients hung up", one.name());
            let case = Case::over(one.during(), text, one.line);
            Ok(Err(case.of(&one.fact.pod).before(&one.fact.dependency)))
        }
        Opening::Unseen(reason) => Err(Unmeasured::NotSeen(reason)),
    }
}
