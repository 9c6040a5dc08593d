//! What a run is going to do, resolved from the target file and the objects found.

use serde::{Deserialize, Serialize};

use crate::config::{Dependency, Policy, Readiness, RequestSpec};

/// The plan of one run; it stands in the header of the evidence.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Plan {
    /// Name of the run; also the label of every object it creates.
    pub run: String,
    /// The deployment under test.
    pub target: TargetPlan,
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
    /// Endpoint of readiness; the declared one, else `/ready` on the serving port.
    pub readiness: Endpoint,
    /// Endpoint of liveness; the declared one, else `/health` on the serving port.
    pub liveness: Endpoint,
    /// Nodes that can run pods.
    pub nodes: usize,
}

/// An HTTP endpoint of a pod.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Endpoint {
    /// Port number.
    pub port: u16,
    /// Path.
    pub path: String,
    /// Whether the pod template declares it as a probe.
    pub declared: bool,
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
