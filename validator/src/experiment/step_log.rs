//! What the experiment itself has to tell: when each step began and ended.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::evidence::{Edge, Fact, Step, StepFact, StepTrouble};
use crate::moment::now;

/// The steps of one run; shared by everything that runs side by side.
#[derive(Default)]
pub(super) struct StepLog {
    // Guards a list; held for one push.
    facts: Mutex<Vec<Fact>>,
}

impl StepLog {
    /// A step begins; `least` is how long it takes at least, however fast the service is.
    pub(super) fn begin(&self, step: Step, least: Duration) {
        self.note(step, Edge::Begin, None, Some(least.as_millis() as u64));
    }

    /// A step ended as it should.
    pub(super) fn end(&self, step: Step) {
        self.note(step, Edge::End, None, None);
    }

    /// A step ended early.
    pub(super) fn end_early(&self, step: Step, trouble: StepTrouble) {
        self.note(step, Edge::End, Some(trouble), None);
    }

    /// What was noted until now.
    pub(super) fn facts(&self) -> Vec<Fact> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, step: Step, edge: Edge, trouble: Option<StepTrouble>, least_ms: Option<u64>) {
        let fact = Fact::Step(StepFact { at: now(), step, edge, trouble, least_ms });
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
    }
}
