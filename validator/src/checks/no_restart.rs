//! No container restarts during the run.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::plan::Needs;
use crate::timeline::{Act, Kind, PodLife, Restart, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H102",
    slug: "no-restart",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A restart during a deploy is a crash or a liveness probe that misjudged load.",
    how: "Watches restartCount of every container and native sidecar, each against its own count at first sight. A restart of a container that does not serve is a warning with its name: what it costs users is in GL-S201.",
    remedy: "Read the previous container's log (kubectl logs --previous), or on a machine the copy's file in golive-out.",
    rests_on: &[Kind::Load, Kind::Validator, Kind::Agent, Kind::Dependency, Kind::Target, Kind::Clock],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let pods = timeline.pods.len();
    if pods == 0 {
        return Finding::inconclusive("no pod was seen");
    }
    let all = timeline.pods.iter().flat_map(|pod| pod.restarts.iter().map(move |restart| (pod, restart)));
    // A helper's restart is worth a look, and so is one of the version that is replaced.
    let (own, others): (Vec<_>, Vec<_>) = all.partition(|(pod, r)| r.serves && timeline.is_judged(pod));
    let cases = |of: Vec<_>| of.into_iter().map(|(pod, restart)| case(timeline, pod, restart)).collect();
    let pass = format!("no container of {pods} pods was started again");
    Finding::of_both(cases(own), cases(others), pass).tally("restarts", "0")
}

/// What made the probes fail, or the process end, lies before.
fn case(timeline: &Timeline, pod: &PodLife, restart: &Restart) -> Case {
    let Restart { container, at, times, line, .. } = restart;
    let text = format!("{}: container `{container}` was started again", pod.name);
    let during = timeline.cause_of(Act::Restarted, *at);
    Case::over(during, text, *line).of(&pod.name).times(times.unsigned_abs())
}
