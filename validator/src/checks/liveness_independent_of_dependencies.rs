//! Liveness says 200 whatever happens to the dependencies.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{ProbeTarget, Step};
use crate::timeline::{Timeline, Unmeasured};

use super::ready_means_answering::answer_text;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H206",
    slug: "liveness-independent-of-dependencies",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A liveness that asks the database restarts every pod in the middle of its outage, again and again.",
    how: "An agent asks the liveness endpoint of each pod while it has lost one data store, all of them, and one again; no container may restart meanwhile.",
    remedy: "Answer liveness from the process alone; dependencies belong to readiness.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let losses = timeline.losses()?;
    let window = timeline.between(Step::Loss, Step::Partial)?;
    let mut wrong = Vec::new();
    let mut asked = 0;
    for loss in &losses {
        let window = (window.0, window.1.min(timeline.deleted(loss.pod)));
        for (line, probe) in timeline.load.probes_of(loss.pod, ProbeTarget::Liveness, window) {
            asked += probe.samples;
            if probe.answer != Ok(200) {
                wrong.push((line, format!("{} answered {}", loss.pod, answer_text(&probe.answer))));
            }
        }
        let pod = timeline.pod(loss.pod).filter(|pod| pod.restarts > 0);
        let at = |line: usize| timeline.evidence.facts[line - 2].at();
        let restarted = pod.filter(|pod| (window.0..=window.1).contains(&at(pod.restarts_line)));
        wrong.extend(restarted.map(|pod| (pod.restarts_line, format!("{} was restarted", pod.name))));
    }
    if asked == 0 {
        return Err(Unmeasured::NotSeen("no pod could be asked while dependencies were away".into()));
    }
    let path = &timeline.plan().target.liveness.path;
    let fail = wrong.first().map(|(_, text)| format!("GET {path} while dependencies were away: {text}"));
    let pass = format!("GET {path} answered 200 all the time while dependencies were away");
    Ok(Finding::when(wrong.is_empty(), pass, fail.unwrap_or_default())
        .measured(format!("{} stretches of other answers", wrong.len()), "0")
        .lines(wrong.iter().map(|(line, _)| *line)))
}
