//! Users do not feel that the collector is away: they are answered, and as fast.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{FaultFact, Histogram, Millis, SecondFact};
use crate::plan::{Needs, Part};
use crate::timeline::{Fallback, Kind, Timeline, Unmeasured};

use super::ready_means_answering::DELETION_MS;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T206",
    slug: "no-slower-without-collector",
    area: Area::Tracing,
    severity: Severity::Major,
    why: "Telemetry that blocks requests turns an outage of the monitoring into one of the service.",
    how: "One pod's connections to the collector are refused: its pod-direct answers until its deletion that take more than twice the 99th percentile of the 5 s before, or 20 ms more, whichever is more (from there to the next bound of the histogram), are counted. One in a hundred is usual, or as many as at pods without a fault in the same time; three standard deviations more are chance. Most of the sampled answers must not be among them, and none may be missing or be another one than is expected or usual, but for an honest 503.",
    remedy: "Export from a background task with a bounded queue that drops when it is full.",
    rests_on: &[
        Kind::Load,
        Kind::Validator,
        Kind::Agent,
        Kind::Record,
        Kind::Dependency,
        Kind::Target,
        Kind::Clock,
    ],
    needs: Needs::Parts(&[Part::Collector]),
    judge,
};

/// What is compared with: the same pod, just before.
const BEFORE_MS: Millis = 5_000;

/// The share of answers that are slow without any reason.
const USUAL: f64 = 0.01;

/// Fewer sampled answers than this say nothing by themselves.
const FEWEST_SAMPLED: usize = 3;

/// Whoever needs this long at the median has other troubles than its collector.
const STUCK_MS: f64 = 1_000.0;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    for (line, fault) in timeline.collector_away()? {
        let window = (fault.began, fault.ended.min(timeline.deleted(&fault.pod)));
        let (before, during) = (
            answers(timeline, &fault.pod, (fault.began - BEFORE_MS, fault.began)),
            answers(timeline, &fault.pod, window),
        );
        if before.total == 0 || during.total == 0 {
            continue;
        }
        if before.times.quantile_ms(0.5) > STUCK_MS {
            return Err(Unmeasured::NotSeen(format!(
                "{} hardly answered even with its collector",
                fault.pod
            )));
        }
        let sampled = timeline.load.direct_requests(&fault.pod, window).filter(|(_, r)| r.trace_id.is_some());
        let sampled = sampled.map(|(_, request)| request.took_ms).collect();
        let calm = undisturbed(timeline, fault, window);
        let case = Case::over((fault.began - BEFORE_MS, window.1), String::new(), line);
        let case = case.of(&fault.pod).before(&fault.dependency);
        let meanwhile = Meanwhile { during, sampled, calm, lost: lost(timeline, fault, window) };
        return Ok(compare(timeline, &before, meanwhile, case).lines([line]));
    }
    Err(Unmeasured::NotSeen("no request was sent to a pod alone while its collector was away".into()))
}

/// Users that the pod let down meanwhile, by the second: an honest 503 may be that of a circuit that is open for another
/// reason. The pod hears of its deletion before we do.
fn lost(timeline: &Timeline, away: &FaultFact, (begin, end): (Millis, Millis)) -> Vec<Case> {
    let of = |second: &SecondFact, line: usize| {
        let answers = timeline.load.fallback_of(second);
        let text = format!("{} without its collector: {}", away.pod, answers.reasons()?);
        let case = Case::over(second.during(), text, line).times(answers.wrong);
        Some(case.of(&away.pod).before(&away.dependency))
    };
    let seconds = timeline.load.direct_seconds(&away.pod, (begin, end - DELETION_MS));
    seconds.filter_map(|(line, second)| of(second, line)).collect()
}

fn answers(timeline: &Timeline, pod: &str, window: (Millis, Millis)) -> Fallback {
    timeline.load.fallback(window, |second| second.pod.as_deref() == Some(pod))
}

/// What pods without any fault answered meanwhile: a machine that stops for a moment makes them slow as well.
fn undisturbed(timeline: &Timeline, away: &FaultFact, (begin, end): (Millis, Millis)) -> Fallback {
    let meanwhile = |fault: &FaultFact| fault.began < end && fault.ended > begin;
    let disturbed =
        |pod: &str| timeline.faults.all.iter().any(|(_, fault)| fault.pod == pod && meanwhile(fault));
    let calm = |pod: &str| pod != away.pod && !disturbed(pod);
    timeline.load.fallback((begin, end), |second| second.pod.as_deref().is_some_and(calm))
}

/// While the collector was away from a pod.
struct Meanwhile {
    during: Fallback,
    /// Times of its sampled answers: whoever exports within the request is slow in these alone.
    sampled: Vec<f64>,
    calm: Fallback,
    /// Answers that were none.
    lost: Vec<Case>,
}

/// Counts answers beyond the limit: of a hundred, the 99th percentile is the slowest but one, and chance decides. As many
/// as there were meanwhile elsewhere, and one in a hundred at least, are expected; three standard deviations more are
/// chance.
fn compare(timeline: &Timeline, before: &Fallback, meanwhile: Meanwhile, case: Case) -> Finding {
    let Meanwhile { during, sampled, calm, lost } = meanwhile;
    let policy = timeline.plan().limits();
    let of = |share: f64| (before.times.quantile_ms(share), during.times.quantile_ms(share));
    let ((p50, p50_without), (p99, p99_without)) = (of(0.5), of(0.99));
    let limit = Histogram::bound_from((p99 * policy.max_slower_factor).max(p99 + policy.max_slower_ms));
    let slow = |answers: &Fallback| f64::from(answers.times.slower_than(limit));
    let expected = during.total as f64 * (slow(&calm) / calm.total.max(1) as f64).max(USUAL);
    let most = (expected + 3.0 * expected.sqrt()).floor();
    let (slow, total) = (slow(&during), during.total);
    let slow_sampled = sampled.iter().filter(|took| **took > limit).count();
    let blocked = sampled.len() >= FEWEST_SAMPLED && 2 * slow_sampled > sampled.len();
    let summary = format!(
        "{slow} of {total} answers without a collector, {slow_sampled} of {} sampled ones, took longer than {limit:.0} ms",
        sampled.len()
    );
    let is_slower = slow > most || blocked;
    let slower = is_slower.then(|| Case { text: summary.clone(), ..case });
    Finding::unless(slower.into_iter().chain(lost), summary).measured(
        format!("p50 {p50:.1} -> {p50_without:.1} ms, p99 {p99:.1} -> {p99_without:.1} ms, {slow} slow"),
        format!("<= {most} slower than {limit:.0} ms, nor most of those sampled"),
    )
}
