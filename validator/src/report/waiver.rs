//! The waivers of the policy that name the target: the audit of every report.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Waiver;

/// A waiver, and what it did.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct WaiverLine {
    /// What it did.
    pub state: WaiverState,
    /// The waiver as it stands in the policy.
    #[serde(flatten)]
    pub waiver: Waiver,
}

/// What a waiver did.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum WaiverState {
    /// It waived a failure, or a question without an answer.
    Used,
    /// There was nothing to waive.
    Unused,
    /// It had ended when the run began, and waived nothing.
    Expired,
    /// `--no-waivers`.
    Ignored,
}

impl WaiverLine {
    /// A waiver that did this.
    pub fn new(waiver: &Waiver, state: WaiverState) -> Self {
        Self { state, waiver: waiver.clone() }
    }

    /// Whether somebody should look at it: a waiver that does nothing hides the next failure.
    pub fn warns(&self) -> bool {
        matches!(self.state, WaiverState::Unused | WaiverState::Expired)
    }

    /// All of it in one sentence.
    pub(crate) fn told(&self) -> String {
        let Waiver { scope, reason, owner, approver, until, .. } = &self.waiver;
        format!("{reason} (for {scope} until {until}; owner {owner}, approved by {approver})")
    }
}

impl fmt::Display for WaiverState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Used => "used",
            Self::Unused => "unused",
            Self::Expired => "expired",
            Self::Ignored => "ignored",
        })
    }
}
