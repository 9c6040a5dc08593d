//! When a circuit opened, by what became of the requests to its pod.

use std::collections::BTreeSet;

use super::{Opened, Opening};
use crate::config::{Breaker, Pace};
use crate::evidence::{FaultFact, Millis, Outcome, RequestFact, SecondFact};
use crate::timeline::{About, Kind, LoadView, Trust};

/// A request that takes longer than this, and than is usual for it, waited for the dependency; an open circuit answers
/// at once.
const SLOW_MS: f64 = 500.0;

/// So long nothing may wait any more before the circuit counts as open, if the open time leaves as much.
const QUIET_S: f64 = 3.0;

/// Who took so much of the deadline has waited, whatever else made requests late; a second at least.
const SURE_SHARE: f64 = 0.6;
const SURE_MS: f64 = 1_000.0;

/// What was sent to one pod alone while its calls hung.
struct Asked<'v, 'a> {
    hang: &'v FaultFact,
    load: &'v LoadView<'a>,
    trust: &'v Trust,
    seconds: Vec<&'a SecondFact>,
    /// Requests that waited.
    waited: Vec<&'a RequestFact>,
    /// A request that took as long waited in any case, in ms.
    sure_ms: f64,
}

/// Between which moments it opened, given that for some seconds none waited any more: so many are left of the hang once the
/// circuit has opened at the latest moment.
pub(super) fn opening(
    hang: &FaultFact,
    breaker: &Breaker,
    pace: Pace,
    (load, trust): (&LoadView, &Trust),
    quiet_s: f64,
) -> Opening {
    let asked = Asked::new(hang, breaker, load, trust);
    if asked.seconds.iter().all(|second| second.due == 0) {
        return Opening::Unseen(format!("no request was sent to {} alone while its calls hung", hang.pod));
    }
    let Some(last) = asked.last() else { return Opening::Unseen(asked.why_none()) };
    let least_ms = (quiet_s.clamp(Breaker::MIN_QUIET_S, QUIET_S) * 1000.0) as Millis;
    if hang.ended - last >= least_ms && asked.is_quiet_after(last) {
        return Opening::At(Opened { last, by: asked.open_by(last) });
    }
    // What needs more time than the hang had has not been shown to stay closed.
    if quiet_s < Breaker::MIN_QUIET_S {
        Opening::Unseen(too_slow(hang, breaker, pace))
    } else {
        Opening::Never
    }
}

impl<'v, 'a> Asked<'v, 'a> {
    fn new(hang: &'v FaultFact, breaker: &Breaker, load: &'v LoadView<'a>, trust: &'v Trust) -> Self {
        let window = (hang.began, hang.ended);
        let seconds = load.direct_seconds(&hang.pod, window).map(|(_, second)| second).collect();
        let requests = load.direct_requests(&hang.pod, window).map(|(_, request)| request);
        let waited = requests.filter(|request| waits(load, request)).collect();
        let sure_ms = (breaker.deadline.0 * 1000.0 * SURE_SHARE).max(SURE_MS);
        Self { hang, load, trust, seconds, waited, sure_ms }
    }

    /// When the last one was due that surely waited.
    fn last(&self) -> Option<Millis> {
        let told = self.waited.iter().filter(|r| self.is_sure(r)).map(|r| r.due).max();
        // Under a deadline of 1 s or less not every request is told in full: the seconds know those to half a second.
        let later = self.calm().filter(|s| told.is_none_or(|told| s.at > told));
        let summed = later.filter(|s| slow(self.load, s) > 0).map(|s| s.at + 500).max();
        summed.or(told)
    }

    /// Requests up to 1 s stand in no line of their own: the seconds must agree. Where the load was late, slow answers say nothing;
    /// a second without any was quiet all the same.
    fn is_quiet_after(&self, last: Millis) -> bool {
        let later = self.seconds.iter().filter(|s| s.at > last && s.at + 1_000 <= self.hang.ended);
        let (slow, quiet): (Vec<&SecondFact>, Vec<&SecondFact>) = later.partition(|s| slow(self.load, s) > 0);
        quiet.iter().any(|s| s.due > 0) && slow.iter().all(|s| self.is_late(s.during()))
    }

    /// By when one was answered at once that would have waited: of the first second in which none of its kind waited, as its
    /// requests were spread over it.
    fn open_by(&self, last: Millis) -> Millis {
        let told = self.waited.iter().map(|r| r.template);
        let summed = self.seconds.iter().filter(|s| slow(self.load, s) > 0).map(|s| s.template);
        let touches: BTreeSet<usize> = told.chain(summed).collect();
        let waits_in = |s: &SecondFact| {
            self.waited.iter().any(|r| r.template == s.template && (s.at..s.at + 1_000).contains(&r.due))
        };
        let later = self.seconds.iter().filter(|s| s.at > last && s.due > 0 && touches.contains(&s.template));
        let quick = later.filter(|s| slow(self.load, s) == 0 && !waits_in(s));
        quick
            .map(|s| s.at + 1_000 / Millis::from(s.due))
            .min()
            .unwrap_or(self.hang.ended)
            .min(self.hang.ended)
    }

    /// Seconds in which the load was not late.
    fn calm(&self) -> impl Iterator<Item = &'a SecondFact> {
        self.seconds.iter().copied().filter(|second| !self.is_late(second.during()))
    }

    fn is_sure(&self, request: &RequestFact) -> bool {
        request.took_ms >= self.sure_ms || !self.is_late(request.during())
    }

    fn is_late(&self, window: (Millis, Millis)) -> bool {
        let about = About::dependency(&self.hang.dependency);
        self.trust.during(&[Kind::Load], about, window).next().is_some()
    }

    fn why_none(&self) -> String {
        let (pod, dependency) = (&self.hang.pod, &self.hang.dependency);
        if self.waited.is_empty() {
            format!("no request to {pod} waited for {dependency}")
        } else {
            format!("whenever a request to {pod} waited for {dependency}, the load itself was late")
        }
    }
}

/// Whether a request waited for the dependency.
fn waits(load: &LoadView, request: &RequestFact) -> bool {
    match request.outcome {
        // Who gives up what is no slower than usual has not waited for the dependency.
        Outcome::GaveUp => request.took_ms > load.usual_ms(request.template),
        Outcome::Answered(_) | Outcome::OtherBody(_) | Outcome::Unsent => {
            request.took_ms > load.at_least_usual_ms(request.template, SLOW_MS)
        }
        _ => true,
    }
}

/// Answers of a second that waited.
fn slow(load: &LoadView, second: &SecondFact) -> u32 {
    second.times.slower_than(load.at_least_usual_ms(second.template, SLOW_MS))
}

fn too_slow(hang: &FaultFact, breaker: &Breaker, pace: Pace) -> String {
    let (rate, hung) = (pace.calls_per_s, (hang.ended - hang.began) as f64 / 1000.0);
    format!(
        "{rate:.1} calls per second of {} at {} may need longer than the {hung:.0} s of the hang for {}: raise the rate",
        hang.pod, hang.dependency, breaker.opens
    )
}
