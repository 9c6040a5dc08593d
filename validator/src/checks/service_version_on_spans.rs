//! Spans say which version of the service made them.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T101",
    slug: "service-version-on-spans",
    area: Area::Tracing,
    severity: Severity::Minor,
    why: "During a roll two versions answer; a trace without service.version does not tell which one was slow.",
    how: "Every server span in our traces must come from a resource with service.version.",
    remedy: "Set service.version in the OpenTelemetry resource, for example from the image tag.",
    rests_on: &[],
    needs: &[],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    // A trace holds spans of the services behind ours too: only those that answer our requests are the target's.
    let load = &timeline.load;
    let asked = load.requests.iter().filter(|(_, request)| request.trace_id.is_some());
    let servers: Vec<_> = asked
        .flat_map(|(line, request)| load.servers_of(request).into_iter().map(move |span| (*line, span)))
        .collect();
    let total = servers.len();
    if total == 0 {
        return Finding::inconclusive("no server span was found");
    }
    let without: Vec<usize> =
        servers.iter().filter(|(_, s)| s.version.is_none()).map(|(line, _)| *line).collect();
    let summary = format!("{} of {total} server spans carry service.version", total - without.len());
    Finding::when(without.is_empty(), summary.clone(), summary)
        .measured(format!("{} without", without.len()), "0")
        .lines(without)
}
