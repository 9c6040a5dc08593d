//! A lane per pod: starting, ready, terminating, gone.

use super::{Axis, Stretch};
use crate::evidence::{Millis, Step};
use crate::timeline::{ContainerExit, PodLife, Termination, Timeline};

/// One pod.
#[derive(Clone, Debug, PartialEq)]
pub struct PodLane {
    /// Its name.
    pub name: String,
    /// The node it was bound to.
    pub node: Option<String>,
    /// Which of the templates of a run it came from.
    pub generation: Generation,
    /// What it went through, in order.
    pub phases: Vec<(Phase, Stretch)>,
    /// How it ended, if it did.
    pub end: Option<String>,
}

/// Which template of a run a pod came from, by when it was first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// As the run found it.
    Found,
    /// The candidate, behind the agents.
    Candidate,
    /// What is to stay.
    ToStay,
}

/// What a pod was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Created, and not Ready yet.
    Starting,
    /// Ready.
    Ready,
    /// No longer Ready.
    Unready,
    /// Told to end.
    Terminating,
    /// Its container has ended, the object is still there.
    Ended,
}

impl Generation {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "as found",
            Self::Candidate => "candidate, behind the agents",
            Self::ToStay => "to stay",
        }
    }
}

impl Phase {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unready => "not ready",
            Self::Terminating => "terminating",
            Self::Ended => "ended",
        }
    }
}

/// Lanes of a generation at most: those that serve now are not to be crowded out by those that are gone.
const MAX_LANES: usize = 25;

pub(super) fn lanes(timeline: &Timeline, axis: Axis) -> Vec<PodLane> {
    let mut lanes: Vec<PodLane> = Vec::new();
    for pod in &timeline.pods {
        let generation = generation(timeline, pod);
        if lanes.iter().filter(|lane| lane.generation == generation).count() < MAX_LANES {
            lanes.push(lane(pod, generation, axis));
        }
    }
    lanes
}

fn generation(timeline: &Timeline, pod: &PodLife) -> Generation {
    let began = |step| timeline.step(step).map_or(Millis::MAX, |span| span.begin);
    if pod.first_seen < began(Step::RollIn) {
        Generation::Found
    } else if pod.first_seen < began(Step::RollOut) {
        Generation::Candidate
    } else {
        Generation::ToStay
    }
}

fn lane(pod: &PodLife, generation: Generation, axis: Axis) -> PodLane {
    PodLane {
        name: pod.name.clone(),
        node: pod.node.clone(),
        generation,
        phases: phases(pod, axis),
        end: end(pod).map(|exit| format!("exit {} {}", exit.code, exit.reason).trim_end().to_owned()),
    }
}

/// How it ended, if it was seen to.
pub(super) fn end(pod: &PodLife) -> Option<&ContainerExit> {
    pod.termination.as_ref()?.exit.as_ref()
}

fn phases(pod: &PodLife, axis: Axis) -> Vec<(Phase, Stretch)> {
    let last = axis.started + (axis.length_s * 1000.0) as Millis;
    let told = pod.termination.as_ref().map_or(last, |t| t.at);
    let mut changes = vec![(pod.first_seen, Phase::Starting)];
    for (at, ready, _) in pod.ready.iter().filter(|(at, ..)| *at < told) {
        match (ready, changes.last().map(|(_, phase)| *phase)) {
            (true, _) => changes.push((*at, Phase::Ready)),
            (false, Some(Phase::Starting)) => {}
            (false, _) => changes.push((*at, Phase::Unready)),
        }
    }
    let gone = pod.termination.as_ref().map_or(last, |t| ends(t, &mut changes, last));
    let until = changes.iter().skip(1).map(|(at, _)| *at).chain([gone]);
    let stretches = changes.iter().zip(until).filter(|((from, _), to)| from < to);
    stretches.map(|((from, phase), to)| (*phase, axis.stretch((*from, to), phase.name()))).collect()
}

/// Adds what follows a deletion; returns when the object was gone.
fn ends(termination: &Termination, changes: &mut Vec<(Millis, Phase)>, last: Millis) -> Millis {
    changes.push((termination.at, Phase::Terminating));
    if let Some(exit) = &termination.exit {
        changes.push((exit.at, Phase::Ended));
    }
    termination.gone.unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Generation, MAX_LANES, lanes};
    use crate::evidence::read;
    use crate::report::course::Axis;
    use crate::timeline::Timeline;

    #[test]
    fn pods_that_are_gone_crowd_out_none_that_serves() {
        let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good.evidence.zst");
        let evidence = read(&good).unwrap();
        let mut timeline = Timeline::new(&evidence);
        let of = |timeline: &Timeline, generation: Generation| {
            let lanes = lanes(timeline, Axis::new(timeline));
            lanes.iter().filter(|lane| lane.generation == generation).count()
        };
        let staying = of(&timeline, Generation::ToStay);
        let found = timeline.pods[0].clone();
        timeline.pods.splice(0..0, std::iter::repeat_n(found, 70));
        assert_eq!(of(&timeline, Generation::Found), MAX_LANES);
        assert!(staying > 0 && of(&timeline, Generation::ToStay) == staying);
    }
}
