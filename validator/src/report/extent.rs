//! How far a run went: what it did not look at, and how long it took.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CheckLine;
use crate::config::Purpose;
use crate::timeline::Timeline;

/// What nobody looked at because nobody declared it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
pub struct NotTested {
    /// Systems that the target calls; one of them keeps the verdict at GO-WITH-WARNINGS.
    pub systems: Vec<String>,
    /// What was left out for want of a declaration, or of a selection.
    pub left_out: Vec<String>,
}

/// How long a run took.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
pub struct RunTime {
    /// From its start to the end of its last step, or to the last that is known of it, in seconds.
    pub took_s: f64,
    /// The sum of the unavoidable waits of its steps: declared delays, open times and windows, in seconds.
    pub least_s: f64,
}

/// What an observing run says of all that it did not do.
fn unrolled(lines: &[CheckLine]) -> String {
    let skipped = lines.iter().filter(|line| line.unrolled).count();
    format!(
        "observe: nothing was rolled and nothing was broken, so that {skipped} of {} checks were skipped",
        lines.len()
    )
}

impl RunTime {
    pub(super) fn new(timeline: &Timeline) -> Self {
        let started = timeline.evidence.header.started;
        let end = timeline.ended();
        let least: u64 = timeline.steps.iter().map(|step| step.least_ms).sum();
        Self { took_s: (end - started) as f64 / 1000.0, least_s: least as f64 / 1000.0 }
    }
}

impl NotTested {
    /// What a run did not look at, given what became of its checks.
    pub fn new(timeline: &Timeline, lines: &[CheckLine]) -> Self {
        let left_out = match timeline.plan().purpose {
            Purpose::Prove => timeline.left_out(),
            Purpose::Observe => vec![unrolled(lines)],
        };
        Self { systems: timeline.undeclared_systems(), left_out }
    }

    /// All of it in one line; nothing if everything was looked at.
    pub(super) fn told(&self) -> Option<String> {
        let undeclared = (!self.systems.is_empty())
            .then(|| format!("called but not declared: {}", self.systems.join(", ")));
        let told: Vec<String> = undeclared.into_iter().chain(self.left_out.iter().cloned()).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}
