use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::circuit::Circuit;
use super::metrics::Outcome;

/// The right to make one call, and what is needed to record it.
pub(super) struct Admission {
    circuit: Arc<Circuit>,
    pub(super) generation: u64,
    since: Instant,
    /// Set when the outcome was recorded; otherwise the call was cancelled.
    pub(super) settled: bool,
    _trial: Option<Permit>,
}

impl Admission {
    pub(super) fn new(circuit: &Arc<Circuit>, generation: u64, trial: Option<Permit>) -> Self {
        Self {
            circuit: Arc::clone(circuit),
            generation,
            since: Instant::now(),
            settled: false,
            _trial: trial,
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if !self.settled {
            self.circuit.metrics.call(self.circuit.name, Outcome::NotCounted);
        }
    }
}

/// The only permit for a trial; dropping it makes room for the next.
pub(super) struct Permit(Arc<Circuit>);

impl Permit {
    pub(super) fn take(circuit: &Arc<Circuit>) -> Option<Self> {
        let taken = circuit.trial_running.swap(true, Ordering::AcqRel);
        (!taken).then(|| Self(Arc::clone(circuit)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.trial_running.store(false, Ordering::Release);
    }
}
