//! Calls that reach a dependency although the circuit before it is open.

use super::Circuit;
use crate::evidence::{Millis, Step};
use crate::timeline::Timeline;

/// The opening is told by the last request that waited: one tenth of a second, and the clocks of two agents.
const OPENING_MS: Millis = 300;

/// Before the end of the learning step: everything is done with that was let in before it, and no load comes again yet.
const WITHOUT_LOAD_MS: (Millis, Millis) = (4_000, 1_000);

/// What came before the first trial of one circuit.
#[derive(Clone, Copy, Debug)]
pub struct Through {
    /// When nothing should have come any more.
    pub during: (Millis, Millis),
    /// Calls of it.
    pub calls: u64,
    /// Calls of requests that were let in before the opening: they had to wait for a connection.
    pub let_in: u64,
    /// So many may be trials of processes that opened before the others.
    early: u64,
    /// So many fit in as trials that come too soon: each hangs for its deadline, and only then comes the next one.
    trials: u64,
    /// Whether calls come without load as well, which ask nobody.
    unasked: bool,
}

impl Through {
    /// Whether the circuit did not stop them.
    pub fn is_more_than_trials(&self) -> bool {
        self.calls > self.early
    }

    /// Whether a trial cannot be told from what goes past the circuit. Few calls, where none comes without load, are trials that
    /// come too soon.
    pub fn hides_trials(&self) -> bool {
        self.is_more_than_trials() && (self.unasked || self.calls > self.trials)
    }
}

impl Timeline<'_> {
    /// What came through a circuit that was open at this time; none if it was not open for long enough to be told.
    pub fn through(&self, circuit: &Circuit, opened: Millis) -> Option<Through> {
        let calls = self.calls.of(circuit.dependency, circuit.pod);
        let trial = circuit.trials.iter().find_map(|trial| trial.fact.first_hit);
        // The tenth of a second of the trial itself holds the trial.
        let end = trial.unwrap_or(circuit.hang.ended) - 100;
        let deadline_ms = circuit.breaker.deadline.0 * 1000.0;
        let from = opened + OPENING_MS + deadline_ms as Millis;
        (from < end).then(|| Through {
            during: (from, end),
            calls: calls.within((from, end)),
            let_in: calls.within((opened + OPENING_MS, from)),
            early: u64::from(circuit.breaker.trials_per_pod() - circuit.breaker.trials),
            trials: u64::from(circuit.breaker.trials_per_pod())
                * ((end - from) as f64 / deadline_ms.max(1.0)).ceil() as u64,
            unasked: self.without_load().is_some_and(|quiet| calls.within(quiet) > 0),
        })
    }

    /// When no load was sent, and what was sent before is done with.
    fn without_load(&self) -> Option<(Millis, Millis)> {
        let end = self.step(Step::Learning)?.end?;
        Some((end - WITHOUT_LOAD_MS.0, end - WITHOUT_LOAD_MS.1))
    }
}
