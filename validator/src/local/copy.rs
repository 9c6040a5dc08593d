//! One copy, as a cluster would show its pod.

use std::collections::BTreeMap;

use super::process::End;
use crate::evidence::Millis;
use crate::middle::Origin;
use crate::steer::PodBrief;

/// A copy of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    /// Never used again, even for a copy of the same name.
    pub(super) uid: String,
    /// Which template it is of.
    pub(super) hash: String,
    /// Where it listens for what is declared as a port.
    pub(super) ports: BTreeMap<u16, u16>,
    /// Where the agents know its connections by; none if it is not led to them.
    pub(super) origins: Vec<Origin>,
    /// What its process does.
    pub(super) phase: Phase,
    /// What its readiness probe says.
    pub(super) ready: bool,
    /// How often its process was started again.
    pub(super) restarts: u32,
    /// How the process before the present one ended, if there was one.
    pub(super) last: Option<End>,
    /// When it was told to go, and its grace period in seconds.
    pub(super) leaving: Option<(Millis, i64)>,
}

/// What the process of a copy does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It runs, since then.
    Running(Millis),
    /// It is not there, for this reason.
    Waiting(&'static str),
    /// It has ended, and will not be started again.
    Ended(End),
}

impl Copy {
    /// What steering a run needs to know of it.
    pub(super) fn brief(&self) -> PodBrief {
        let waiting = if let Phase::Waiting(reason) = self.phase { Some(reason.to_owned()) } else { None };
        PodBrief {
            ip: Some(super::HOST),
            ports: self.ports.clone(),
            origins: self.origins.clone(),
            hash: self.hash.clone(),
            leaving: self.leaving.is_some(),
            ready: self.ready,
            led: !self.origins.is_empty(),
            waiting,
        }
    }
}
