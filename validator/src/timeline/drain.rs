//! What became of users while a pod was on its way out.

use super::{Termination, Timeline};
use crate::evidence::{Class, Fault, Millis};

/// The end of a container is seen some time after it happened, and a connection to it may be tried until every node
/// knows.
const AFTER: Millis = 1_000;

impl Timeline<'_> {
    /// Requests through the Service that were lost while this pod was terminating: under way at its deletion, or sent
    /// until shortly after its end. Which pod lost them nobody knows.
    pub fn lost_during(&self, termination: &Termination) -> usize {
        let (from, to) = leaving(termination);
        let lost = self.load.lost().map(|(_, request)| request).filter(|r| r.class != Class::Direct);
        lost.filter(|r| r.due <= to && r.during().1 >= from).count()
    }

    /// Requests through the Service that were answered meanwhile: without any, nothing is proven.
    pub fn answered_during(&self, termination: &Termination) -> u64 {
        self.load.all(leaving(termination)).answered
    }

    /// Statements of ours that this pod had under way at its deletion, or began later, and gave up.
    pub fn given_up_by(&self, pod: &str, termination: &Termination) -> usize {
        let holds = self.faults.of_kind(|fault| matches!(fault, Fault::Hold { .. }));
        let held = holds.filter(|(_, fault)| fault.pod == pod).flat_map(|(_, fault)| &fault.held);
        held.filter(|held| held.given_up && held.to >= termination.at).count()
    }

    /// From the deletion of the pod to the end of the container that serves, in seconds; the longest of all rolls.
    pub fn longest_end_s(&self) -> Option<f64> {
        let ends = self.terminations().into_iter();
        let took = ends.filter_map(|(_, t)| Some((t.exit.as_ref()?.at - t.at) as f64 / 1000.0));
        took.max_by(f64::total_cmp)
    }
}

fn leaving(termination: &Termination) -> (Millis, Millis) {
    let ended = termination.ended().unwrap_or(termination.at + termination.grace_s * 1_000);
    (termination.at, ended + AFTER)
}
