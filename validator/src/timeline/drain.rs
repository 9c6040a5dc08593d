//! What became of users while a pod was on its way out.

use super::{Termination, Timeline};
use crate::evidence::{Class, Fault, Millis, Outcome};

/// The end of a container is seen some time after it happened, and a connection to it may be tried until every node
/// knows.
const AFTER: Millis = 1_000;

impl Timeline<'_> {
    /// Requests through the Service that were lost while this pod was terminating: under way at its deletion, or sent
    /// until shortly after its end. Which pod lost them nobody knows.
    pub fn lost_during(&self, termination: &Termination) -> usize {
        let (from, to) = self.leaving(termination);
        let lost = self.load.requests.iter().map(|(_, request)| request);
        let lost = lost.filter(|r| r.outcome.is_lost() && r.class != Class::Direct);
        lost.filter(|r| r.due <= to && r.due + r.took_ms.ceil() as Millis >= from).count()
    }

    /// Requests through the Service that were answered meanwhile: without any, nothing is proven.
    pub fn answered_during(&self, termination: &Termination) -> u64 {
        self.load.all(self.leaving(termination)).answered
    }

    /// Statements of ours that this pod had under way at its deletion, or began later, and gave up.
    pub fn given_up_by(&self, pod: &str, termination: &Termination) -> usize {
        let holds = self.faults.of_kind(|fault| matches!(fault, Fault::Hold { .. }));
        let held = holds.filter(|(_, fault)| fault.pod == pod).flat_map(|(_, fault)| &fault.held);
        held.filter(|held| held.given_up && held.to >= termination.at).count()
    }

    /// New connections that were refused while a pod was leaving: the line, when they were due, and how long after that
    /// pod's SIGTERM.
    pub fn refused_while_leaving(&self) -> Vec<(usize, Millis, Millis)> {
        let terminations = self.terminations();
        let leaving = |at: Millis| {
            let on_its_way = |t: &&Termination| t.at <= at && t.gone.is_none_or(|gone| at <= gone);
            let ends = terminations.iter().map(|(_, t)| *t).filter(on_its_way);
            ends.map(|t| at - self.sigterm(t).earliest().min(at)).max()
        };
        let new = self.load.requests.iter();
        let new = new.filter(|(_, r)| r.class == Class::New && r.outcome == Outcome::Refused);
        new.filter_map(|(line, request)| Some((*line, request.due, leaving(request.due)?))).collect()
    }

    fn leaving(&self, termination: &Termination) -> (Millis, Millis) {
        let ended = termination.ended().unwrap_or(termination.at + termination.grace_s * 1_000);
        (termination.at, ended + AFTER)
    }
}
