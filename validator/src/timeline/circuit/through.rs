//! Calls that reach a dependency although the circuit before it is open.

use super::Circuit;
use crate::evidence::Millis;
use crate::timeline::Timeline;

/// The opening is told by the last request that waited: one tenth of a second, and the clocks of two agents.
const OPENING_MS: Millis = 300;

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
}

impl Through {
    /// Whether the circuit did not stop them.
    pub fn is_more_than_trials(&self) -> bool {
        self.calls > self.early
    }
}

impl Timeline<'_> {
    /// What came through a circuit that was open at this time; none if it was not open for long enough to be told.
    pub fn through(&self, circuit: &Circuit, opened: Millis) -> Option<Through> {
        let calls = self.calls.of(circuit.dependency, circuit.pod);
        let trial = circuit.trials.iter().find_map(|trial| trial.fact.first_hit);
        // The tenth of a second of the trial itself holds the trial.
        let end = trial.unwrap_or(circuit.hang.ended) - 100;
        let from = opened + OPENING_MS + (circuit.breaker.deadline.0 * 1000.0) as Millis;
        (from < end).then(|| Through {
            during: (from, end),
            calls: calls.within((from, end)),
            let_in: calls.within((opened + OPENING_MS, from)),
            early: u64::from(circuit.breaker.trials_per_pod() - circuit.breaker.trials),
        })
    }
}
