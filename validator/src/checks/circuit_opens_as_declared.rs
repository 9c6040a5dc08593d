//! When the database hangs, the circuit of every pod opens when the declared breaker says so.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Protocol;
use crate::evidence::Millis;
use crate::plan::{Needs, Part};
use crate::timeline::{Circuit, Kind, Opening, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B201",
    slug: "circuit-opens-as-declared",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "Until it opens every user waits for a dead database; one that opens too soon throws away good answers.",
    how: "All statements of warm pods hang. A breaker that counts failures in a row, or a share of the last calls, must have had so many calls that failed after their deadline: the pod's rate and connections say when, chance included; with several processes per pod the last one counts. Of a share over a time: with failures known only a deadline after they began, the share of failures among the calls that have ended reaches errorRate at errorRate x window + (1 - errorRate) x deadline, and among those that have begun at errorRate x window + deadline, which is the latest that is right; a service that counts calls as failed when they begin opens at errorRate x window, the earliest. The last pod-direct request that waited tells.",
    remedy: "Count calls over the declared window, time-outs as failures, and open at the declared share; or declare what the service does.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::Hang]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    // A collector needs no breaker: who exports does not wait for it (GL-T206). What is called beside it and not declared
    // stands under NOT TESTED, and so does that nothing is known of what goes over `tcp`.
    if timeline.plan().dependencies.iter().all(|d| matches!(d.protocol, Protocol::Otlp | Protocol::Tcp)) {
        return Finding::skipped("the target file declares nothing that needs a circuit breaker");
    }
    // A service whose arrows nobody declared has proved nothing; the other checks of the breaker are skipped.
    if timeline.breakers().next().is_none() {
        return Finding::inconclusive(
            "the target file declares no circuit breaker: nothing was made to hang",
        );
    }
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let circuits = timeline.tested_circuits()?;
    let wrong: Vec<Case> = circuits.iter().filter_map(|c| case(timeline, c)).collect();
    let unseen = circuits.iter().find_map(|circuit| match &circuit.opening {
        Opening::Unseen(reason) => Some(reason),
        _ => None,
    });
    if let (true, Some(reason)) = (wrong.is_empty(), unseen) {
        return Err(Unmeasured::NotSeen(reason.clone()));
    }
    let seconds: Vec<String> = circuits.iter().filter_map(opened_s).map(|s| format!("{s:.1}")).collect();
    let measured = if seconds.is_empty() { "never".to_owned() } else { format!("{} s", seconds.join(", ")) };
    let (earliest, latest) = limits(timeline, &circuits[0]);
    let pass = format!("{} circuits opened, {measured} after the calls began to hang", circuits.len());
    Ok(Finding::unless(wrong, pass).measured(measured, format!("{earliest:.1} to {latest:.1} s")))
}

fn case(timeline: &Timeline, circuit: &Circuit) -> Option<Case> {
    let during = (circuit.hang.began, circuit.opened().map_or(circuit.hang.ended, |opened| opened.last));
    let case = Case::over(during, fault(timeline, circuit)?, circuit.line);
    Some(case.of(circuit.pod).before(circuit.dependency))
}

fn fault(timeline: &Timeline, circuit: &Circuit) -> Option<String> {
    if circuit.opening == Opening::Never {
        return Some(format!("the circuit of {} never opened: requests kept waiting", circuit.pod));
    }
    let (earliest, latest) = limits(timeline, circuit);
    let opened = circuit.opened()?;
    // Where the moment is not known, either end of the time in which it lies must be wrong.
    let (closed, open) = (after_s(circuit, opened.last), after_s(circuit, opened.by));
    let took = if open < earliest { open } else { closed };
    (open < earliest || closed > latest)
        .then(|| format!("the circuit of {} opened after {took:.1} s", circuit.pod))
}

fn opened_s(circuit: &Circuit) -> Option<f64> {
    Some(after_s(circuit, circuit.opened()?.last))
}

fn after_s(circuit: &Circuit, at: Millis) -> f64 {
    (at - circuit.hang.began) as f64 / 1000.0
}

fn limits(timeline: &Timeline, circuit: &Circuit) -> (f64, f64) {
    let policy = timeline.plan().limits();
    let (earliest, latest) = circuit.opens_between_s();
    (earliest - policy.opening_early_s, latest + policy.opening_late_s)
}
