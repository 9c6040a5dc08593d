//! A sampled request leaves one server span that continues the caller's trace.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T201",
    slug: "sampled-requests-traced",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "Without it nobody can follow a user's failed request into the service.",
    how: "The load sends requests with the sampled flag of traceparent set (W3C Trace Context); the middle agent before the collector copies what the pods export. Judged from the end of the roll in, when every pod exports past it, until dependencies are broken.",
    remedy: "Take traceparent in, create a server span per request as a child of it, export it to the collector.",
    rests_on: &[Kind::Load, Kind::Agent, Kind::Record, Kind::Content, Kind::Dependency, Kind::Target],
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
    if timeline.load.traces.is_empty() {
        let collector = timeline.silent_collector()?;
        let text =
            format!("not one of {} sampled requests left a span on its way to {collector}", sampled.len());
        let case = Case::over(timeline.copied()?, text, sampled[0].0).before(collector);
        return Ok(Finding::unless([case], String::new()).measured("no span", "one server span each"));
    }
    let cases = sampled.iter().filter_map(|(line, request)| {
        let spans = timeline.load.servers_of(request).count();
        let text = format!("{}: {spans} server spans in our trace", request.request);
        (spans != 1).then(|| Case::over(request.during(), text, *line).before(collector))
    });
    let total = sampled.len();
    let pass = format!("{total} of {total} sampled requests have exactly one server span in our trace");
    Ok(Finding::unless(cases, pass)
        .counted(format!("of {total} sampled requests have no server span in our trace, or several"))
        .tally("without exactly one", "0"))
}
