//! Liveness says 200 whatever happens to the dependencies.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{ProbeTarget, Step};
use crate::timeline::{Kind, Timeline, Unmeasured};

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
    rests_on: &[Kind::Prober, Kind::Load, Kind::Watch, Kind::Validator, Kind::Target],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let losses = timeline.losses()?;
    let window = timeline.between(Step::Loss, Step::Partial)?;
    let path = &timeline.plan().target.liveness.path;
    let mut wrong = Vec::new();
    let mut asked = 0;
    for loss in &losses {
        let window = (window.0, window.1.min(timeline.deleted(loss.pod)));
        for (line, probe) in timeline.load.probes_of(loss.pod, ProbeTarget::Liveness, window) {
            asked += probe.samples;
            if probe.answer != Ok(200) {
                let answer = answer_text(&probe.answer);
                let text = format!("GET {path} while dependencies were away: {} answered {answer}", loss.pod);
                wrong.push(Case::over((probe.from, probe.to), text, line).of(loss.pod));
            }
        }
        let pod = timeline.pod(loss.pod).filter(|pod| pod.restarts > 0);
        let restarted = pod.map(|pod| (pod, timeline.at_line(pod.restarts_line)));
        let restarted = restarted.filter(|(_, at)| (window.0..=window.1).contains(at));
        wrong.extend(restarted.map(|(pod, at)| {
            let text = format!("{} was restarted while dependencies were away", pod.name);
            Case::at(at, text, pod.restarts_line).of(&pod.name)
        }));
    }
    if asked == 0 {
        return Err(Unmeasured::NotSeen("no pod could be asked while dependencies were away".into()));
    }
    let pass = format!("GET {path} answered 200 all the time while dependencies were away");
    Ok(Finding::unless(wrong, pass).tally("stretches of other answers", "0"))
}
