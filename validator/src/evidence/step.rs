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
    pub trouble: Option<StepTrouble>,
    /// At its begin: how long it takes at least, however fast the service is, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_ms: Option<u64>,
}

/// Why a step ended early.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum StepTrouble {
    /// The target cannot go on, and why.
    Stuck(String),
    /// The run's own time was over, and what was left to do: says nothing about the target.
    OutOfTime(String),
}

/// The steps, in the order in which a run does them.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Load on the version as found, past the middle agents.
    Baseline,
    /// The same, gentle and for longer: all that an observing run does.
    Observation,
    /// The candidate replaces the old version; its pods connect through the middle agents, and find a cold cache.
    RollIn,
    /// No load: what still comes to the dependencies are health pings.
    Learning,
    /// Load through the middle agents, nothing else.
    Quiet,
    /// Every statement on a database with a breaker hangs, health pings are answered.
    Hang,
    /// Each pod on its own: trials, hiccups, a restart of the database, the collector gone.
    Trials,
    /// Each pod on its own: dependencies that answer, but with errors, slowly, or to callers who do not wait for them.
    Degraded,
    /// Each pod loses one dependency altogether.
    Loss,
    /// Every pod has lost every data store.
    Blackout,
    /// Each pod has got back the dependency it lost first; the other one is still away.
    Partial,
    /// Everything is back; until the service is as before.
    Recovery,
    /// The candidate's pods, which are behind the agents, are replaced by ones that are not; some answers of their
    /// database are held.
    RollOut,
    /// Load goes on while the last changes reach every node.
    Tail,
}

impl Step {
    /// The rolls, in order.
    pub const ROLLS: [Self; 2] = [Self::RollIn, Self::RollOut];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Observation => "observation",
            Self::RollIn => "roll in",
            Self::Learning => "learning",
            Self::Quiet => "quiet phase",
            Self::Hang => "hanging database",
            Self::Trials => "trials and hiccups",
            Self::Degraded => "degraded dependencies",
            Self::Loss => "loss of one dependency",
            Self::Blackout => "loss of every data store",
            Self::Partial => "one dependency still away",
            Self::Recovery => "recovery",
            Self::RollOut => "roll out",
            Self::Tail => "tail",
        }
    }

    /// Whether nothing is broken on purpose in it. What stresses the target in a roll is none that a service meets only
    /// in a fault: a cold cache, and some answers that take longer.
    pub fn is_peace(self) -> bool {
        match self {
            Self::Baseline
            | Self::Observation
            | Self::RollIn
            | Self::Learning
            | Self::Quiet
            | Self::RollOut
            | Self::Tail => true,
            Self::Hang
            | Self::Trials
            | Self::Degraded
            | Self::Loss
            | Self::Blackout
            | Self::Partial
            | Self::Recovery => false,
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
