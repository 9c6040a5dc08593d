//! No container restarts during the run.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::{PodLife, Restart, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H102",
    slug: "no-restart",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A restart during a deploy is a crash or a liveness probe that misjudged load.",
    how: "Watches restartCount of every container and native sidecar, each against its own count at first sight. A restart of a container that does not serve is a warning with its name: what it costs users is in GL-S201.",
    remedy: "Read the previous container's log: kubectl logs --previous.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    if timeline.pods.is_empty() {
        return Finding::inconclusive("no pod was seen");
    }
    let all = || timeline.pods.iter().flat_map(|pod| pod.restarts.iter().map(move |restart| (pod, restart)));
    let serving = all().filter(|(_, restart)| restart.serves).count();
    let text = |(pod, restart): (&PodLife, &Restart)| {
        format!("{}: container `{}` was started again ({} times)", pod.name, restart.container, restart.times)
    };
    let finding = match all().next() {
        None => Finding::pass(format!("no container of {} pods was started again", timeline.pods.len())),
        Some(first) if serving == 0 => Finding::warn(text(first)),
        Some(_) => {
            let first = all().find(|(_, restart)| restart.serves).map(text);
            Finding::fail(first.unwrap_or_default())
        }
    };
    finding
        .measured(format!("{serving} restarts of the container that serves"), "0")
        .details(all().take(5).map(text))
        .lines(all().map(|(_, restart)| restart.line))
}
