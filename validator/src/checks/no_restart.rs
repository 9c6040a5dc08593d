//! No container restarts during the run.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{Fact, ObjectKind};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H102",
    slug: "no-restart",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A restart during a deploy is a crash or a liveness probe that misjudged load.",
    how: "Watches restartCount of every container.",
    remedy: "Read the previous container's log: kubectl logs --previous.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    if timeline.pods.is_empty() {
        return Finding::inconclusive("no pod was seen");
    }
    let new = timeline.pods.iter().filter(|pod| pod.restarts > restarts_at_start(timeline, &pod.name));
    let restarted: Vec<_> = new.collect();
    let summary = format!("{} of {} pods had a container restarted", restarted.len(), timeline.pods.len());
    Finding::when(restarted.is_empty(), summary.clone(), summary)
        .measured(restarted.len().to_string(), "0")
        .details(restarted.iter().take(5).map(|pod| format!("{}: {} restarts", pod.name, pod.restarts)))
        .lines(restarted.iter().map(|pod| pod.restarts_line))
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
