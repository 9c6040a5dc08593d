//! A slow database alone does not take every pod out of the Service.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::ProbeTarget;
use crate::timeline::{Circuit, Timeline, Unmeasured};

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
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let circuits = timeline.tested_circuits()?;
    let (mut asked, mut wrong, mut unlearned) = (0, Vec::new(), None);
    for circuit in circuits {
        let window = (circuit.hang.began, circuit.hang.ended.min(timeline.deleted(circuit.pod)));
        for (line, probe) in timeline.load.probes_of(circuit.pod, ProbeTarget::Readiness, window) {
            asked += probe.samples;
            if probe.answer != Ok(200) && !pinged(timeline, circuit) {
                unlearned =
                    Some(format!("no health ping of {} was seen, perhaps they hung too", circuit.name()));
            } else if probe.answer != Ok(200) {
                wrong.push((line, format!("{} answered {}", circuit.pod, answer_text(&probe.answer))));
            }
        }
    }
    if asked == 0 {
        return Err(Unmeasured::NotSeen("no pod could be asked while its calls hung".into()));
    }
    if let (true, Some(reason)) = (wrong.is_empty(), unlearned) {
        return Err(Unmeasured::NotSeen(reason));
    }
    let path = &timeline.plan().target.readiness.path;
    let fail = wrong.first().map(|(_, text)| format!("GET {path} while only statements hung: {text}"));
    let pass = format!("GET {path} went on saying 200 while statements hung and pings were answered");
    Ok(Finding::when(wrong.is_empty(), pass, fail.unwrap_or_default())
        .measured(format!("{} stretches of other answers", wrong.len()), "0")
        .lines(wrong.iter().map(|(line, _)| *line)))
}

/// Whether the pod's health pings were told from its other calls.
fn pinged(timeline: &Timeline, circuit: &Circuit) -> bool {
    let window = (circuit.hang.began, circuit.hang.ended);
    timeline.calls.of(circuit.dependency, circuit.pod).pings(window) > 0
}
