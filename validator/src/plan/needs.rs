//! What a run has to do so that a check can be judged.

use super::{Part, Plan};

/// What a check cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// What is declared, or what whoever looks on sees: every run has it.
    Observation,
    /// The rolls: pods that end, or that are led to the middle agents.
    Rolls,
    /// These parts of the experiment, all of them; they lie between the rolls.
    Parts(&'static [Part]),
}

impl Needs {
    /// The parts; none where it needs less.
    pub fn parts(self) -> &'static [Part] {
        match self {
            Self::Observation | Self::Rolls => &[],
            Self::Parts(parts) => parts,
        }
    }

    /// Whether a run that rolls nothing can tell.
    pub fn can_be_observed(self) -> bool {
        self == Self::Observation
    }

    /// Names of what a run must do, for the catalogue; none where every run does it.
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Self::Observation => Vec::new(),
            Self::Rolls => vec!["rolls"],
            Self::Parts(parts) => parts.iter().map(|part| part.name()).collect(),
        }
    }
}

impl Plan {
    /// The parts of these needs that are not done.
    pub fn missing(&self, needs: Needs) -> Vec<Part> {
        needs.parts().iter().copied().filter(|part| !self.does(*part)).collect()
    }
}
