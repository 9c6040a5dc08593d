//! Signs of life of our own processes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Millis;

/// A process of ours looked at its clock: told when it came late, and every 10 s.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Heartbeat {
    /// When, on the wall clock.
    pub at: Millis,
    /// When it had looked before, on the wall clock.
    pub since: Millis,
    /// How long that was ago, by a clock that nobody sets, in ms.
    pub elapsed_ms: Millis,
    /// Which process.
    pub who: Who,
}

/// A process of ours.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The validator.
    Validator,
    /// A load agent, by its name.
    Load(String),
    /// The middle agent before a dependency.
    Middle(String),
    /// What stands in for the Service on this machine.
    Switch,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validator => f.write_str("the validator"),
            Self::Load(agent) => write!(f, "load agent {agent}"),
            Self::Middle(dependency) => write!(f, "the middle agent before {dependency}"),
            Self::Switch => f.write_str("the switch before the copies"),
        }
    }
}
