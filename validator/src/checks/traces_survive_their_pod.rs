//! Requests served by pods that have since died left their spans too.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Millis;
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T203",
    slug: "traces-survive-their-pod",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "The last seconds of a pod are the ones an incident is about; a process that exits without a flush takes them along.",
    how: "In the roll out every pod is asked past the Service, with the sampled flag on each request, on new connections and on a kept one, until it is gone. Of those that it answered from 5 s before its deletion on, and in its last 10 s, every one must have its server span.",
    remedy: "Flush the span exporter after the last request and before exit, within the grace period.",
    rests_on: &[
        Kind::Load,
        Kind::Agent,
        Kind::Record,
        Kind::Content,
        Kind::Dependency,
        Kind::Target,
        Kind::Watch,
        Kind::Validator,
        Kind::Clock,
    ],
    needs: &[],
    judge,
};

/// A pod holds spans of about this time in its batch (OTEL_BSP_SCHEDULE_DELAY is 5 s).
const BATCH_MS: Millis = 5_000;

/// What is older than that at the last answer has left a pod that was alive: whoever loses it (a bound on what callers may
/// have traced, say, where kept connections gather on one pod) does not lose it by dying.
const LAST_MS: Millis = 2 * BATCH_MS;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let collector = timeline.read_collector()?;
    if timeline.load.traces.is_empty() {
        return Err(timeline.no_traces());
    }
    let terminations = timeline.terminations_out();
    let (mut total, mut pods, mut lost) = (0, 0, Vec::new());
    for (pod, termination) in &terminations {
        let window = (termination.at - BATCH_MS, termination.gone.unwrap_or(Millis::MAX));
        let answered = timeline
            .load
            .direct_requests(&pod.name, window)
            .filter(|(_, r)| r.trace_id.is_some() && r.outcome.is_telling())
            .filter(|(_, r)| !timeline.load.is_lost(r.template, r.outcome));
        let mut answered: Vec<_> = answered.collect();
        let last = answered.iter().map(|(_, r)| r.due).max().unwrap_or_default();
        answered.retain(|(_, r)| r.due >= last - LAST_MS);
        pods += usize::from(!answered.is_empty());
        total += answered.len();
        let without = answered.iter().filter(|(_, r)| timeline.load.servers_of(r).is_empty());
        lost.extend(without.map(|(line, r)| {
            let text = format!("{} left no server span", r.request);
            Case::over(r.during(), text, *line).before(collector).of(&pod.name)
        }));
    }
    if pods < terminations.len() || pods == 0 {
        let asked = format!("{pods} of {} pods that ended", terminations.len());
        return Err(Unmeasured::NotSeen(format!("{asked} answered a sampled request in their last seconds")));
    }
    let pass = format!("{total} of {total} last requests of {pods} pods left their server span");
    let refusals = timeline.middle.refusals();
    let refused = refusals.first().map(|(text, _)| format!("; {text}")).unwrap_or_default();
    Ok(Finding::unless(lost, pass)
        .counted(format!("of {total} last requests of {pods} pods left no server span{refused}"))
        .tally("missing", "0"))
}
