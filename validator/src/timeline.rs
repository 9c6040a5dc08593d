//! Evidence put in order for the checks: steps, pods, endpoints, load. Pure and read-only.

mod calls;
mod circuit;
mod endpoints;
mod fallback;
mod faults;
mod load;
mod loss;
mod middle;
mod pod;
mod trust;
mod undeclared;
mod usual;
mod workload;

use std::collections::BTreeMap;

use self::usual::{Quiet, Usual};
use crate::config::RequestSpec;
use crate::evidence::{Edge, Evidence, Fact, Gap, Millis, Step};
use crate::plan::Plan;

pub use calls::{CallView, Calls};
pub use circuit::{Circuit, Opening, Trial};
pub use endpoints::{EndpointCount, EndpointLife};
pub use fallback::{Fallback, Slower};
pub use faults::FaultView;
pub use load::{ClassLoad, LoadView};
pub use loss::Loss;
pub use middle::MiddleView;
pub use pod::{PodLife, Termination};
pub use trust::{Disturbance, Kind, Source, Trust};
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
    /// Ready and not, over time, by name of the pod.
    pub endpoint_lives: BTreeMap<String, EndpointLife>,
    /// The load and what became of it.
    pub load: LoadView<'a>,
    /// Calls of the pods at their dependencies.
    pub calls: CallView<'a>,
    /// What was done to the pods' connections.
    pub faults: FaultView<'a>,
    /// Circuits under test.
    pub circuits: Vec<Circuit<'a>>,
    /// The middle agents.
    pub middle: MiddleView<'a>,
    /// Interruptions of watches.
    pub gaps: Vec<(usize, &'a Gap)>,
    /// When the run itself was disturbed.
    pub trust: Trust,
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
        let steps = steps(evidence);
        let quiet = Quiet { baseline: spanned(&steps, Step::Baseline), quiet: spanned(&steps, Step::Quiet) };
        let load = LoadView::new(evidence, Usual::new(evidence, quiet));
        let (faults, calls) = (FaultView::new(evidence), CallView::new(evidence));
        Self {
            pods: pod::lives(evidence),
            endpoints: endpoints::history(evidence),
            workload: workload::read(evidence),
            endpoint_lives: endpoints::lives(evidence),
            circuits: circuit::circuits(&evidence.plan().dependencies, &faults, &load, &calls, quiet.quiet),
            middle: MiddleView::new(evidence),
            steps,
            calls,
            load,
            faults,
            gaps: gaps.collect(),
            trust: Trust::new(evidence),
            evidence,
        }
    }

    /// The plan of the run.
    pub fn plan(&self) -> &'a Plan {
        self.evidence.plan()
    }

    /// The name of a request of the plan, in reports.
    pub fn request_name(&self, template: usize) -> String {
        self.plan().traffic.requests.get(template).map_or_else(|| "requests".to_owned(), RequestSpec::name)
    }

    /// What took too long, in words.
    pub fn slower_text(&self, Slower { template, p99_ms, limit_ms }: Slower) -> String {
        format!("p99 {p99_ms:.1} ms of {}, {limit_ms:.0} ms are allowed", self.request_name(template))
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

    /// From the begin of the first roll to the end of the tail; nothing if no roll began. What comes after breaks
    /// dependencies on purpose.
    pub fn rolling(&self) -> Option<(Millis, Millis)> {
        let begin = self.step(Step::Roll1)?.begin;
        let peace = self.steps.iter().filter(|span| span.begin < self.peace_ends());
        let end = peace.filter_map(|span| span.end).max()?;
        Some((begin, end))
    }

    /// When the first fault step begins, or the tail ends: until then every pod should be in perfect health.
    pub fn peace_ends(&self) -> Millis {
        let tail = self.step(Step::Tail).and_then(|span| span.end);
        tail.or_else(|| self.step(Step::Hang).map(|span| span.begin)).unwrap_or(Millis::MAX)
    }

    /// When every pod exports past the middle agents, until faults begin: from the end of the first roll to the tail's.
    pub fn copied(&self) -> Result<(Millis, Millis), Unmeasured> {
        let (_, begin) = self.between(Step::Roll1, Step::Roll1)?;
        Ok((begin, self.rolling().map_or(begin, |(_, end)| end)))
    }

    /// Pods whose deletion was seen from the first roll to the end of the tail. A pod that is deleted later, on
    /// purpose, has a check of its own.
    pub fn terminations(&self) -> Vec<(&PodLife, &Termination)> {
        let Some((begin, end)) = self.rolling() else {
            return Vec::new();
        };
        self.pods
            .iter()
            .filter_map(|pod| Some((pod, pod.termination.as_ref()?)))
            .filter(|(_, termination)| (begin..=end).contains(&termination.at))
            .collect()
    }

    /// When a line of the evidence was seen.
    pub fn at_line(&self, line: usize) -> Millis {
        self.evidence.facts[line - 2].at()
    }

    /// One pod by its name.
    pub fn pod(&self, name: &str) -> Option<&PodLife> {
        self.pods.iter().find(|pod| pod.name == name)
    }

    /// When the deletion of a pod was asked for; never, if it was not.
    pub fn deleted(&self, pod: &str) -> Millis {
        self.pod(pod).and_then(|pod| pod.termination.as_ref()).map_or(Millis::MAX, |t| t.at)
    }
}

/// Why a check has nothing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmeasured {
    /// The target file does not declare what it is about: it does not apply.
    NotDeclared(String),
    /// The evidence is missing.
    NotSeen(String),
}

fn spanned(steps: &[StepSpan], step: Step) -> Option<(Millis, Millis)> {
    let times = steps.iter().filter(|span| span.step == step);
    let begin = times.clone().next()?.begin;
    Some((begin, times.map(|span| span.end).collect::<Option<Vec<_>>>()?.into_iter().max()?))
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

#[cfg(test)]
pub(crate) mod tests {
    use crate::evidence::Header;

    /// A header with one Postgres dependency that declares a breaker.
    pub(crate) fn header() -> Header {
        let breaker = serde_json::json!({
            "errorRate": 0.5, "window": "10s", "minCalls": 10, "deadline": "3s", "openFor": "30s", "trials": 1
        });
        let endpoint = serde_json::json!({ "port": 8080, "path": "/ready", "declared": true });
        serde_json::from_value(serde_json::json!({
            "schema": crate::evidence::SCHEMA, "validator": "0", "started": 0,
            "plan": {
                "run": "r",
                "target": {
                    "namespace": "n", "deployment": "d", "service": "s", "image": "i", "version": "v",
                    "replicas": 3, "readiness": endpoint, "liveness": endpoint, "nodes": 1
                },
                "traffic": { "rate": 10.0, "sampled": 1.0, "requests": [], "agents": 1 },
                "dependencies": [
                    { "name": "postgres", "service": "postgres", "protocol": "postgres", "breaker": breaker }
                ],
                "policy": {}
            }
        }))
        .expect("the header of the tests is well-formed")
    }
}
