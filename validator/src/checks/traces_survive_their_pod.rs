//! Requests served by pods that have since died left their spans too.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Millis, RequestFact};
use crate::plan::Needs;
use crate::timeline::{Kind, PodLife, Termination, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T203",
    slug: "traces-survive-their-pod",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "The last seconds of a pod are the ones an incident is about; a process that exits without a flush takes them along.",
    how: "In the roll out every pod is asked past the Service, with the sampled flag on each request, on new connections, on one that is used all the time and on some that rest for 14 s, until it is gone. Of those that it answered from 5 s before its deletion on, and in its last 10 s, every one must have its server span. A pod that lost as many of those before is not judged: it does not lose them by its end.",
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
    needs: Needs::Rolls,
    judge,
};

/// A pod holds spans of about this time in its batch (OTEL_BSP_SCHEDULE_DELAY is 5 s).
const BATCH_MS: Millis = 5_000;

/// What is older than that at the last answer has left a pod that was alive.
const LAST_MS: Millis = 2 * BATCH_MS;

/// Requests past the Service are traced from before the first deletion of the roll on; a roll rarely takes longer.
const BEFORE_MS: Millis = 120_000;

/// Sampled requests that one pod answered, by their lines.
type Answered<'a> = Vec<(usize, &'a RequestFact)>;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let collector = timeline.read_collector()?;
    if timeline.load.traces.is_empty() {
        return Err(timeline.no_traces());
    }
    let terminations = timeline.terminations_out();
    let (mut total, mut pods, mut lost, mut leaking) = (0, 0, Vec::new(), Vec::new());
    for (pod, termination) in &terminations {
        let (last, before) = answered(timeline, pod, termination);
        pods += usize::from(!last.is_empty());
        total += last.len();
        let (gone, gone_before) = (without(timeline, &last), without(timeline, &before));
        if leaks((gone.len(), last.len()), (gone_before.len(), before.len())) {
            leaking.push(format!("{} {} of {} before", pod.name, gone_before.len(), before.len()));
            continue;
        }
        lost.extend(gone.iter().map(|(line, r)| {
            let text = format!("{} left no server span", r.request);
            Case::over(r.during(), text, *line).before(collector).of(&pod.name)
        }));
    }
    if pods < terminations.len() || pods == 0 {
        let asked = format!("{pods} of {} pods that ended", terminations.len());
        return Err(Unmeasured::NotSeen(format!("{asked} answered a sampled request in their last seconds")));
    }
    if lost.is_empty() && !leaking.is_empty() {
        let leaking = leaking.join(", ");
        return Err(Unmeasured::NotSeen(format!(
            "spans are lost in a pod's life as well, as by a limit on what callers may have traced: {leaking}; lower traffic.sampled"
        )));
    }
    let pass = format!("{total} of {total} last requests of {pods} pods left their server span");
    let refusals = timeline.middle.refusals();
    let refused = refusals.first().map(|(text, _)| format!("; {text}")).unwrap_or_default();
    Ok(Finding::unless(lost, pass)
        .counted(format!("of {total} last requests of {pods} pods left no server span{refused}"))
        .tally("missing", "0"))
}

/// What a pod answered in its last seconds, and before them.
fn answered<'a>(
    timeline: &Timeline<'a>,
    pod: &PodLife,
    termination: &Termination,
) -> (Answered<'a>, Answered<'a>) {
    let window = (termination.at - BEFORE_MS, termination.gone.unwrap_or(Millis::MAX));
    let sampled = timeline
        .load
        .direct_requests(&pod.name, window)
        .filter(|(_, r)| r.trace_id.is_some() && r.outcome.is_telling())
        .filter(|(_, r)| !timeline.load.is_lost(r.template, r.outcome));
    let sampled: Answered = sampled.collect();
    let end = sampled.iter().map(|(_, r)| r.due).max().unwrap_or_default();
    let since = (end - LAST_MS).max(termination.at - BATCH_MS);
    sampled.into_iter().partition(|(_, r)| r.due >= since)
}

/// Those without a server span.
fn without<'a>(timeline: &Timeline, of: &Answered<'a>) -> Answered<'a> {
    of.iter().filter(|(_, r)| timeline.load.servers_of(r).is_empty()).copied().collect()
}

/// Whether a pod lost about as many while it lived: a part of them, or its end would be the first that is heard of it.
fn leaks((gone, of): (usize, usize), (gone_before, of_before): (usize, usize)) -> bool {
    let share = |gone: usize, of: usize| gone as f64 / of.max(1) as f64;
    let before = share(gone_before, of_before);
    gone > 0 && before > 0.0 && before < 0.5 && share(gone, of) <= 2.0 * before
}
