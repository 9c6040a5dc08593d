//! The circuit of each pod before each dependency with a declared breaker, as the pod's own answers show it.

mod opening;
#[cfg(test)]
mod tests;
mod through;
mod told;

use self::opening::opening;
pub use self::through::Through;
use super::{CallView, FaultView, LoadView, StepSpan, Trust};
use crate::config::{Breaker, Pace};
use crate::evidence::{Fault, FaultFact, Millis, Step, TrialEnd};
use crate::plan::Plan;

/// Calls missing in a row that are no chance.
const PAUSED_CALLS: f64 = 15.0;

/// The share of its open time that a circuit surely lets no call through.
const OPEN_SHARE: f64 = 0.8;

/// Steps and faults are written down by different clocks, known to some milliseconds.
const CLOCKS_MS: Millis = 500;

/// One circuit under [`Fault::Hang`].
#[derive(Clone, Debug)]
pub struct Circuit<'a> {
    /// The dependency.
    pub dependency: &'a str,
    /// Its declared breaker.
    pub breaker: &'a Breaker,
    /// The pod.
    pub pod: &'a str,
    /// How many calls it gets.
    pub pace: Pace,
    /// The fault that made the calls hang.
    pub hang: &'a FaultFact,
    /// Its line.
    pub line: usize,
    /// What became of the circuit.
    pub opening: Opening,
    /// Trials that followed, in order.
    pub trials: Vec<Trial<'a>>,
}

/// Whether a circuit opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It did, at this time.
    At(Opened),
    /// Requests went on waiting.
    Never,
    /// The evidence does not tell, for this reason.
    Unseen(String),
}

/// Between which moments a circuit opened. They lie apart where few requests touch the dependency, and where those that did
/// may have been slow for another reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// When the last request was due that surely waited: it was closed.
    pub last: Millis,
    /// By when requests were answered at once of a kind that had waited: it was open.
    pub by: Millis,
}

/// One trial order and when the circuit that it met had opened.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The fault.
    pub fact: &'a FaultFact,
    /// Its line.
    pub line: usize,
    /// When the circuit had opened, or had opened again after a failed trial.
    pub since: Option<Opened>,
}

impl Opening {
    /// When it opened, if it did.
    fn opened(&self) -> Option<Opened> {
        if let Self::At(opened) = self { Some(*opened) } else { None }
    }
}

impl Trial<'_> {
    /// Whether it is one that was let go on.
    pub fn is_good(&self) -> bool {
        matches!(self.fact.fault, Fault::Trial { end: TrialEnd::Forward, .. })
    }

    /// When the trial call was let go on or was given up.
    pub fn over(&self) -> Option<Millis> {
        self.fact.held.first().map(|held| held.to)
    }
}

impl Circuit<'_> {
    /// When it opened, if it did.
    pub fn opened(&self) -> Option<Opened> {
        self.opening.opened()
    }

    /// When it may open, in seconds after its calls began to hang: the earliest and the latest moment.
    pub fn opens_between_s(&self) -> (f64, f64) {
        self.breaker.opens_between_s(self.pace)
    }

    /// Name for the report.
    pub fn name(&self) -> String {
        format!("{} -> {}", self.pod, self.dependency)
    }
}

/// What circuits are told by.
type Views<'v, 'a> = (&'v FaultView<'a>, &'v LoadView<'a>, &'v CallView<'a>, &'v Trust);

pub(super) fn circuits<'a>(
    plan: &'a Plan,
    (faults, load, calls, trust): Views<'_, 'a>,
    quiet: Option<(Millis, Millis)>,
    steps: &[StepSpan],
) -> Vec<Circuit<'a>> {
    let dependencies = &plan.dependencies;
    let mut circuits = Vec::new();
    // Later, calls hang that nobody waits for.
    let degraded = steps.iter().find(|span| span.step == Step::Degraded);
    let until = degraded.map_or(Millis::MAX, |span| span.begin - CLOCKS_MS);
    let hangs = faults.of_kind(|fault| *fault == Fault::Hang).filter(|(_, hang)| hang.began < until);
    for (line, hang) in hangs {
        // A trial that was given up may go on as a hang of its own: the circuit is open by then.
        if circuits.iter().any(|c: &Circuit| c.pod == hang.pod && c.dependency == hang.dependency) {
            continue;
        }
        let declared = dependencies.iter().find(|d| d.name == hang.dependency);
        let Some((dependency, breaker)) = declared.and_then(|d| Some((d, d.breaker.as_ref()?))) else {
            continue;
        };
        let pace = pace(hang, calls, quiet);
        let opening = opening(hang, breaker, pace, (load, trust), breaker.quiet_s(pace));
        let opened = opening.opened();
        circuits.push(Circuit {
            dependency: &dependency.name,
            breaker,
            pod: &hang.pod,
            pace,
            hang,
            line,
            opening,
            trials: trials(hang, opened, faults),
        });
    }
    circuits
}

/// How many calls a pod gets, as in the quiet phase, and over how many connections they go while they hang.
fn pace(hang: &FaultFact, calls: &CallView, quiet: Option<(Millis, Millis)>) -> Pace {
    let calls = calls.of(&hang.dependency, &hang.pod);
    let per_s = quiet
        .map_or(0.0, |window| calls.within(window) as f64 / ((window.1 - window.0).max(1) as f64 / 1000.0));
    Pace::new(per_s, f64::from(calls.most_open((hang.began, hang.ended))))
}

/// How long calls must stop, in ms, for it to look like an open circuit: this long, or less when its open time is
/// shorter; and how many there have to be per second.
pub fn telling_pause(breaker: Option<&Breaker>, at_most: Millis) -> (Millis, f64) {
    let open_ms = breaker.map_or(f64::MAX, |breaker| breaker.open_for.0 * 1000.0);
    let pause = at_most.min((open_ms * OPEN_SHARE) as Millis);
    (pause, PAUSED_CALLS * 1000.0 / pause as f64)
}

fn trials<'a>(hang: &FaultFact, opened: Option<Opened>, faults: &FaultView<'a>) -> Vec<Trial<'a>> {
    let mut since = opened;
    let mut trials = Vec::new();
    let mine = faults.on(&hang.dependency, &hang.pod);
    for (line, fact) in mine.filter(|(_, f)| f.began >= hang.began && matches!(f.fault, Fault::Trial { .. }))
    {
        trials.push(Trial { fact, line, since });
        let given_up = fact.held.first().filter(|held| held.given_up);
        since = given_up.map(|held| Opened { last: held.to, by: held.to });
    }
    trials
}
