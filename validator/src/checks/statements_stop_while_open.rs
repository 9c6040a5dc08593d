//! While the circuit is open nothing reaches the database.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Millis;
use crate::plan::{Needs, Part};
use crate::timeline::{Circuit, Kind, Timeline, Unmeasured};

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

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let mut wrong = Vec::new();
    let mut details = Vec::new();
    let mut circuits = 0;
    for (circuit, opened) in timeline.opened_circuits()? {
        let Some(through) = timeline.through(circuit, opened) else {
            let name = circuit.name();
            return Err(Unmeasured::NotSeen(format!("{name}: when it opened is not known well enough")));
        };
        if through.let_in > 0 {
            details.push(format!(
                "{}: {} statements of requests let in before",
                circuit.name(),
                through.let_in
            ));
        }
        circuits += 1;
        if through.is_more_than_trials() {
            wrong.extend(cases(timeline, circuit, through.during));
        } else if through.calls > 0 {
            // A process that opened before the others may try before they do.
            details.push(format!("{}: {} early trials of single processes", circuit.name(), through.calls));
        }
    }
    let reached = format!("statements reached the database through {circuits} open circuits");
    Ok(Finding::unless(wrong, format!("0 {reached}")).counted(reached).tally("", "0").details(details))
}

/// What came through one circuit, a case for each second.
fn cases(timeline: &Timeline, circuit: &Circuit, (from, to): (Millis, Millis)) -> Vec<Case> {
    let calls = timeline.calls.of(circuit.dependency, circuit.pod);
    let each = calls.seconds((from, to)).filter_map(|(line, second)| {
        let during = (second.at.max(from), (second.at + 1_000).min(to));
        let count = calls.within(during);
        let case = Case::over(during, format!("{}: {count} statements", circuit.name()), *line);
        (count > 0).then(|| case.of(circuit.pod).before(circuit.dependency).times(count))
    });
    each.collect()
}
