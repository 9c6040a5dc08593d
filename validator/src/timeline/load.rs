//! The load and what became of it, by class and window.

use crate::evidence::{
    Class, ConnectionFact, Evidence, Fact, Histogram, Millis, Outcome, ProbeFact, RequestFact, SecondFact,
    TraceFact,
};

/// All facts of the load agents, with their lines.
#[derive(Debug)]
pub struct LoadView<'a> {
    /// Per-second counts.
    pub seconds: Vec<(usize, &'a SecondFact)>,
    /// Requests in full.
    pub requests: Vec<(usize, &'a RequestFact)>,
    /// Ends of kept connections.
    pub connections: Vec<(usize, &'a ConnectionFact)>,
    /// Answers of single pods.
    pub probes: Vec<(usize, &'a ProbeFact)>,
    /// What the collector holds.
    pub traces: Vec<(usize, &'a TraceFact)>,
}

/// One class in one window.
#[derive(Clone, Debug, Default)]
pub struct ClassLoad {
    /// Requests due.
    pub due: u64,
    /// Of these, left on time.
    pub on_time: u64,
    /// Of these, lost.
    pub lost: u64,
    /// Of these, never sent by the agent.
    pub unsent: u64,
    /// Answers below 500.
    pub answered: u64,
    /// Times of answers.
    pub times: Histogram,
}

impl<'a> LoadView<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let mut view = Self {
            seconds: Vec::new(),
            requests: Vec::new(),
            connections: Vec::new(),
            probes: Vec::new(),
            traces: Vec::new(),
        };
        for (line, fact) in evidence.numbered() {
            match fact {
                Fact::Second(f) => view.seconds.push((line, f)),
                Fact::Request(f) => view.requests.push((line, f)),
                Fact::Connection(f) => view.connections.push((line, f)),
                Fact::Probe(f) => view.probes.push((line, f)),
                Fact::Trace(f) => view.traces.push((line, f)),
                _ => {}
            }
        }
        view
    }

    /// Sums one class over a window; a second counts when it begins inside.
    pub fn class(&self, class: Class, (begin, end): (Millis, Millis)) -> ClassLoad {
        let mut load = ClassLoad::default();
        for (_, second) in self.seconds.iter().filter(|(_, s)| s.class == class) {
            if second.at + 999 < begin || second.at > end {
                continue;
            }
            load.due += u64::from(second.due);
            load.on_time += u64::from(second.on_time);
            load.lost += u64::from(second.lost);
            load.times.merge(&second.times);
            for (outcome, count) in &second.outcomes {
                match outcome {
                    Outcome::Unsent => load.unsent += u64::from(*count),
                    outcome if !outcome.is_lost() => load.answered += u64::from(*count),
                    _ => {}
                }
            }
        }
        load
    }

    /// All classes together over a window.
    pub fn all(&self, window: (Millis, Millis)) -> ClassLoad {
        Class::ALL.into_iter().map(|class| self.class(class, window)).fold(
            ClassLoad::default(),
            |mut sum, one| {
                sum.due += one.due;
                sum.on_time += one.on_time;
                sum.lost += one.lost;
                sum.unsent += one.unsent;
                sum.answered += one.answered;
                sum.times.merge(&one.times);
                sum
            },
        )
    }

    /// Connections of a class that were open in the second of a moment, over all agents.
    pub fn open_at(&self, class: Class, moment: Millis) -> u64 {
        let second = moment / 1000 * 1000;
        let of = self.seconds.iter().filter(|(_, s)| s.class == class && s.at == second);
        of.map(|(_, s)| u64::from(s.open)).sum()
    }

    /// Requests that were sent with the sampled flag and answered.
    pub fn sampled(&self) -> impl Iterator<Item = &(usize, &'a RequestFact)> {
        self.requests.iter().filter(|(_, r)| r.trace_id.is_some() && !r.outcome.is_lost())
    }
}
