//! The verdict.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// What a run comes to.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Verdict {
    /// Every gating check passed.
    Go,
    /// Every gating check passed; something else is worth a look.
    GoWithWarnings,
    /// Every gating check of what was selected passed; nothing is known of the rest.
    GoInPart,
    /// A gating check failed.
    NoGo,
    /// A blocker has no answer.
    Inconclusive,
}

impl Verdict {
    /// The exit code that goes with it.
    pub fn exit(self) -> Exit {
        match self {
            Self::Go | Self::GoWithWarnings | Self::GoInPart => Exit::Success,
            Self::NoGo => Exit::NoGo,
            Self::Inconclusive => Exit::Inconclusive,
        }
    }

    /// What a deploy request is told.
    pub fn status(self) -> &'static str {
        match self {
            Self::Go | Self::GoWithWarnings => "APPROVED",
            Self::GoInPart => "APPROVED IN PART",
            Self::NoGo | Self::Inconclusive => "BLOCKED",
        }
    }

    /// Whether what was asked was answered with yes.
    pub fn is_go(self) -> bool {
        self.exit() == Exit::Success
    }

    /// Whether it says something of the whole: inconclusive, or of a part, says nothing against what was decided before.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Go | Self::GoWithWarnings | Self::NoGo)
    }

    /// Whether the candidate may stay: of one that was tried in part nothing is known of the rest.
    pub fn lets_stay(self) -> bool {
        matches!(self, Self::Go | Self::GoWithWarnings)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Go => "GO",
            Self::GoWithWarnings => "GO-WITH-WARNINGS",
            Self::GoInPart => "GO-IN-PART",
            Self::NoGo => "NO-GO",
            Self::Inconclusive => "INCONCLUSIVE",
        })
    }
}
