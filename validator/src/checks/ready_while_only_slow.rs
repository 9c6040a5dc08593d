//! A slow database alone does not take every pod out of the Service.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::ProbeTarget;
use crate::plan::{Needs, Part};
use crate::timeline::{Act, Circuit, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H207",
    slug: "ready-while-only-slow",
    area: Area::Health,
    severity: Severity::Major,
    why: "The database is slow for all pods at the same time: if readiness follows, all leave at once and nobody serves the fallback.",
    how: "All statements hang, pings are answered: the declared readiness probe must not fail for as long as its period and failureThreshold say, nor for 5 s and until the statements go on; and the pod must not leave the Service. A pod of which no ping was seen proves nothing by saying otherwise: pings that come less often than every 6 s are not learned, and hang as well.",
    remedy: "Let readiness confirm that the dependency can be reached, by a ping of its own; how slow it is, is for the breaker.",
    rests_on: &[
        Kind::Prober,
        Kind::Load,
        Kind::Watch,
        Kind::Validator,
        Kind::Agent,
        Kind::Record,
        Kind::Content,
        Kind::Dependency,
        Kind::Target,
        Kind::Clock,
    ],
    needs: Needs::Parts(&[Part::Hang]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let circuits = timeline.tested_circuits()?;
    let Some(probe) = &timeline.plan().target.readiness else {
        return Err(Unmeasured::NotDeclared("no readinessProbe is declared: see GL-H001".into()));
    };
    let (mut asked, mut wrong, mut unlearned) = (0, Vec::new(), None);
    for circuit in circuits {
        let window = (circuit.hang.began, circuit.hang.ended.min(timeline.deleted(circuit.pod)));
        let (failing, answers) = timeline.failing(circuit.pod, ProbeTarget::Readiness, window);
        asked += answers;
        let case = |during, text, line| {
            let text = format!("{probe} while only statements hung: {} {text}", circuit.pod);
            Case::over(during, text, line).of(circuit.pod).before(circuit.dependency)
        };
        let mut left: Vec<Case> = failing
            .iter()
            .filter(|stretch| stretch.would_act(probe, [window.1].into_iter()))
            .map(|s| case((s.from, s.to), format!("answered {}", s.said), s.line))
            .collect();
        let life = timeline.endpoint_lives.get(circuit.pod);
        let out = life.and_then(|life| life.first(false, window.0)).filter(|at| *at < window.1);
        left.extend(out.map(|at| {
            case(timeline.cause_of(Act::TookOut, at), "left the Service".to_owned(), circuit.line)
        }));
        if !left.is_empty() && !pinged(timeline, circuit) {
            unlearned = Some(format!("no health ping of {} was seen, perhaps they hung too", circuit.name()));
        } else {
            wrong.extend(left);
        }
    }
    if asked == 0 && probe.can_be_asked() {
        return Err(Unmeasured::NotSeen("no pod could be asked while its calls hung".into()));
    }
    if let (true, Some(reason)) = (wrong.is_empty(), unlearned) {
        return Err(Unmeasured::NotSeen(reason));
    }
    let pass = format!("{probe} went on succeeding while statements hung and pings were answered");
    Ok(Finding::unless(wrong, pass).tally("stretches without a success", "0"))
}

/// Whether the pod's health pings were told from its other calls.
fn pinged(timeline: &Timeline, circuit: &Circuit) -> bool {
    let window = (circuit.hang.began, circuit.hang.ended);
    timeline.calls.of(circuit.dependency, circuit.pod).pings(window) > 0
}
