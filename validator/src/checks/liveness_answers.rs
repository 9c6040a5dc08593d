//! The liveness endpoint says 200 while the pod works, the drain included.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{ProbeFact, ProbeTarget};
use crate::timeline::{Kind, PodLife, Timeline};

use super::ready_means_answering::answer_text;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H202",
    slug: "liveness-answers",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A liveness endpoint that fails during the drain can have the pod killed in the middle of it; one that does not exist sees no deadlock.",
    how: "An agent asks the liveness endpoint of each pod every 250 ms, from Ready until its container ended (2 s before that was seen, or the second before it happened).",
    remedy: "Serve GET /health: 200 while the process works, also while it drains; declare it as the livenessProbe.",
    rests_on: &[Kind::Prober, Kind::Load, Kind::Watch, Kind::Validator, Kind::Target],
    judge,
};

/// The exit is seen some time after it happened: answers this close to it do not count, nor do those after the second
/// in which the kubelet says that it happened.
const EXIT_MS: i64 = 2_000;

fn judge(timeline: &Timeline) -> Finding {
    let path = &timeline.plan().target.liveness.path;
    let mut wrong = Vec::new();
    let (mut asked, mut draining) = (0, 0);
    for pod in &timeline.pods {
        let Some(ready) = pod.became_ready() else { continue };
        // What faults do to liveness has a check of its own: GL-H206.
        let end = end_of(pod).unwrap_or(i64::MAX);
        let peace: Vec<_> = timeline.in_peace((ready, end)).collect();
        let inside = |p: &ProbeFact| peace.iter().any(|(begin, end)| p.to > *begin && p.from < *end);
        let deleted = pod.termination.as_ref().map_or(i64::MAX, |t| t.at);
        let mine = timeline.load.probes_to(&pod.name, ProbeTarget::Liveness);
        for (line, probe) in mine.filter(|(_, p)| inside(p)) {
            asked += probe.samples;
            draining += usize::from(probe.to > deleted && probe.answer == Ok(200));
            if probe.answer != Ok(200) {
                let text = format!("GET {path} of {} answered {}", pod.name, answer_text(&probe.answer));
                wrong.push(Case::over((probe.from, probe.to), text, line).of(&pod.name));
            }
        }
    }
    if asked == 0 {
        return Finding::inconclusive("no Ready pod could be asked");
    }
    let pass = format!("GET {path} answered 200 all the time ({asked} times), also in {draining} drains");
    Finding::unless(wrong, pass).tally("stretches of other answers", "0")
}

fn end_of(pod: &PodLife) -> Option<i64> {
    let termination = pod.termination.as_ref()?;
    let finished = termination.exit.as_ref().and_then(|exit| exit.finished);
    Some((termination.ended()? - EXIT_MS).min(finished.unwrap_or(i64::MAX)))
}
