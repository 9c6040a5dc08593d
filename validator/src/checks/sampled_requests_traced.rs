//! A sampled request leaves one server span that continues the caller's trace.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::plan::Needs;
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T201",
    slug: "sampled-requests-traced",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "Without it nobody can follow a user's failed request into the service.",
    how: "The load sends requests with the sampled flag of traceparent set (W3C Trace Context); the middle agent before the collector copies what the pods export and the collector takes: spans answered with a status of the 4xx or 5xx class, a gRPC status other than 0, a partial success that rejects some, or by what is no endpoint of OTLP, were not delivered, unless they were sent again. Judged from the end of the roll in, when every pod exports past it, until dependencies are broken.",
    remedy: "Take traceparent in, create a server span per request as a child of it, export it to the collector, and heed what that answers.",
    rests_on: &[Kind::Load, Kind::Agent, Kind::Record, Kind::Content, Kind::Dependency, Kind::Target],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let sampled = timeline.load.sampled(timeline.copied()?);
    if sampled.is_empty() {
        return Ok(Finding::inconclusive("no sampled request was answered"));
    }
    let collector = timeline.read_collector()?;
    let refusals = timeline.middle.refusals();
    let refused = refusals.first().map(|(text, _)| format!("; {text}")).unwrap_or_default();
    let lines = refusals.iter().flat_map(|(_, lines)| lines.iter().copied().take(1));
    if timeline.load.traces.is_empty() {
        let collector = timeline.silent_collector()?;
        let none = format!("not one of {} sampled requests left a span at {collector}", sampled.len());
        let text = none + &refused;
        let case = Case::over(timeline.copied()?, text, sampled[0].0).before(collector);
        return Ok(Finding::unless([case], String::new())
            .measured("no span", "one server span each")
            .lines(lines));
    }
    let cases = sampled.iter().filter_map(|(line, request)| {
        let spans = timeline.load.servers_of(request).len();
        let text = format!("{}: {spans} server spans in our trace", request.request);
        (spans != 1).then(|| Case::over(request.during(), text, *line).before(collector))
    });
    let total = sampled.len();
    let pass = format!("{total} of {total} sampled requests have exactly one server span in our trace");
    Ok(Finding::unless(cases, pass)
        .counted(format!("of {total} sampled requests have no server span in our trace, or several{refused}"))
        .tally("without exactly one", "0")
        .details(timeline.load.hop.map(|hop| hop.told().to_owned()))
        .lines(lines))
}
