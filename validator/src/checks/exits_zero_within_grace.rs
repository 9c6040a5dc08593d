//! Every replaced container exits with 0 within its grace period.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::timeline::{Kind, PodLife, Termination, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-S202",
    slug: "exits-zero-within-grace",
    area: Area::Shutdown,
    severity: Severity::Blocker,
    why: "137 means killed in the middle of work, 143 that nobody listened to SIGTERM.",
    how: "The watch shows each old pod's terminated state before the object is gone; a pod whose state was not seen is inconclusive.",
    remedy: "Handle SIGTERM in PID 1 (exec form, no shell in between), drain, exit 0 before the grace period ends.",
    rests_on: &[Kind::Watch, Kind::Validator, Kind::Agent, Kind::Target],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let terminations = timeline.terminations();
    if terminations.is_empty() {
        return Finding::inconclusive("no pod was terminated");
    }
    let (faults, unseen, longest) = ends(&terminations);
    let total = terminations.len();
    if faults.is_empty() && !unseen.is_empty() {
        let summary = format!("the end of {} of {total} pods was not seen", unseen.len());
        return Finding::inconclusive(summary).lines(unseen);
    }
    let pass =
        format!("{total} of {total} containers exited with 0, at most {longest:.1} s after the deletion");
    Finding::unless(faults, pass)
        .counted(format!("of {total} containers did not exit with 0 in time"))
        .tally(format!("faults, longest {longest:.1} s"), "0 faults")
}

/// What was wrong with which end, which ends were not seen, and how long the longest took in seconds.
fn ends(terminations: &[(&PodLife, &Termination)]) -> (Vec<Case>, Vec<usize>, f64) {
    let (mut faults, mut unseen, mut longest) = (Vec::new(), Vec::new(), 0.0_f64);
    for (pod, termination) in terminations {
        let Some(exit) = &termination.exit else {
            unseen.push(termination.line);
            continue;
        };
        let took = (exit.at - termination.at) as f64 / 1000.0;
        longest = longest.max(took);
        if exit.code != 0 || took > termination.grace_s as f64 {
            let (name, code, reason, grace) = (&pod.name, exit.code, &exit.reason, termination.grace_s);
            let text = format!("{name}: exit {code} ({reason}) after {took:.1} s of {grace} s");
            faults.push(Case::over((termination.at, exit.at), text, exit.line).of(name));
        }
    }
    (faults, unseen, longest)
}
