//! A terminating pod says at once that it is not ready.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Millis, ProbeFact, ProbeTarget};
use crate::timeline::{Kind, Termination, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H203",
    slug: "readiness-ends-at-termination",
    area: Area::Health,
    severity: Severity::Major,
    why: "Load balancers outside of kube-proxy go by readiness: a pod that says yes until it is gone gets requests until it is gone.",
    how: "An agent asks the readiness endpoint of each terminating pod every 250 ms; it must stop saying 200 soon after the deletion.",
    remedy: "Answer 503 on /ready from SIGTERM on, while requests are still served.",
    rests_on: &[Kind::Watch, Kind::Validator, Kind::Prober, Kind::Load, Kind::Target],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let limit_s = timeline.plan().policy.max_ready_after_deletion_s;
    let terminations = timeline.terminations();
    let (mut latest, mut cases) = (0.0_f64, Vec::new());
    for (pod, termination) in &terminations {
        let answers = timeline.load.probes_to(&pod.name, ProbeTarget::Readiness);
        let after: Vec<_> = answers.filter(|(_, p)| p.to > termination.at).collect();
        // Who was gone before anybody could ask had nothing to say.
        let left_at_once = termination.ended().is_some_and(|at| seconds_after(termination, at) <= limit_s);
        if !left_at_once && !after.iter().any(|(_, p)| is_out(p)) {
            let until = termination.ended().unwrap_or(termination.at);
            let text = format!("{} neither said 503 nor closed after its deletion", pod.name);
            cases.push(Case::over((termination.at, until), text, termination.line).of(&pod.name));
        }
        for (line, probe) in after.iter().filter(|(_, p)| !is_out(p)) {
            let seconds = seconds_after(termination, probe.to);
            latest = latest.max(seconds);
            if seconds > limit_s {
                let text =
                    format!("{} gave another answer than 503 {seconds:.1} s after its deletion", pod.name);
                cases.push(Case::over((termination.at, probe.to), text, *line).of(&pod.name));
            }
        }
    }
    if terminations.is_empty() {
        return Finding::inconclusive("no pod was terminated");
    }
    let total = terminations.len();
    let pass = format!(
        "{total} of {total} terminating pods said 503 or closed; the last other answer came {latest:.1} s after the deletion"
    );
    Finding::unless(cases, pass).measured(format!("{latest:.1} s"), format!("{limit_s} s"))
}

/// 503, or a door that is shut: both keep users away.
fn is_out(probe: &ProbeFact) -> bool {
    matches!(probe.answer, Ok(503) | Err(_))
}

fn seconds_after(termination: &Termination, at: Millis) -> f64 {
    (at - termination.at) as f64 / 1000.0
}
