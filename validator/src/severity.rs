//! How much a property weighs, for the checks that judge it and for the policy that may weigh it otherwise.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What it means if a property does not hold.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Users are hurt: NO-GO, and no verdict without an answer.
    Blocker,
    /// NO-GO if it fails.
    Major,
    /// A warning if it fails.
    Minor,
    /// Told, and no part of the verdict.
    Info,
}

impl Severity {
    /// Whether a failure makes the verdict NO-GO.
    pub fn gates(self) -> bool {
        matches!(self, Self::Blocker | Self::Major)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Blocker => "blocker",
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Info => "info",
        })
    }
}
