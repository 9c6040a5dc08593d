//! What is known of a target before anything is done to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::Probes;
use crate::evidence::Fact;
use crate::load::SecretHeaders;
use crate::plan::{ServedPort, TargetPlan};

/// What was found of the target.
#[derive(Clone, Debug)]
pub struct Target {
    /// What stands in the plan.
    pub plan: TargetPlan,
    /// Address of the Service.
    pub address: SocketAddr,
    /// What users say they come to (RFC 9110, 7.2).
    pub host: String,
    /// Further ports of the Service, as requests name them.
    pub ports: BTreeMap<String, ServedPort>,
    /// Values of secret headers.
    pub headers: SecretHeaders,
    /// Its probes as they are asked, with all headers.
    pub probes: Probes,
    /// How long one roll may take, as far as the probes and the pods there are tell.
    pub expected_roll: Duration,
    /// How long one roll takes at least, however fast the pods are: declared delays, one pod after the other.
    pub least_roll: Duration,
    /// Service and disruption budgets, for the static checks.
    pub facts: Vec<Fact>,
}
