//! The load and what became of it, by class and window.

use std::collections::{BTreeMap, BTreeSet};

use super::hop::{Hop, Traced, behind, children, inner, orphans};
use super::usual::Usual;
use crate::evidence::{
    Class, ConnectionFact, Evidence, Fact, Histogram, Millis, Outcome, ProbeFact, ProbeTarget, RequestFact,
    SecondFact, Span, TraceFact,
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
    /// What the pods exported.
    pub traces: Vec<(usize, &'a TraceFact)>,
    spans: BTreeMap<&'a str, Vec<&'a Span>>,
    usual: Usual,
    /// A proxy between us and the target, if the traces show one.
    pub hop: Option<Hop>,
    /// Services that answer behind it, where its own spans are seen.
    behind: BTreeSet<&'a str>,
}

/// One class in one window.
#[derive(Clone, Debug, Default)]
pub struct ClassLoad {
    /// Requests due.
    pub due: u64,
    /// Of these, left on time.
    pub on_time: u64,
    /// Of these, lost: with what let a user down, see [`LoadView::is_lost`].
    pub lost: u64,
    /// Of these, never sent by the agent, or given up by its client.
    pub unsent: u64,
    /// Of these, answered as usual or as declared, whatever the status.
    pub answered: u64,
    /// Times of answers.
    pub times: Histogram,
}

impl ClassLoad {
    #[expect(clippy::needless_pass_by_value, reason = "a sum is folded")]
    fn plus(mut self, other: Self) -> Self {
        self.due += other.due;
        self.on_time += other.on_time;
        self.lost += other.lost;
        self.unsent += other.unsent;
        self.answered += other.answered;
        self.times.merge(&other.times);
        self
    }
}

impl<'a> LoadView<'a> {
    pub(super) fn new(evidence: &'a Evidence, usual: Usual, quiet: Option<(Millis, Millis)>) -> Self {
        let mut view = Self {
            seconds: Vec::new(),
            requests: Vec::new(),
            connections: Vec::new(),
            probes: Vec::new(),
            traces: Vec::new(),
            spans: BTreeMap::new(),
            usual,
            hop: None,
            behind: BTreeSet::new(),
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
        view.spans = spans(&view.traces);
        let traced: Vec<Traced> = view.traced().collect();
        let hop = Hop::find(&traced, quiet);
        let services = (hop == Some(Hop::Seen)).then(|| behind(&traced));
        drop(traced);
        (view.hop, view.behind) = (hop, services.unwrap_or_default());
        view
    }

    fn traced(&self) -> impl Iterator<Item = Traced<'_, 'a>> {
        let spans = |request| (request, self.spans_of(request));
        self.requests.iter().map(move |(_, request)| spans(*request)).filter(|(_, spans)| !spans.is_empty())
    }

    /// Sums one class over a window; a second counts when it touches it.
    pub fn class(&self, class: Class, (begin, end): (Millis, Millis)) -> ClassLoad {
        let mut load = ClassLoad::default();
        for (_, second) in self.seconds.iter().filter(|(_, s)| s.class == class) {
            if second.at + 999 < begin || second.at > end {
                continue;
            }
            load.due += u64::from(second.due);
            load.on_time += u64::from(second.on_time);
            load.times.merge(&second.times);
            for (outcome, count) in &second.outcomes {
                let sum = match outcome {
                    outcome if !outcome.is_telling() => &mut load.unsent,
                    outcome if self.usual.is_lost(second.template, *outcome) => &mut load.lost,
                    _ => &mut load.answered,
                };
                *sum += u64::from(*count);
            }
        }
        load
    }

    /// Sums one class over several windows that lie apart.
    pub fn class_over(&self, class: Class, windows: &[(Millis, Millis)]) -> ClassLoad {
        windows.iter().map(|window| self.class(class, *window)).fold(ClassLoad::default(), ClassLoad::plus)
    }

    /// All classes together over a window.
    pub fn all(&self, window: (Millis, Millis)) -> ClassLoad {
        self.all_over(&[window])
    }

    /// All classes together over several windows that lie apart.
    pub fn all_over(&self, windows: &[(Millis, Millis)]) -> ClassLoad {
        let each = Class::ALL.into_iter().map(|class| self.class_over(class, windows));
        each.fold(ClassLoad::default(), ClassLoad::plus)
    }

    /// What became of the requests of each template that went through the Service in a window.
    pub fn answers(&self, (begin, end): (Millis, Millis)) -> BTreeMap<usize, BTreeMap<Outcome, u32>> {
        let mut answers: BTreeMap<usize, BTreeMap<Outcome, u32>> = BTreeMap::new();
        let through = self.seconds.iter().filter(|(_, s)| s.class != Class::Direct);
        for (_, second) in through.filter(|(_, s)| s.at + 999 >= begin && s.at <= end) {
            for (outcome, count) in second.outcomes.iter().filter(|(o, _)| o.is_telling()) {
                *answers.entry(second.template).or_default().entry(*outcome).or_default() += count;
            }
        }
        answers
    }

    /// Whether a user was let down by what became of a request: by its `expect`, else by what was given in quiet.
    pub fn is_lost(&self, template: usize, outcome: Outcome) -> bool {
        self.usual.is_lost(template, outcome)
    }

    /// How many requests of a second were lost, and what they ended as, in words.
    pub fn lost_in(&self, second: &SecondFact) -> (u64, String) {
        let lost = second.outcomes.iter().filter(|(outcome, _)| self.is_lost(second.template, *outcome));
        let words: Vec<String> =
            lost.clone().map(|(outcome, count)| format!("{count} {}", outcome.name())).collect();
        (lost.map(|(_, count)| u64::from(*count)).sum(), words.join(", "))
    }

    /// Requests in full that were lost.
    pub fn lost(&self) -> impl Iterator<Item = (usize, &'a RequestFact)> {
        self.requests.iter().filter(|(_, r)| self.is_lost(r.template, r.outcome)).copied()
    }

    /// 99 % of the answers of a template came within this time in the quiet phase, in ms; 0 if there were none.
    pub fn usual_ms(&self, template: usize) -> f64 {
        self.usual.p99_ms(template)
    }

    /// A limit of time for a template: this one, or twice what is usual for it, in ms.
    pub fn at_least_usual_ms(&self, template: usize, floor_ms: f64) -> f64 {
        floor_ms.max(2.0 * self.usual_ms(template))
    }

    /// Connections of a class that were open in the second of a moment, over all agents.
    pub fn open_at(&self, class: Class, moment: Millis) -> u64 {
        // Whole seconds of an agent's clock are none of ours.
        let holds = |s: &SecondFact| s.at <= moment && moment < s.at + 1_000;
        let mut agents: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, second) in self.seconds.iter().filter(|(_, s)| s.class == class && holds(s)) {
            let open = agents.entry(&second.agent).or_default();
            // Every template of a class counts the same connections.
            *open = (*open).max(second.open);
        }
        agents.into_values().map(u64::from).sum()
    }

    /// Requests of a window that went through the Service with the sampled flag and were answered.
    pub fn sampled(&self, (begin, end): (Millis, Millis)) -> Vec<(usize, &'a RequestFact)> {
        let through =
            |r: &RequestFact| r.class != Class::Direct && r.trace_id.is_some() && r.outcome.is_telling();
        let ours = self.requests.iter().filter(|(_, r)| through(r) && !self.is_lost(r.template, r.outcome));
        ours.filter(|(_, r)| (begin..=end).contains(&r.due)).copied().collect()
    }

    /// The spans of a request's trace, each once.
    pub fn spans_of(&self, request: &RequestFact) -> &[&'a Span] {
        let spans = request.trace_id.as_deref().and_then(|id| self.spans.get(id));
        spans.map(Vec::as_slice).unwrap_or_default()
    }

    /// The server spans that answer a request: the children of the span that it says it comes from. Behind a proxy whose
    /// spans are not seen, its children; of one whose spans are seen, what it asked. A request past the proxy has its own.
    pub fn servers_of(&self, request: &RequestFact) -> Vec<&'a Span> {
        let spans = self.spans_of(request);
        let mine: Vec<&Span> = children(spans, request).collect();
        match self.hop {
            Some(Hop::Unseen) if mine.is_empty() => orphans(spans).collect(),
            Some(Hop::Seen) => {
                let asked: Vec<&Span> = mine.iter().flat_map(|outer| inner(spans, outer)).collect();
                let own = |span: &&Span| self.behind.contains(span.service.as_str());
                if asked.is_empty() { mine.into_iter().filter(own).collect() } else { asked }
            }
            _ => mine,
        }
    }

    /// Pod-direct requests in full, by when they were due.
    pub fn direct_requests(
        &self,
        pod: &str,
        (begin, end): (Millis, Millis),
    ) -> impl Iterator<Item = (usize, &'a RequestFact)> {
        let direct = self.requests.iter().filter(|(_, r)| r.class == Class::Direct);
        direct.filter(move |(_, r)| r.pod.as_deref() == Some(pod) && (begin..=end).contains(&r.due)).copied()
    }

    /// Seconds that lie wholly inside a window.
    pub fn seconds_within(
        &self,
        (begin, end): (Millis, Millis),
    ) -> impl Iterator<Item = (usize, &'a SecondFact)> {
        self.seconds.iter().filter(move |(_, s)| s.at >= begin && s.at + 1_000 <= end).copied()
    }

    /// Seconds of pod-direct requests that lie wholly inside a window.
    pub fn direct_seconds(
        &self,
        pod: &str,
        (begin, end): (Millis, Millis),
    ) -> impl Iterator<Item = (usize, &'a SecondFact)> {
        let direct = self.seconds.iter().filter(|(_, s)| s.class == Class::Direct);
        direct
            .filter(move |(_, s)| s.pod.as_deref() == Some(pod) && s.at >= begin && s.at + 1_000 <= end)
            .copied()
    }

    /// Answers of one endpoint of a pod that reach into a window.
    pub fn probes_of(
        &self,
        pod: &str,
        target: ProbeTarget,
        (begin, end): (Millis, Millis),
    ) -> impl Iterator<Item = (usize, &'a ProbeFact)> {
        self.probes_to(pod, target).filter(move |(_, p)| p.to >= begin && p.from <= end)
    }

    /// All answers of one endpoint of a pod.
    pub fn probes_to(&self, pod: &str, target: ProbeTarget) -> impl Iterator<Item = (usize, &'a ProbeFact)> {
        self.probes.iter().filter(move |(_, p)| p.pod == pod && p.target == target).copied()
    }
}

