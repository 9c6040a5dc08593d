//! The steps of an experiment.

use serde::{Deserialize, Serialize};

use super::Millis;

/// A step began or ended.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StepFact {
    /// When.
    pub at: Millis,
    /// Which step.
    pub step: Step,
    /// Began or ended.
    pub edge: Edge,
    /// Why it ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// The steps, in the order in which a run does them.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Load on the version as found, nothing else.
    Baseline,
    /// The candidate replaces the old version.
    Roll1,
    /// The candidate is restarted.
    Roll2,
    /// Load goes on while the last changes reach every node.
    Tail,
}

impl Step {
    /// The rolls, in order.
    pub const ROLLS: [Self; 2] = [Self::Roll1, Self::Roll2];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Roll1 => "roll 1",
            Self::Roll2 => "roll 2",
            Self::Tail => "tail",
        }
    }
}

/// Which end of a step.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// It began.
    Begin,
    /// It ended.
    End,
}
