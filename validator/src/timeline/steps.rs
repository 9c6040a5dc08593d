//! The steps of a run, and the stretches between them.

use super::{Timeline, Unmeasured};
use crate::evidence::{Edge, Evidence, Fact, Millis, Step, StepTrouble};

/// One step from its begin to its end.
#[derive(Clone, Debug)]
pub struct StepSpan {
    /// Which step.
    pub step: Step,
    /// When it began.
    pub begin: Millis,
    /// When it ended; absent if the run ended before it.
    pub end: Option<Millis>,
    /// Why it ended early.
    pub trouble: Option<StepTrouble>,
    /// How long it takes at least, in ms; 0 if the evidence does not say.
    pub least_ms: u64,
    /// Line of its end, else of its begin.
    pub line: usize,
}

impl Timeline<'_> {
    /// When the run ended: with its last step, or, where a step never ended, with the last that is known of it.
    pub fn ended(&self) -> Millis {
        let is_whole = self.steps.iter().all(|step| step.end.is_some());
        let last = self.evidence.facts.last().filter(|_| !is_whole || self.steps.is_empty()).map(Fact::at);
        let edges = self.steps.iter().flat_map(|step| [Some(step.begin), step.end]).flatten();
        edges.chain(last).max().unwrap_or(self.evidence.header.started)
    }

    /// One step, if it began; the first time of several.
    pub fn step(&self, step: Step) -> Option<&StepSpan> {
        self.steps.iter().find(|span| span.step == step)
    }

    /// Begin and end of a step that ended; of one that was done for one dependency after another, the first begin and
    /// the last end.
    pub fn span(&self, step: Step) -> Option<(Millis, Millis)> {
        spanned(&self.steps, step)
    }

    /// From the begin of one step to the end of a later one; a check cannot say anything without them.
    pub fn between(&self, first: Step, last: Step) -> Result<(Millis, Millis), Unmeasured> {
        let missing =
            |step: Step| Unmeasured::NotSeen(format!("the run did not get through: {}", step.name()));
        let begin = self.step(first).ok_or_else(|| missing(first))?.begin;
        let (_, end) = self.span(last).ok_or_else(|| missing(last))?;
        Ok((begin, end))
    }

    /// The stretches in which pods are replaced and nothing is broken on purpose: from the begin of each roll to the
    /// end of the last step of peace after it. None if no roll began.
    pub fn rolling(&self) -> Vec<(Millis, Millis)> {
        let mut stretches: Vec<(Millis, Millis)> = Vec::new();
        for span in &self.steps {
            if Step::ROLLS.contains(&span.step) {
                stretches.push((span.begin, span.end.unwrap_or(span.begin)));
            }
            if let (Some(last), Some(end)) = (stretches.last_mut(), span.end.filter(|_| span.step.is_peace()))
            {
                last.1 = last.1.max(end);
            }
        }
        stretches
    }

    /// When an observing run looked on, if it did to the end.
    pub fn observed(&self) -> Option<(Millis, Millis)> {
        self.span(Step::Observation)
    }

    /// When dependencies are broken on purpose: from the begin of the first fault step to that of the roll out, if one
    /// began at all.
    fn broken(&self) -> Option<(Millis, Millis)> {
        let begin = self.steps.iter().find(|span| !span.step.is_peace())?.begin;
        let out = self.step(Step::RollOut).filter(|span| span.begin > begin);
        Some((begin, out.map_or(Millis::MAX, |span| span.begin)))
    }

    /// What of a time lies outside of the fault steps: then every pod should be in perfect health.
    pub fn in_peace(&self, (begin, end): (Millis, Millis)) -> impl Iterator<Item = (Millis, Millis)> {
        let (from, to) = self.broken().unwrap_or((Millis::MAX, Millis::MAX));
        let parts = [(begin, end.min(from)), (begin.max(to), end)];
        parts.into_iter().filter(|(begin, end)| begin < end)
    }

    /// When every pod exports past the middle agents and nothing is broken: from the end of the roll in to the first
    /// fault step, or to the roll out.
    pub fn copied(&self) -> Result<(Millis, Millis), Unmeasured> {
        let (_, begin) = self.between(Step::RollIn, Step::RollIn)?;
        let next = self.steps.iter().find(|span| !span.step.is_peace() || span.step == Step::RollOut);
        let ends = self.steps.iter().filter_map(|span| span.end).max().unwrap_or(begin);
        Ok((begin, next.map_or(ends, |span| span.begin)))
    }
}

/// Begin and end of a step that ended, of several the first begin and the last end.
pub(super) fn spanned(steps: &[StepSpan], step: Step) -> Option<(Millis, Millis)> {
    let times = steps.iter().filter(|span| span.step == step);
    let begin = times.clone().next()?.begin;
    Some((begin, times.map(|span| span.end).collect::<Option<Vec<_>>>()?.into_iter().max()?))
}

/// Steps that began, in order.
pub(super) fn steps(evidence: &Evidence) -> Vec<StepSpan> {
    let mut spans: Vec<StepSpan> = Vec::new();
    for (line, fact) in evidence.numbered() {
        let Fact::Step(fact) = fact else { continue };
        match fact.edge {
            Edge::Begin => {
                let (step, begin, least_ms) = (fact.step, fact.at, fact.least_ms.unwrap_or_default());
                spans.push(StepSpan { step, begin, end: None, trouble: None, least_ms, line });
            }
            Edge::End => {
                let mut open = spans.iter_mut().filter(|span| span.step == fact.step && span.end.is_none());
                if let Some(span) = open.next() {
                    span.end = Some(fact.at);
                    span.trouble.clone_from(&fact.trouble);
                    span.line = line;
                }
            }
        }
    }
    spans
}
