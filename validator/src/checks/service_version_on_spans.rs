//! Spans say which version of the service made them.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Span;
use crate::plan::Needs;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T101",
    slug: "service-version-on-spans",
    area: Area::Tracing,
    severity: Severity::Minor,
    why: "During a roll two versions answer; a trace without service.version does not tell which one was slow.",
    how: "Every server span in our traces must come from a resource with service.version. Where both it and what was deployed (the tag of the image, else the label app.kubernetes.io/version) look like a version, such as 1.4.0, one must hold the other.",
    remedy: "Set service.version in the OpenTelemetry resource from what is deployed, for example the image tag.",
    rests_on: &[],
    needs: Needs::Rolls,
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
    if let (true, Some(wrong)) = (without.is_empty(), other_version(timeline, &servers)) {
        return wrong;
    }
    let summary = format!("{} of {total} server spans carry service.version", total - without.len());
    Finding::when(without.is_empty(), summary.clone(), summary)
        .measured(format!("{} without", without.len()), "0")
        .lines(without)
}

/// The finding of spans that name a version which was not deployed. Behind a proxy with spans of its own nobody knows whose
/// version is whose.
fn other_version(timeline: &Timeline, servers: &[(usize, &Span)]) -> Option<Finding> {
    let deployed = plain(&timeline.plan().target.version)?;
    if timeline.load.hop.is_some() {
        return None;
    }
    let is_other = |span: &Span| {
        let told = span.version.as_deref().and_then(plain);
        told.is_some_and(|told| !told.contains(deployed) && !deployed.contains(told))
    };
    let (lines, others): (Vec<usize>, Vec<&Span>) =
        servers.iter().filter(|(_, span)| is_other(span)).copied().unzip();
    let told = others.first()?.version.as_deref().unwrap_or_default();
    let (count, total) = (others.len(), servers.len());
    let summary =
        format!("{count} of {total} server spans say service.version {told}, and {deployed} is deployed");
    Some(Finding::fail(summary).measured(format!("{count} of another version"), "0").lines(lines))
}

/// What looks like a version, without the letter before it.
fn plain(version: &str) -> Option<&str> {
    let plain = version.strip_prefix('v').unwrap_or(version);
    let (major, rest) = plain.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(major) && rest.starts_with(|next: char| next.is_ascii_digit())).then_some(plain)
}