/// An exporter that got no answer sends its spans again: the same span of the same service counts once.
fn spans<'a>(traces: &[(usize, &'a TraceFact)]) -> BTreeMap<&'a str, Vec<&'a Span>> {
    let mut by_trace: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for (_, trace) in traces {
        let known = by_trace.entry(&trace.trace_id).or_default();
        for span in &trace.spans {
            if !known.iter().any(|other| other.id == span.id && other.service == span.service) {
                known.push(span);
            }
        }
    }
    by_trace
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::header;

    #[test]
    fn open_connections_are_found_whatever_the_offset_of_an_agents_clock() {
        let second = |agent: &str, at, open| {
            let (agent, node) = (agent.to_owned(), "n".to_owned());
            Fact::Second(SecondFact {
                at,
                agent,
                node,
                class: Class::Busy,
                due: 1,
                on_time: 1,
                outcomes: Vec::new(),
                open,
                times: Histogram::default(),
                pod: None,
                template: 0,
                without_retry_after: 0,
            })
        };
        let facts = [second("a", 10_000, 3), second("a", 11_000, 9), second("b", 9_963, 4)]
            .into_iter()
            .map(|fact| fact.shifted(37));
        let evidence = Evidence::new(header(), facts.collect());
        let view = LoadView::new(&evidence, Usual::default(), None);
        assert_eq!(view.open_at(Class::Busy, 10_500), 7);
        assert_eq!(view.open_at(Class::Busy, 10_980), 9);
    }
}
