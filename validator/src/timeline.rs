//! Evidence put in order for the checks: steps, pods, endpoints, load. Pure and read-only.

mod calls;
mod cause;
mod circuit;
mod container;
mod degraded;
mod disruption;
mod drain;
mod endpoints;
mod ends;
mod failing;
mod fallback;
mod faults;
mod hop;
mod load;
mod loss;
mod middle;
mod pod;
mod refusal;
mod replica_sets;
mod sigterm;
mod spread;
mod steps;
mod stopped;
mod trust;
mod undeclared;
mod unmeasured;
mod usual;
mod workload;

use std::collections::BTreeMap;

use self::steps::{spanned, steps};
use self::usual::{Stretches, Usual};
use crate::config::RequestSpec;
use crate::evidence::{Evidence, Fact, Gap, Millis, Step};
use crate::plan::Plan;

pub use calls::{CallView, Calls};
pub use cause::Act;
pub use circuit::{Circuit, Opened, Opening, Through, Trial, telling_pause};
pub use container::{ContainerExit, ExitKind, Restart};
pub use degraded::{Chosen, Degraded, Sought};
pub use disruption::Disruption;
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
pub use steps::StepSpan;
pub use stopped::{OPEN_MS, calls_to_tell_one_of};
pub use trust::{About, Disturbance, Kind, LateSecond, Source, Trust, late_seconds};
pub use unmeasured::Unmeasured;
pub use workload::{Peak, Workload};

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

impl<'a> Timeline<'a> {
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
        let pods = pod::lives(evidence);
        let trust = Trust::new(evidence, &pods);
        let views = (&faults, &load, &calls, &trust);
        Self {
            pods,
            endpoints: endpoints::history(evidence),
            workload: workload::read(evidence),
            endpoint_lives: endpoints::lives(evidence),
            circuits: circuit::circuits(evidence.plan(), views, quiet.quiet, &steps),
            middle: MiddleView::new(evidence),
            steps,
            calls,
            load,
            faults,
            gaps: gaps.collect(),
            trust,
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

    /// When a line of the evidence was seen.
    pub fn at_line(&self, line: usize) -> Millis {
        self.evidence.facts[line - 2].at()
    }

    /// One pod by its name.
    pub fn pod(&self, name: &str) -> Option<&PodLife> {
        self.pods.iter().find(|pod| pod.name == name)
    }

    /// When the deletion of a pod was asked for, or somebody else began to remove it; never, if nobody did.
    pub fn deleted(&self, pod: &str) -> Millis {
        self.pod(pod).and_then(PodLife::left).unwrap_or(Millis::MAX)
    }
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
