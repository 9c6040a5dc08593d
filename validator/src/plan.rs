//! What a run is going to do, resolved from the target file and the objects found.

mod needs;
mod part;
mod pre_stop;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use needs::Needs;
pub use part::{Part, Reach};
pub use pre_stop::PreStop;
pub use rules::Rules;

use crate::config::{Answer, Dependency, GoLiveCheck, GoLivePolicy, Limits, Probe, Purpose, RequestSpec};

/// The plan of one run; it stands in the header of the evidence.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Plan {
    /// Name of the run; also the label of every object it creates.
    pub run: String,
    /// Where it runs.
    #[serde(default)]
    pub place: Place,
    /// What it is for. Runs from before there was a choice have proved.
    #[serde(default)]
    pub purpose: Purpose,
    /// The parts of the experiment that are done.
    #[serde(default = "Part::all")]
    pub parts: BTreeSet<Part>,
    /// The deployment under test.
    pub target: TargetPlan,
    /// What every trace id of the run begins with: 8 hex digits, so that middle agents know them.
    #[serde(default)]
    pub trace_prefix: String,
    /// The load.
    pub traffic: TrafficPlan,
    /// Declared dependencies.
    pub dependencies: Vec<Dependency>,
    /// The rules to judge by.
    #[serde(default, rename = "goLivePolicy")]
    pub policy: GoLivePolicy,
    /// Whether its waivers count.
    #[serde(default)]
    pub waivers: Waivers,
    /// What the target file answers to the policy's questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
}

/// Whether waivers count.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Waivers {
    /// As the policy says.
    #[default]
    Count,
    /// `--no-waivers`: the service is judged as if there were none.
    Ignored,
}

impl Plan {
    /// Whether a part of the experiment is done.
    pub fn does(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// Whether it is done and what it needs is declared.
    pub fn can_do(&self, part: Part) -> bool {
        self.does(part) && part.is_possible(&self.dependencies)
    }
}

/// Where a target runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In a cluster, as pods.
    #[default]
    Cluster,
    /// On the machine of the validator, as processes.
    Machine,
}

/// Load agents of a run: one vantage point per node, on two nodes.
const AGENTS: usize = 2;

impl Plan {
    /// The plan for what the file declares and the cluster holds. `ports` are those that requests name, resolved;
    /// `given` the names of headers that the command line adds. Every part is done unless the caller takes some out.
    pub fn new(
        check: &GoLiveCheck,
        target: TargetPlan,
        ports: BTreeMap<String, ServedPort>,
        given: Vec<String>,
        run: &str,
    ) -> Self {
        let traffic = &check.spec.traffic;
        Self {
            run: run.to_owned(),
            place: Place::Cluster,
            purpose: Purpose::Prove,
            parts: Part::all(),
            trace_prefix: format!("{:08x}", fastrand::u32(1..)),
            target,
            traffic: TrafficPlan {
                rate: traffic.rate.per_second(),
                sampled: traffic.sampled.per_second().min(traffic.rate.per_second()),
                requests: traffic.requests.clone(),
                ports,
                given,
                agents: AGENTS,
            },
            dependencies: check.spec.dependencies.clone(),
            policy: GoLivePolicy::default(),
            waivers: Waivers::Count,
            answers: check.spec.answers.clone(),
        }
    }

    /// The same for a run that only looks on: none of the parts, and no trace that users' spans would have to make room for.
    pub fn observing(mut self) -> Self {
        self.purpose = Purpose::Observe;
        self.parts = BTreeSet::new();
        self.traffic.sampled = 0.0;
        self
    }

    /// The limits to judge by.
    pub fn limits(&self) -> &Limits {
        &self.policy.spec.limits
    }
}

/// The deployment under test.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TargetPlan {
    /// Namespace.
    pub namespace: String,
    /// Deployment.
    pub deployment: String,
    /// Service.
    pub service: String,
    /// Image of the container that serves, as found.
    pub image: String,
    /// Image of the candidate; absent for a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Version in the report: of the candidate's tag, else the version label.
    pub version: String,
    /// Replicas as found.
    pub replicas: i32,
    /// Port of the pods that the Service leads to.
    #[serde(default)]
    pub port: u16,
    /// Name of the container that serves.
    pub container: String,
    /// Its readiness probe, if one is declared.
    pub readiness: Option<Probe>,
    /// Its liveness probe, if one is declared.
    pub liveness: Option<Probe>,
    /// Which of the two nobody has declared of a process, by their fields in a pod; readiness is then assumed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
    /// Its preStop hook.
    pub pre_stop: PreStop,
    /// Nodes that can run pods.
    pub nodes: usize,
}

impl TargetPlan {
    /// Whether what is rolled in is another image than the one that serves: the two versions may then end differently.
    pub fn changes_image(&self) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| *candidate != self.image)
    }
}

/// A port of the Service, and the port of the pods that it leads to.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct ServedPort {
    /// Where users come to.
    pub service: u16,
    /// Where the pods serve.
    pub pod: u16,
}

/// The load of one run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TrafficPlan {
    /// Requests per second, all agents and classes together.
    pub rate: f64,
    /// Of these per second, with the sampled flag.
    pub sampled: f64,
    /// What is asked.
    pub requests: Vec<RequestSpec>,
    /// Ports that requests name, beside the target's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, ServedPort>,
    /// Names of headers that the command line added; their values are in no file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<String>,
    /// Number of agents asked for.
    pub agents: usize,
}
