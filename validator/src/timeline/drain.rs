//! What became of users while a pod was on its way out.

use super::{About, Kind, Termination, Timeline};
use crate::evidence::{Class, Fault, Millis, Outcome, RequestFact, Step};

/// The end of a container is seen some time after it happened, and a connection to it may be tried until every node
/// knows.
const AFTER: Millis = 1_000;

/// Losses are counted, and struck, by the second.
const SECOND: Millis = 999;

/// Whose disturbance may have lost a request in the place of the pod: what GL-S201 strikes is evidence of nothing.
pub const LOSSES_REST_ON: &[Kind] = &[Kind::Load, Kind::Agent, Kind::Dependency, Kind::Target];

/// Requests that were lost while a pod was on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostMeanwhile {
    /// With nothing else to blame.
    pub by_target: usize,
    /// While the run itself was disturbed: nobody knows by whom.
    pub disturbed: usize,
}

impl Timeline<'_> {
    /// Requests through the Service that were lost while this pod was terminating: under way at its deletion, or sent
    /// until shortly after its end. Which pod lost them nobody knows.
    pub fn lost_during(&self, termination: &Termination) -> LostMeanwhile {
        let (from, to) = leaving(termination);
        let lost = self.load.lost().map(|(_, request)| request).filter(|r| r.class != Class::Direct);
        let mut count = LostMeanwhile::default();
        let lost = lost.filter(|r| !self.is_left_cold(r.outcome, r.during()));
        for request in lost.filter(|r| r.due <= to && r.during().1 >= from) {
            if self.is_disturbed(request) { count.disturbed += 1 } else { count.by_target += 1 }
        }
        count
    }

    /// Whether the run itself was disturbed around a request; its second in the count of the losses included.
    pub fn is_disturbed(&self, request: &RequestFact) -> bool {
        let window = (request.due - SECOND, request.during().1.max(request.due + SECOND));
        self.trust.explains(LOSSES_REST_ON, About::default(), window).is_some()
    }

    /// Whether a request may have been answered so in a window since we left reads of a cache cold: what it asked for, a
    /// session or a copy, was not there. Whoever fails instead cannot do without its cache.
    pub fn is_left_cold(&self, ended: Outcome, (from, to): (Millis, Millis)) -> bool {
        let nothing_there = ended.is_response() && !matches!(ended, Outcome::Answered(500..));
        let misses = self.faults.of_kind(|fault| *fault == Fault::Miss);
        let mut cold = misses.filter_map(|(_, miss)| miss.first_hit.zip(miss.last_hit));
        nothing_there && cold.any(|(first, last)| from <= last + AFTER && to + AFTER >= first)
    }

    /// Whether a pod of the version that a candidate with another image replaces was on its way out in a window.
    pub fn replaced_leaves(&self, (from, to): (Millis, Millis)) -> bool {
        let out = self.step(Step::RollOut).map_or(Millis::MAX, |span| span.begin);
        let old = self.terminations().into_iter().map(|(_, end)| end).filter(|end| end.at < out);
        let mut leaves = old.map(leaving);
        self.plan().target.changes_image() && leaves.any(|(begin, end)| begin <= to && end >= from)
    }

    /// Requests through the Service that were answered meanwhile: without any, nothing is proven.
    pub fn answered_during(&self, termination: &Termination) -> u64 {
        self.load.all(leaving(termination)).answered
    }

    /// Statements of ours that this pod had under way at its deletion, or began later, and gave up with nothing else to
    /// blame.
    pub fn given_up_by(&self, pod: &str, termination: &Termination) -> usize {
        let holds = self.faults.of_kind(|fault| matches!(fault, Fault::Hold { .. }));
        let mine = holds.filter(|(_, fault)| fault.pod == pod);
        let held =
            mine.flat_map(|(_, fault)| fault.held.iter().map(|held| (fault.dependency.as_str(), held)));
        let given_up = held.filter(|(_, held)| held.given_up && held.to >= termination.at);
        let explained = |name, window| {
            let about = About { dependency: Some(name), pod: Some(pod) };
            self.trust.explains(LOSSES_REST_ON, about, window).is_some()
        };
        given_up.filter(|(name, held)| !explained(name, (held.from, held.to))).count()
    }

    /// From the deletion of the pod to the end of the container that serves, in seconds; the longest of those that
    /// are judged.
    pub fn longest_end_s(&self) -> Option<f64> {
        let ends = self.terminations_judged().into_iter();
        let took = ends.filter_map(|(_, t)| Some((t.exit.as_ref()?.at - t.at) as f64 / 1000.0));
        took.max_by(f64::total_cmp)
    }
}

fn leaving(termination: &Termination) -> (Millis, Millis) {
    let ended = termination.ended().unwrap_or(termination.at + termination.grace_s * 1_000);
    (termination.at, ended + AFTER)
}
