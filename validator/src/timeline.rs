//! Evidence put in order for the checks: steps, pods, endpoints, load. Pure and read-only.

mod calls;
mod cause;
mod circuit;
mod container;
mod degraded;
mod drain;
mod endpoints;
mod failing;
mod fallback;
mod faults;
mod hop;
mod load;
mod loss;
mod middle;
mod pod;
mod refusal;
mod sigterm;
mod spread;
mod stopped;
mod trust;
mod undeclared;
mod usual;
mod workload;

use std::collections::BTreeMap;
use std::fmt;

use self::usual::{Stretches, Usual};
use crate::config::RequestSpec;
use crate::evidence::{Edge, Evidence, Fact, Gap, Millis, Step, StepTrouble};
use crate::plan::Plan;

pub use calls::{CallView, Calls};
pub use cause::Act;
pub use circuit::{Circuit, Opening, Trial, telling_pause};
pub use container::{ContainerExit, ExitKind, Restart};
pub use degraded::{Chosen, Degraded, Sought};
pub use drain::{LOSSES_REST_ON, LostMeanwhile};
pub use endpoints::{EndpointCount, EndpointLife};
pub use failing::Failing;
pub use fallback::{Fallback, Slower};
pub use faults::FaultView;
pub use hop::Hop;
pub use load::{ClassLoad, LoadView};
pub use loss::Loss;
pub use middle::MiddleView;
pub use pod::{PodLife, Termination};
pub use refusal::refusal;
pub use sigterm::Sigterm;
pub use spread::Spread;
pub use stopped::{OPEN_MS, calls_to_tell_one_of};
pub use trust::{Disturbance, Kind, LateSecond, Source, Trust, late_seconds};
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
    pub trouble: Option<StepTrouble>,
    /// How long it takes at least, in ms; 0 if the evidence does not say.
    pub least_ms: u64,
    /// Line of its end, else of its begin.
    pub line: usize,
}

impl<'a> Timeline<'a> {
    /// When the run ended: with its last step, or, where a step never ended, with the last that is known of it.
    pub fn ended(&self) -> Millis {
        let is_whole = self.steps.iter().all(|step| step.end.is_some());
        let last = self.evidence.facts.last().filter(|_| !is_whole || self.steps.is_empty()).map(Fact::at);
        let edges = self.steps.iter().flat_map(|step| [Some(step.begin), step.end]).flatten();
        edges.chain(last).max().unwrap_or(self.evidence.header.started)
    }

    /// Puts the evidence in order.
    pub fn new(evidence: &'a Evidence) -> Self {
        let gaps = evidence.numbered().filter_map(|(line, fact)| match fact {
            Fact::Gap(gap) => Some((line, gap)),
            _ => None,
        });
        let steps = steps(evidence);
        let of = |step| spanned(&steps, step);
        let (baseline, degraded) = (of(Step::Baseline), of(Step::Degraded));
        let quiet = Stretches { baseline, quiet: of(Step::Quiet), degraded };
        let load = LoadView::new(evidence, Usual::new(evidence, quiet), quiet.quiet);
        let (faults, calls) = (FaultView::new(evidence), CallView::new(evidence));
        Self {
            pods: pod::lives(evidence),
            endpoints: endpoints::history(evidence),
            workload: workload::read(evidence),
            endpoint_lives: endpoints::lives(evidence),
            circuits: circuit::circuits(evidence.plan(), (&faults, &load, &calls), quiet.quiet, &steps),
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

    /// The stretches of [`Self::rolling`] in which these ends lie.
    pub fn rolling_judged(&self) -> Vec<(Millis, Millis)> {
        let out = self.step(Step::RollOut).map_or(Millis::MAX, |span| span.begin);
        let from = if self.plan().target.changes_image() { out } else { Millis::MIN };
        self.rolling().into_iter().filter(|(begin, _)| *begin >= from).collect()
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

impl fmt::Display for Unmeasured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotDeclared(reason) | Self::NotSeen(reason)) = self;
        f.write_str(reason)
    }
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
    use super::Timeline;
    use crate::evidence::{Edge, Evidence, Fact, Header, Millis, Step, StepFact};

    fn run(steps: &[(Step, Millis, Millis)]) -> Evidence {
        let edge = |step, at, edge| Fact::Step(StepFact { at, step, edge, trouble: None, least_ms: None });
        let facts = steps
            .iter()
            .flat_map(|(step, begin, end)| [edge(*step, *begin, Edge::Begin), edge(*step, *end, Edge::End)]);
        Evidence::new(header(), facts.collect())
    }

    #[test]
    fn between_the_rolls_there_is_no_peace() {
        use Step::{Baseline, Hang, Quiet, Recovery, RollIn, RollOut, Tail};
        let steps = [
            (Baseline, 0, 10),
            (RollIn, 10, 50),
            (Quiet, 55, 60),
            (Hang, 70, 80),
            (Recovery, 80, 90),
            (RollOut, 100, 140),
            (Tail, 140, 144),
        ];
        let whole = run(&steps);
        let timeline = Timeline::new(&whole);
        assert_eq!(timeline.rolling(), [(10, 60), (100, 144)]);
        assert_eq!(timeline.copied().unwrap(), (50, 70));
        assert_eq!(timeline.in_peace((40, 120)).collect::<Vec<_>>(), [(40, 70), (100, 120)]);
        assert_eq!(timeline.in_peace((75, 95)).count(), 0);
        let (half, quiet) = (run(&steps[..5]), run(&[steps[0], steps[1], steps[2], steps[5], steps[6]]));
        let timeline = Timeline::new(&half);
        assert_eq!(timeline.rolling(), [(10, 60)]);
        assert_eq!(timeline.in_peace((40, 120)).collect::<Vec<_>>(), [(40, 70)], "it ended in the middle");
        let timeline = Timeline::new(&quiet);
        assert_eq!(timeline.copied().unwrap(), (50, 100), "nothing was broken");
        assert_eq!(timeline.in_peace((40, 120)).collect::<Vec<_>>(), [(40, 120)]);
    }

    /// A header with one Postgres dependency that declares a breaker.
    pub(crate) fn header() -> Header {
        let breaker = serde_json::json!({
            "errorRate": 0.5, "window": "10s", "minCalls": 10, "deadline": "3s", "openFor": "30s", "trials": 1
        });
        let get = serde_json::json!({ "scheme": "http", "host": null, "port": 8080, "path": "/ready", "headers": [] });
        let probe = serde_json::json!({
            "handler": { "http-get": get }, "timeout_s": 1, "period_s": 10, "failure_threshold": 3,
            "success_threshold": 1, "initial_delay_s": 0
        });
        serde_json::from_value(serde_json::json!({
            "schema": crate::evidence::SCHEMA, "validator": "0", "started": 0,
            "plan": {
                "run": "r",
                "target": {
                    "namespace": "n", "deployment": "d", "service": "s", "image": "i", "version": "v",
                    "replicas": 3, "container": "web", "readiness": probe, "liveness": probe, "pre_stop": "none",
                    "nodes": 1
                },
                "traffic": { "rate": 10.0, "sampled": 1.0, "requests": [], "agents": 1 },
                "dependencies": [
                    { "name": "postgres", "service": "postgres", "protocol": "postgres", "breaker": breaker }
                ]
            }
        }))
        .expect("the header of the tests is well-formed")
    }
}
