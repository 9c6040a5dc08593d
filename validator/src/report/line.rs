//! One line of the report: of an area, of a check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Area, Finding, Outcome, Severity};
use crate::plan::Part;

/// One area's result.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
pub struct AreaLine {
    /// The area.
    pub area: Area,
    /// Pass, fail or inconclusive; skipped where checks that gate were not selected, or only observed.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
    /// What to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Further checks of the area that failed or have no answer.
    pub more: usize,
}

/// One check's result.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
pub struct CheckLine {
    /// Code.
    pub id: String,
    /// Property.
    pub slug: String,
    /// Area.
    pub area: Area,
    /// Severity.
    pub severity: Severity,
    /// What to change if it fails.
    pub remedy: String,
    /// Parts of the experiment that it needs and that were not selected: it was not judged then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unselected: Vec<Part>,
    /// Whether it needs the rolls, or what is done between them, and the run observed only: it was not judged then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unrolled: bool,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

impl AreaLine {
    /// Its box and its word in the checklist.
    pub(super) fn mark(&self) -> (&'static str, &'static str) {
        match self.outcome {
            Outcome::Pass => ("[x]", "PASS"),
            Outcome::Fail => ("[ ]", "FAIL"),
            Outcome::Waived => ("[~]", "WAIVED"),
            Outcome::Skipped => ("[-]", "IN PART"),
            _ => ("[?]", "INCONCLUSIVE"),
        }
    }
}

impl CheckLine {
    /// Its place among others: what gates and failed, other failures, open questions, warnings, then the rest.
    pub(super) fn rank(&self) -> u8 {
        match self.finding.outcome {
            Outcome::Fail if self.is_gating_failure() => 0,
            Outcome::Fail => 1,
            Outcome::Inconclusive => 2,
            Outcome::Waived => 3,
            Outcome::Warn => 4,
            Outcome::Pass => 5,
            Outcome::Skipped => 6,
        }
    }

    /// Whether the run did not do what it needs.
    pub fn is_left_out(&self) -> bool {
        self.unrolled || !self.unselected.is_empty()
    }

    /// Whether it has something to say.
    pub(super) fn is_noted(&self) -> bool {
        !matches!(self.finding.outcome, Outcome::Pass | Outcome::Skipped)
    }

    /// Whether it alone keeps the verdict from a plain GO.
    pub fn warns(&self) -> bool {
        self.is_noted() && self.severity != Severity::Info
    }

    /// Whether it alone makes the verdict NO-GO.
    pub fn is_gating_failure(&self) -> bool {
        self.finding.outcome == Outcome::Fail && self.severity.gates()
    }

    /// Whether a proof that a verdict would rest on is missing, and a waiver allows that.
    pub fn is_waived_proof(&self) -> bool {
        self.finding.outcome == Outcome::Waived && self.severity.gates()
    }

    /// Whether it is a proof that a verdict rests on.
    pub fn is_gating_pass(&self) -> bool {
        self.finding.outcome == Outcome::Pass && self.severity.gates()
    }

    /// Whether it alone keeps the verdict open.
    pub fn is_open_blocker(&self) -> bool {
        self.finding.outcome == Outcome::Inconclusive && self.severity == Severity::Blocker
    }
}
