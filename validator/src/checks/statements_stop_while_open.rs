//! While the circuit is open nothing reaches the database.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::plan::{Needs, Part};
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B204",
    slug: "statements-stop-while-open",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "A circuit that is open in the metrics only gives the database no rest, and users no quick answer.",
    how: "The middle agent counts the statements of each pod, health pings apart (what comes without load and changes nothing), from the opening until the trial. Requests that were let in before the opening may still send theirs within their own deadline: they had to wait for a connection.",
    remedy: "Ask the breaker before every call to the database, also those of background work; pings may pass.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::Hang]),
    judge,
};

/// The opening is told by the last request that waited: one tenth of a second, and the clocks of two agents.
const OPENING_MS: i64 = 300;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let mut wrong = Vec::new();
    let mut details = Vec::new();
    let mut circuits = 0;
    for (circuit, opened) in timeline.opened_circuits()? {
        let calls = timeline.calls.of(circuit.dependency, circuit.pod);
        let trial = circuit.trials.iter().find_map(|trial| trial.fact.first_hit);
        // The tenth of a second of the trial itself holds the trial.
        let end = trial.unwrap_or(circuit.hang.ended) - 100;
        let let_in = opened + OPENING_MS + (circuit.breaker.deadline.0 * 1000.0) as i64;
        if let_in >= end {
            return Err(Unmeasured::NotSeen(format!(
                "{}: when it opened is not known well enough",
                circuit.name()
            )));
        }
        let late = calls.within((opened + OPENING_MS, let_in));
        if late > 0 {
            details.push(format!("{}: {late} statements of requests let in before", circuit.name()));
        }
        circuits += 1;
        // A process that opened before the others may try before they do.
        let early = u64::from(circuit.breaker.trials_per_pod() - circuit.breaker.trials);
        let through = calls.within((let_in, end));
        if through <= early {
            if through > 0 {
                details.push(format!("{}: {through} early trials of single processes", circuit.name()));
            }
            continue;
        }
        wrong.extend(calls.seconds((let_in, end)).filter_map(|(line, second)| {
            let during = (second.at.max(let_in), (second.at + 1_000).min(end));
            let count = calls.within(during);
            let case = Case::over(during, format!("{}: {count} statements", circuit.name()), *line);
            (count > 0).then(|| case.of(circuit.pod).before(circuit.dependency).times(count))
        }));
    }
    let reached = format!("statements reached the database through {circuits} open circuits");
    Ok(Finding::unless(wrong, format!("0 {reached}")).counted(reached).tally("", "0").details(details))
}
