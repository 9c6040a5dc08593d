//! While a pod is Ready, its readiness endpoint says 200.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{ProbeFact, ProbeTarget};
use crate::timeline::{Kind, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H201",
    slug: "ready-means-answering",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A pod that is Ready before it listens, or without a readiness endpoint at all, turns users' requests into errors on every deploy.",
    how: "An agent asks the readiness endpoint of each pod every 250 ms, past the Service; every answer between Ready and the deletion counts.",
    remedy: "Serve GET /ready: 200 only when the dependencies are confirmed; declare it as the readinessProbe.",
    rests_on: &[
        Kind::Prober,
        Kind::Load,
        Kind::Watch,
        Kind::Validator,
        Kind::Agent,
        Kind::Dependency,
        Kind::Target,
    ],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let path = &timeline.plan().target.readiness.path;
    let mut wrong = Vec::new();
    let (mut asked, mut pods) = (0, 0);
    for pod in &timeline.pods {
        let Some(ready) = pod.became_ready() else { continue };
        // Once dependencies are taken away, another answer may be the right one: GL-H204 to GL-H207.
        let deleted = timeline.deleted(&pod.name);
        let peace: Vec<_> = timeline.in_peace((ready, deleted)).collect();
        let inside =
            |p: &ProbeFact| peace.iter().any(|(begin, end)| p.to > *begin && p.from < *end - DELETION_MS);
        let mine = timeline.load.probes_to(&pod.name, ProbeTarget::Readiness);
        let while_ready: Vec<_> = mine.filter(|(_, p)| inside(p)).collect();
        pods += usize::from(!while_ready.is_empty());
        for (line, probe) in while_ready {
            asked += probe.samples;
            if probe.answer != Ok(200) {
                let answer = answer_text(&probe.answer);
                let text = format!("GET {path} of {} answered {answer} while the pod was Ready", pod.name);
                wrong.push(Case::over((probe.from, probe.to), text, line).of(&pod.name));
            }
        }
    }
    if asked == 0 {
        return Finding::inconclusive("no Ready pod could be asked");
    }
    let pass = format!("GET {path} answered 200 whenever a pod was Ready ({asked} times, {pods} pods)");
    Finding::unless(wrong, pass).tally("stretches of other answers", "0")
}

/// The pod hears of its deletion before we do (measured: up to 277 ms): answers that close to it may be 503.
const DELETION_MS: i64 = 500;

pub(super) fn answer_text(answer: &Result<u16, String>) -> String {
    match answer {
        Ok(status) => status.to_string(),
        Err(reason) => format!("nothing ({reason})"),
    }
}
