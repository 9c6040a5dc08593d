//! What a run is going to do, resolved from the target file and the objects found.

mod pre_stop;
mod probe;

use serde::{Deserialize, Serialize};

pub use pre_stop::PreStop;
pub use probe::{Handler, Header, Probe, Scheme};

use crate::config::{Dependency, Policy, Readiness, RequestSpec};

/// The plan of one run; it stands in the header of the evidence.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Plan {
    /// Name of the run; also the label of every object it creates.
    pub run: String,
    /// The deployment under test.
    pub target: TargetPlan,
    /// What every trace id of the run begins with: 8 hex digits, so that middle agents know them.
    #[serde(default)]
    pub trace_prefix: String,
    /// The load.
    pub traffic: TrafficPlan,
    /// Declared dependencies.
    pub dependencies: Vec<Dependency>,
    /// What readiness promises while a dependency is away.
    #[serde(default)]
    pub readiness_policy: Readiness,
    /// Limits to judge by.
    pub policy: Policy,
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
    /// Its preStop hook.
    pub pre_stop: PreStop,
    /// Nodes that can run pods.
    pub nodes: usize,
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
    /// Number of agents asked for.
    pub agents: usize,
}
