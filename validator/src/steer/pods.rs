//! The pods of the target, as whoever steers a run needs to know them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::config::Probe;
use crate::load::ProbedPod;
use crate::middle::Origin;

/// The pods of the target by name.
pub type PodTable = BTreeMap<String, PodBrief>;

/// What steering a run needs to know of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodBrief {
    /// Its address, once it has one.
    pub ip: Option<IpAddr>,
    /// Ports at which it does not listen under the number that is declared, by that number: where pods share an address.
    pub ports: BTreeMap<u16, u16>,
    /// How middle agents tell its connections from those of others.
    pub origins: Vec<Origin>,
    /// Hash of its template.
    pub hash: String,
    /// Whether its deletion was asked for.
    pub leaving: bool,
    /// Whether its condition Ready is true.
    pub ready: bool,
    /// Whether it is led to our agents.
    pub led: bool,
    /// Why a container waits, in one word, if one does.
    pub waiting: Option<String>,
}

/// What the kubelet asks of the container that serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// Its readiness probe, if one is declared.
    pub readiness: Option<Probe>,
    /// Its liveness probe, if one is declared.
    pub liveness: Option<Probe>,
}

impl PodBrief {
    /// Where it listens for what is declared as this port.
    pub fn port(&self, declared: u16) -> u16 {
        self.ports.get(&declared).copied().unwrap_or(declared)
    }

    /// How this pod is asked its probes, once it has an address.
    pub fn probed(&self, pod: &str, probes: &Probes) -> Option<ProbedPod> {
        let here = |probe: &Option<Probe>| probe.clone().map(|probe| probe.at(|port| self.port(port)));
        let (readiness, liveness) = (here(&probes.readiness), here(&probes.liveness));
        Some(ProbedPod { pod: pod.to_owned(), ip: self.ip?, readiness, liveness })
    }
}
