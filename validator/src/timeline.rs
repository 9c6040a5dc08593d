//! Evidence put in order for the checks: steps, pods, endpoints, load. Pure and read-only.

mod endpoints;
mod load;
mod pod;
mod workload;

use crate::evidence::{Edge, Evidence, Fact, Gap, Millis, Step};
use crate::plan::Plan;

pub use endpoints::EndpointCount;
pub use load::{ClassLoad, LoadView};
pub use pod::{PodLife, Termination};
pub use workload::Workload;

/// Everything a check may look at.
#[derive(Debug)]
pub struct Timeline<'a> {
    /// The record itself.
    pub evidence: &'a Evidence,
    /// Steps that began, in order.
    pub steps: Vec<StepSpan>,
    /// Every pod of the target that was seen, by time of its first sight.
    pub pods: Vec<PodLife>,
    /// Ready, serving and terminating endpoints of the Service over time.
    pub endpoints: Vec<EndpointCount>,
    /// The deployment as found, and its status over time.
    pub workload: Workload,
    /// The load and what became of it.
    pub load: LoadView<'a>,
    /// Interruptions of watches.
    pub gaps: Vec<(usize, &'a Gap)>,
}

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
    pub trouble: Option<String>,
    /// How long it takes at least, in ms; 0 if the evidence does not say.
    pub least_ms: u64,
    /// Line of its end, else of its begin.
    pub line: usize,
}

impl<'a> Timeline<'a> {
    /// Puts the evidence in order.
    pub fn new(evidence: &'a Evidence) -> Self {
        let gaps = evidence.numbered().filter_map(|(line, fact)| match fact {
            Fact::Gap(gap) => Some((line, gap)),
            _ => None,
        });
        Self {
            steps: steps(evidence),
            pods: pod::lives(evidence),
            endpoints: endpoints::history(evidence),
            workload: workload::read(evidence),
            load: LoadView::new(evidence),
            gaps: gaps.collect(),
            evidence,
        }
    }

    /// The plan of the run.
    pub fn plan(&self) -> &'a Plan {
        self.evidence.plan()
    }

    /// One step, if it began.
    pub fn step(&self, step: Step) -> Option<&StepSpan> {
        self.steps.iter().find(|span| span.step == step)
    }

    /// From the begin of the first roll to the end of the load; nothing if no roll began.
    pub fn rolling(&self) -> Option<(Millis, Millis)> {
        let begin = self.step(Step::Roll1)?.begin;
        let end = self.steps.iter().filter_map(|span| span.end).max()?;
        Some((begin, end))
    }

    /// Pods whose deletion was seen after the first roll began.
    pub fn terminations(&self) -> Vec<(&PodLife, &Termination)> {
        let Some((begin, _)) = self.rolling() else {
            return Vec::new();
        };
        self.pods
            .iter()
            .filter_map(|pod| Some((pod, pod.termination.as_ref()?)))
            .filter(|(_, termination)| termination.at >= begin)
            .collect()
    }
}

fn steps(evidence: &Evidence) -> Vec<StepSpan> {
    let mut spans: Vec<StepSpan> = Vec::new();
    for (line, fact) in evidence.numbered() {
        let Fact::Step(fact) = fact else { continue };
        match fact.edge {
            Edge::Begin => {
                let (step, begin, least_ms) = (fact.step, fact.at, fact.least_ms.unwrap_or_default());
                spans.push(StepSpan { step, begin, end: None, trouble: None, least_ms, line });
            }
            Edge::End => {
                if let Some(span) = spans.iter_mut().find(|span| span.step == fact.step) {
                    span.end = Some(fact.at);
                    span.trouble.clone_from(&fact.trouble);
                    span.line = line;
                }
            }
        }
    }
    spans
}
