//! Whether a circuit opened while its dependency was degraded: its calls stopped. And what else changes how many come.

use super::{Degraded, Timeline, Unmeasured};
use crate::evidence::{FaultFact, Millis, Step};

/// Calls that stop for so long were stopped by the circuit, if its open time is not shorter.
pub const OPEN_MS: Millis = 3_000;

/// Looks for a stretch begin so far apart.
const TENTH: usize = 100;

/// Of the calls of one process of several so many are missing at least once its circuit is open: others may take some.
const OF_ONE: f64 = 0.7;

/// So many standard deviations fewer calls are no chance.
const SURE: f64 = 4.0;

/// Calls come so much more often when failed ones are repeated.
const REPEATED: f64 = 1.25;

/// How long the rate before a fault is looked at.
const BEFORE_MS: Millis = 3_000;

/// Calls in a stretch that are enough to tell the circuit of one of so many processes.
pub fn calls_to_tell_one_of(processes: u32) -> f64 {
    (SURE * f64::from(processes) / OF_ONE).powi(2)
}

/// The stretch in which calls are counted.
struct Watched {
    /// How long calls must stop.
    pause: Millis,
    /// From the begin of the fault to the next one, or to a pause after its end.
    window: (Millis, Millis),
    /// Calls in so long a stretch, usually.
    usual: f64,
}

impl Timeline<'_> {
    /// When calls stopped for as long as only a circuit stops them, while a fault was in force or just after it; where
    /// processes share the calls, when so few came that one of them did.
    ///
    /// # Errors
    /// It would not show, or the circuit was open before.
    pub fn opened_in(&self, one: &Degraded) -> Result<Option<Millis>, Unmeasured> {
        let processes = one.breaker.map_or(1, |breaker| breaker.per_process);
        let watched = self.watched(one)?;
        let stopped = self.stopped(one, &watched);
        if stopped.is_some() || processes == 1 {
            return Ok(stopped);
        }
        let missing = watched.usual * OF_ONE / f64::from(processes);
        if watched.usual < calls_to_tell_one_of(processes) {
            return Err(Unmeasured::NotSeen(format!(
                "{}: too few calls to tell the circuit of one of {processes} processes: raise the rate",
                one.name()
            )));
        }
        Ok(self.thinned(one, &watched, watched.usual - missing))
    }

    /// When the circuits of all processes of a pod had opened; of several, as good as all: one that gets few calls may
    /// never have had as many as it takes.
    ///
    /// # Errors
    /// The same.
    pub fn all_opened_in(&self, one: &Degraded) -> Result<Option<Millis>, Unmeasured> {
        let watched = self.watched(one)?;
        let several = one.breaker.is_some_and(|breaker| breaker.per_process > 1);
        let thinned = || several.then(|| self.thinned(one, &watched, watched.usual / 3.0)).flatten();
        Ok(self.stopped(one, &watched).or_else(thinned))
    }

    fn watched(&self, one: &Degraded) -> Result<Watched, Unmeasured> {
        let FaultFact { dependency, pod, began, ended, .. } = one.fact;
        let pause = self.telling_pause(dependency, OPEN_MS)?;
        if self.calls.of(dependency, pod).within((began - pause, *began)) == 0 {
            return Err(Unmeasured::NotSeen(format!("{} made no call before it", one.name())));
        }
        let next = self.faults.next_after(one.fact).unwrap_or(Millis::MAX);
        let until = next.min(ended + pause).min(self.deleted(pod));
        // Whatever changes how many requests the pod gets is no circuit.
        let (quiet, before) = self.rates(one);
        let usual = if quiet > 0.0 { quiet.min(before) } else { before };
        let usual = usual * pause as f64 / 1000.0;
        Ok(Watched { pause, window: (*began, until), usual })
    }

    fn stopped(&self, one: &Degraded, watched: &Watched) -> Option<Millis> {
        let calls = self.calls.of(&one.fact.dependency, &one.fact.pod);
        let (pause, since) = calls.longest_pause(watched.window);
        (pause >= watched.pause).then_some(since)
    }

    /// The first stretch with so few calls.
    fn thinned(&self, one: &Degraded, watched: &Watched, fewer_than: f64) -> Option<Millis> {
        let calls = self.calls.of(&one.fact.dependency, &one.fact.pod);
        let (begin, end) = watched.window;
        let mut begins = (begin..=end - watched.pause).step_by(TENTH);
        begins.find(|at| (calls.within((*at, at + watched.pause)) as f64) < fewer_than)
    }

    /// Calls per second of the pod of a fault while nothing is done to it: in the quiet phase, or just before it.
    pub fn usual_rate(&self, one: &Degraded) -> f64 {
        let (quiet, before) = self.rates(one);
        quiet.max(before)
    }

    fn rates(&self, one: &Degraded) -> (f64, f64) {
        let calls = self.calls.of(&one.fact.dependency, &one.fact.pod);
        let quiet = self.span(Step::Quiet).map_or(0.0, |quiet| calls.per_s(quiet));
        (quiet, calls.per_s((one.fact.began - BEFORE_MS, one.fact.began)))
    }

    /// Whether failed calls are repeated, in words: then fewer requests fail than calls do.
    pub fn repeats(&self, one: &Degraded) -> Option<String> {
        let FaultFact { dependency, pod, began, ended, .. } = one.fact;
        let stopped = self.opened_in(one).ok().flatten().unwrap_or(*ended);
        let before = self.usual_rate(one);
        let meanwhile = self.calls.of(dependency, pod).per_s((*began, stopped));
        // A number of calls varies by its square root.
        let before_s = BEFORE_MS as f64 / 1000.0;
        let chance = 2.0 * (before * before_s).sqrt() / before_s;
        (meanwhile > before * REPEATED + chance).then(|| {
            format!("{meanwhile:.0} calls per second instead of {before:.0}: failed ones are repeated")
        })
    }
}
