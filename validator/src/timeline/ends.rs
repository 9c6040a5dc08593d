//! Which ends of pods are judged.

use super::{PodLife, Termination, Timeline};
use crate::evidence::{Millis, Step};

impl Timeline<'_> {
    /// Pods whose deletion was seen in one of the rolls, or soon after it. A pod that is deleted between them, on
    /// purpose, has a check of its own.
    pub fn terminations(&self) -> Vec<(&PodLife, &Termination)> {
        let rolling = self.rolling();
        let inside = |at: Millis| rolling.iter().any(|(begin, end)| (*begin..=*end).contains(&at));
        let ended = self.pods.iter().filter_map(|pod| Some((pod, pod.termination.as_ref()?)));
        ended.filter(|(_, termination)| inside(termination.at)).collect()
    }

    /// Those of them that end behind the agents: in the roll out.
    pub fn terminations_out(&self) -> Vec<(&PodLife, &Termination)> {
        let out = self.step(Step::RollOut).map_or(Millis::MAX, |span| span.begin);
        self.terminations().into_iter().filter(|(_, termination)| termination.at >= out).collect()
    }

    /// Those of them that tell of what is to go live: of a candidate with another image its own ends, in the roll out; of
    /// a restart all, since either roll ends pods of the same version.
    pub fn terminations_judged(&self) -> Vec<(&PodLife, &Termination)> {
        if self.plan().target.changes_image() { self.terminations_out() } else { self.terminations() }
    }

    /// Whether what a pod does tells of what is to go live: of a candidate with another image its own pods alone, which came in
    /// the roll in or after it, and not from the template of before, which a roll out brings back when the candidate failed.
    /// What it replaces may be what it repairs.
    pub fn is_judged(&self, pod: &PodLife) -> bool {
        let begin = self.step(Step::RollIn).map_or(Millis::MAX, |span| span.begin);
        let is_old = |old: &PodLife| old.first_seen < begin && old.template.is_some();
        let came_back = || self.pods.iter().any(|old| is_old(old) && old.template == pod.template);
        !self.plan().target.changes_image() || (pod.first_seen >= begin && !came_back())
    }

    /// The stretches of [`Self::rolling`] in which these ends lie.
    pub fn rolling_judged(&self) -> Vec<(Millis, Millis)> {
        let out = self.step(Step::RollOut).map_or(Millis::MAX, |span| span.begin);
        let from = if self.plan().target.changes_image() { out } else { Millis::MIN };
        self.rolling().into_iter().filter(|(begin, _)| *begin >= from).collect()
    }
}
