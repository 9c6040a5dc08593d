//! No container restarts during the run.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Fact, Millis, ObjectKind};
use crate::timeline::{Kind, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H102",
    slug: "no-restart",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A restart during a deploy is a crash or a liveness probe that misjudged load.",
    how: "Watches restartCount of every container.",
    remedy: "Read the previous container's log: kubectl logs --previous.",
    rests_on: &[Kind::Load, Kind::Validator, Kind::Agent, Kind::Dependency, Kind::Target],
    judge,
};

/// A restart follows its cause, such as three probes without an answer, within about this time.
const BEFORE_MS: Millis = 30_000;

fn judge(timeline: &Timeline) -> Finding {
    if timeline.pods.is_empty() {
        return Finding::inconclusive("no pod was seen");
    }
    let new = timeline.pods.iter().filter(|pod| pod.restarts > restarts_at_start(timeline, &pod.name));
    let cases = new.map(|pod| {
        // What made the probes fail, or the process end, lies before.
        let at = timeline.at_line(pod.restarts_line);
        let text = format!("{}: {} restarts", pod.name, pod.restarts);
        Case::over((at - BEFORE_MS, at), text, pod.restarts_line).of(&pod.name)
    });
    let pods = timeline.pods.len();
    Finding::unless(cases, format!("0 of {pods} pods had a container restarted"))
        .counted(format!("of {pods} pods had a container restarted"))
        .tally("", "0")
}

/// Restarts that had happened before the run are another story.
fn restarts_at_start(timeline: &Timeline, pod: &str) -> i64 {
    let first = timeline.evidence.facts.iter().find_map(|fact| match fact {
        Fact::Object(f) if f.kind == ObjectKind::Pod && f.object["metadata"]["name"] == pod => {
            Some(&f.object)
        }
        _ => None,
    });
    let statuses = first.and_then(|object| object.pointer("/status/containerStatuses")?.as_array());
    let counts = statuses.into_iter().flatten().filter_map(|status| status["restartCount"].as_i64());
    counts.max().unwrap_or(0)
}
