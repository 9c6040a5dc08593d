//! Facts about the cluster: raw watch events, gaps in them, agents, probes of single pods.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Millis;

/// A watch event as it came; values of environment variables and arguments are removed first.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ObjectFact {
    /// When the validator received it.
    pub at: Millis,
    /// What kind of object.
    pub kind: ObjectKind,
    /// What happened to it.
    pub change: Change,
    /// The object.
    pub object: Value,
}

/// The kinds that are watched or read.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `v1` Pod.
    Pod,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` Service.
    Service,
    /// `policy/v1` PodDisruptionBudget.
    PodDisruptionBudget,
}

impl ObjectKind {
    /// Several of them, in the words of the API.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Deployment => "Deployments",
            Self::ReplicaSet => "ReplicaSets",
            Self::Pod => "Pods",
            Self::EndpointSlice => "EndpointSlices",
            Self::Service => "Services",
            Self::PodDisruptionBudget => "PodDisruptionBudgets",
        }
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It stood in a list.
    Listed,
    /// ADDED.
    Added,
    /// MODIFIED.
    Modified,
    /// DELETED.
    Deleted,
}

/// A watch had to list again: what happened meanwhile was not seen.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Gap {
    /// When the watch was whole again.
    pub at: Millis,
    /// The last moment at which it was whole.
    pub since: Millis,
    /// Which watch.
    pub kind: ObjectKind,
    /// What the API server said.
    pub reason: String,
}

/// A load agent and how well its clock is known.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AgentFact {
    /// When it was measured.
    pub at: Millis,
    /// Name of the agent.
    pub agent: String,
    /// Node it runs on.
    pub node: String,
    /// Agent clock minus validator clock, already subtracted from its facts.
    pub offset_ms: f64,
    /// Half of the shortest round trip.
    pub uncertainty_ms: f64,
}

/// Consecutive equal answers to one probe of one pod.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ProbeFact {
    /// First of them, when it was asked.
    pub from: Millis,
    /// Last of them.
    pub to: Millis,
    /// The pod.
    pub pod: String,
    /// What was asked.
    pub target: ProbeTarget,
    /// Status code of the last answer, redirects followed; 200 for a connection that opened or a gRPC service that
    /// serves. Else why there was none.
    pub answer: Result<u16, String>,
    /// How many.
    pub samples: u64,
}

impl ProbeFact {
    /// Whether the kubelet takes these answers for a success: 200 to 399.
    pub fn succeeded(&self) -> bool {
        matches!(self.answer, Ok(200..=399))
    }

    /// The answer in words.
    pub fn said(&self) -> String {
        match &self.answer {
            Ok(status) => status.to_string(),
            Err(reason) => format!("nothing ({reason})"),
        }
    }
}

/// Which of its probes a pod was asked.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeTarget {
    /// The declared readiness probe.
    Readiness,
    /// The declared liveness probe.
    Liveness,
}
