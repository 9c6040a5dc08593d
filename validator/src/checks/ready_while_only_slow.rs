//! A slow database alone does not take every pod out of the Service.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::ProbeTarget;
use crate::timeline::{Circuit, Kind, Timeline, Unmeasured};

use super::ready_means_answering::answer_text;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H207",
    slug: "ready-while-only-slow",
    area: Area::Health,
    severity: Severity::Major,
    why: "The database is slow for all pods at the same time: if readiness follows, all leave at once and nobody serves the fallback.",
    how: "All statements hang, pings are answered: the readiness endpoint must go on saying 200. A pod of which no ping was seen proves nothing by saying otherwise: pings that come less often than every 6 s are not learned, and hang as well.",
    remedy: "Let readiness confirm that the dependency can be reached, by a ping of its own; how slow it is, is for the breaker.",
    rests_on: &[
        Kind::Prober,
        Kind::Load,
        Kind::Validator,
        Kind::Agent,
        Kind::Record,
        Kind::Content,
        Kind::Dependency,
        Kind::Target,
    ],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let circuits = timeline.tested_circuits()?;
    let path = &timeline.plan().target.readiness.path;
    let (mut asked, mut wrong, mut unlearned) = (0, Vec::new(), None);
    for circuit in circuits {
        let window = (circuit.hang.began, circuit.hang.ended.min(timeline.deleted(circuit.pod)));
        for (line, probe) in timeline.load.probes_of(circuit.pod, ProbeTarget::Readiness, window) {
            asked += probe.samples;
            if probe.answer != Ok(200) && !pinged(timeline, circuit) {
                unlearned =
                    Some(format!("no health ping of {} was seen, perhaps they hung too", circuit.name()));
            } else if probe.answer != Ok(200) {
                let answer = answer_text(&probe.answer);
                let text =
                    format!("GET {path} while only statements hung: {} answered {answer}", circuit.pod);
                let case = Case::over((probe.from, probe.to), text, line);
                wrong.push(case.of(circuit.pod).before(circuit.dependency));
            }
        }
    }
    if asked == 0 {
        return Err(Unmeasured::NotSeen("no pod could be asked while its calls hung".into()));
    }
    if let (true, Some(reason)) = (wrong.is_empty(), unlearned) {
        return Err(Unmeasured::NotSeen(reason));
    }
    let pass = format!("GET {path} went on saying 200 while statements hung and pings were answered");
    Ok(Finding::unless(wrong, pass).tally("stretches of other answers", "0"))
}

/// Whether the pod's health pings were told from its other calls.
fn pinged(timeline: &Timeline, circuit: &Circuit) -> bool {
    let window = (circuit.hang.began, circuit.hang.ended);
    timeline.calls.of(circuit.dependency, circuit.pod).pings(window) > 0
}
