//! What happened, on one axis of time: the data of the picture. Curves, marks, requests and the lanes of pods are bounded,
//! whatever the length of the run; what is left out is counted.

mod dependencies;
mod load;
mod marks;
mod pods;
mod requests;

use crate::evidence::Millis;
use crate::report::CheckLine;
use crate::timeline::Timeline;

pub(crate) use dependencies::{CircuitLane, CircuitState, DependencyTrack};
pub(crate) use load::{ClassTrack, LoadTrack};
pub(crate) use marks::Mark;
pub(crate) use pods::{Generation, Phase, PodLane};
pub(crate) use requests::{RequestLine, SpanBar};

/// Columns of every curve at most.
const MAX_COLUMNS: usize = 600;

/// A run on one axis; all times in seconds since its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// The start, Unix time in ms.
    pub started: Millis,
    /// Length of the axis.
    pub length_s: f64,
    /// Width of one column of every curve.
    pub column_s: f64,
    /// The load and what became of it.
    pub load: LoadTrack,
    /// Ready and terminating endpoints from each moment on.
    pub endpoints: Vec<(f64, usize, usize)>,
    /// Endpoints that the strategy promises.
    pub promise: usize,
    /// Each pod from its first sight to its end, of each generation so many.
    pub pods: Vec<PodLane>,
    /// All pods of the run, also those without a lane.
    pub pods_seen: usize,
    /// Of these, those that were seen to end.
    pub pods_ended: usize,
    /// Each dependency: calls, faults, circuits.
    pub dependencies: Vec<DependencyTrack>,
    /// When the run itself was disturbed, and why.
    pub disturbances: Vec<Stretch>,
    /// The cases of the findings.
    pub marks: Vec<Mark>,
    /// Requests worth a look.
    pub requests: Vec<RequestLine>,
}

/// Something from one moment to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Its begin.
    pub from_s: f64,
    /// Its end.
    pub to_s: f64,
    /// What it was.
    pub text: String,
}

/// Turns moments into seconds since the start and columns.
#[derive(Clone, Copy, Debug)]
struct Axis {
    started: Millis,
    length_s: f64,
    column_s: f64,
    columns: usize,
}

impl Axis {
    fn new(timeline: &Timeline) -> Self {
        let started = timeline.evidence.header.started;
        let end = timeline.ended().max(started + 1_000);
        let length_s = (end - started) as f64 / 1000.0;
        let column_s = (length_s / MAX_COLUMNS as f64).ceil().max(1.0);
        Self { started, length_s, column_s, columns: (length_s / column_s).ceil() as usize }
    }

    /// Seconds since the start, kept on the axis.
    fn s(&self, at: Millis) -> f64 {
        ((at.saturating_sub(self.started)) as f64 / 1000.0).clamp(0.0, self.length_s)
    }

    /// The column of a moment; none off the axis.
    fn column(&self, at: Millis) -> Option<usize> {
        let seconds = (at - self.started) as f64 / 1000.0;
        (seconds >= 0.0).then(|| (seconds / self.column_s) as usize).filter(|column| *column < self.columns)
    }

    fn stretch(&self, (from, to): (Millis, Millis), text: impl Into<String>) -> Stretch {
        Stretch { from_s: self.s(from), to_s: self.s(to), text: text.into() }
    }
}

impl Course {
    /// That some pods have no lane, if so.
    pub fn without_lane(&self) -> Option<String> {
        let more = self.pods_seen.saturating_sub(self.pods.len());
        (more > 0).then(|| format!("{more} more pods have no lane: of each template the first are drawn."))
    }

    /// Puts a run on its axis; the marks are those of the judged lines.
    pub fn new(timeline: &Timeline, lines: &[CheckLine]) -> Self {
        let axis = Axis::new(timeline);
        let (unavailable, _) = timeline.workload.rolling();
        let endpoint =
            |count: &crate::timeline::EndpointCount| (axis.s(count.at), count.ready, count.terminating);
        let mut disturbances: Vec<Stretch> = timeline
            .trust
            .disturbances
            .iter()
            .filter(|d| d.to >= axis.started)
            .map(|d| axis.stretch((d.from, d.to), &d.why))
            .collect();
        disturbances.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
        let requests = requests::worth_a_look(timeline, axis);
        Self {
            started: axis.started,
            length_s: axis.length_s,
            column_s: axis.column_s,
            load: load::track(timeline, axis),
            endpoints: timeline.endpoints.iter().map(endpoint).collect(),
            promise: (timeline.workload.replicas() - unavailable).max(0) as usize,
            pods: pods::lanes(timeline, axis),
            pods_seen: timeline.pods.len(),
            pods_ended: timeline.pods.iter().filter(|pod| pods::end(pod).is_some()).count(),
            dependencies: dependencies::tracks(timeline, axis),
            disturbances,
            marks: marks::marks(lines, &requests, axis),
            requests,
        }
    }
}
