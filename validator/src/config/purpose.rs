//! What a run is for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a run proves a candidate, or looks at what serves.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// It rolls the deployment under load and breaks its dependencies.
    #[default]
    Prove,
    /// It changes nothing and breaks nothing: it watches, asks the probes, and sends a few requests that only read.
    Observe,
}

impl Purpose {
    /// The word in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prove => "prove",
            Self::Observe => "observe",
        }
    }

    /// Whether a run of this kind may be a GO, or take one back.
    pub fn proves(self) -> bool {
        self == Self::Prove
    }
}
