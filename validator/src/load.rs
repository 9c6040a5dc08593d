//! The load agent: an open-loop client that never retries and never hides a failure.
//!
//! A request leaves when it is due, whether or not earlier ones were answered. Each class of
//! [`Class`](crate::evidence::Class) runs side by side on connections of its own.

mod choice;
mod classes;
mod clock;
mod direct;
mod idle;
mod link;
mod patience;
mod pause;
mod prober;
mod rates;
mod recorder;
mod rested;
mod sampling;
mod secret;
mod server;
mod shooter;
mod turn;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::config::{Probe, RequestSpec};
use crate::evidence::Class;
use crate::plan::{ServedPort, TrafficPlan};

pub use clock::AgentClock;
pub(crate) use prober::ask;
pub use recorder::Recorder;
pub use secret::SecretHeaders;
pub(crate) use server::serve_guarded;
pub use server::{AgentStatus, serve};

/// What one agent is to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LoadPlan {
    /// Name of the agent in the evidence.
    pub agent: String,
    /// Node it runs on.
    pub node: String,
    /// Where the Service listens.
    pub address: SocketAddr,
    /// Host header.
    pub host: String,
    /// Requests per second of this agent.
    pub rate: f64,
    /// Of these per second, with the sampled flag.
    pub sampled: f64,
    /// What is asked; a request's number in this list is its template in the evidence.
    pub requests: Vec<RequestSpec>,
    /// Ports that requests name.
    pub ports: BTreeMap<String, ServedPort>,
    /// A request that leaves later than this after it was due is late.
    pub late_after_ms: f64,
    /// The load ends by itself after this time, whatever the validator does.
    pub at_most_s: f64,
    /// What every trace id of the run begins with: 8 hex digits.
    pub trace_prefix: String,
}

/// `PUT /direct`: which pods get requests past the Service; replaces the list before.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct DirectPlan {
    /// The pods; none ends it.
    pub pods: Vec<DirectPod>,
    /// Requests per second to each of them.
    pub rate: f64,
    /// With it, every request carries the sampled flag, and every other one goes on a connection that is kept. Of the
    /// requests through the Service that would carry the flag too, this part does meanwhile (0 to 1).
    pub traced: Option<f64>,
}

/// A pod that gets requests past the Service.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct DirectPod {
    /// Name of the pod.
    pub pod: String,
    /// Its address.
    pub ip: std::net::IpAddr,
    /// The port that serves.
    pub port: u16,
}

/// `POST /pause`: nothing is due for a while.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct PausePlan {
    /// For how long, in ms.
    pub for_ms: u64,
}

/// `POST /impatience`: clients of every class hang up early for a while.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct ImpatiencePlan {
    /// A request without a complete answer after this time is given up: its connection is closed. In ms.
    pub gives_up_after_ms: u64,
    /// For requests sent within this time, in ms.
    pub for_ms: u64,
}

/// A pod that is to be asked what its kubelet asks.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct ProbedPod {
    /// Name of the pod.
    pub pod: String,
    /// Its address.
    pub ip: std::net::IpAddr,
    /// Readiness probe, if one is declared.
    pub readiness: Option<Probe>,
    /// Liveness probe, if one is declared.
    pub liveness: Option<Probe>,
}

/// The class that gets the fewest requests per second, by name, and how many; nothing for a load without requests.
pub fn planned_rate(traffic: &TrafficPlan) -> Option<(&'static str, f64)> {
    let writes = traffic.requests.iter().any(|spec| !spec.method.is_safe());
    let serves = |class| writes || class != Class::Post;
    let rates = Class::ALL.into_iter().filter(|class| serves(*class));
    let rates = rates.map(|class| (class.name(), rates::rate_of(class, traffic.rate, serves)));
    rates.filter(|_| !traffic.requests.is_empty()).min_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// How many requests one agent has in flight at most, whatever becomes of them, at so many per second in all.
pub fn requests_at_a_time(rate: f64) -> f64 {
    (rate * shooter::REQUEST_DEADLINE.as_secs_f64()).min(classes::MAX_IN_FLIGHT as f64)
}

/// Port of the agent's API, on the loopback address of its pod: only a port-forward reaches it.
pub const AGENT_PORT: u16 = 7070;

#[cfg(test)]
mod tests;
