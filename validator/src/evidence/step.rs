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
    /// At its begin: how long it takes at least, however fast the service is, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_ms: Option<u64>,
}

/// The steps, in the order in which a run does them.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Load on the version as found, past the middle agents.
    Baseline,
    /// The candidate replaces the old version; its pods connect through the middle agents.
    Roll1,
    /// No load: what still comes to the dependencies are health pings.
    Learning,
    /// Load through the middle agents, nothing else.
    Quiet,
    /// The candidate is restarted while some answers of its database are held.
    Roll2,
    /// Load goes on while the last changes reach every node.
    Tail,
    /// Every statement on a database with a breaker hangs, health pings are answered.
    Hang,
    /// Each pod on its own: trials, hiccups, a restart of the database, the collector gone.
    Trials,
    /// Each pod loses one dependency altogether.
    Loss,
    /// Every pod has lost every data store.
    Blackout,
    /// Each pod has got back the dependency it lost first; the other one is still away.
    Partial,
    /// Everything is back; until the service is as before.
    Recovery,
    /// The selectors are restored and the middle agents end their connections.
    HandBack,
}

impl Step {
    /// The rolls, in order.
    pub const ROLLS: [Self; 2] = [Self::Roll1, Self::Roll2];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Roll1 => "roll 1",
            Self::Learning => "learning",
            Self::Quiet => "quiet phase",
            Self::Roll2 => "roll 2",
            Self::Tail => "tail",
            Self::Hang => "hanging database",
            Self::Trials => "trials and hiccups",
            Self::Loss => "loss of one dependency",
            Self::Blackout => "loss of every data store",
            Self::Partial => "one dependency still away",
            Self::Recovery => "recovery",
            Self::HandBack => "hand-back",
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
