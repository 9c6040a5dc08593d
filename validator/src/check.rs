//! What a check is, and what it may say.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::timeline::{Timeline, Unmeasured};

/// One property of a production-ready service, and how it is judged from evidence.
///
/// Codes are `GL-<area><nnn>`: 0nn reads declarations, 1nn observes, 2nn needs an experiment.
#[derive(Debug)]
pub struct Check {
    /// The code; never used for anything else.
    pub id: &'static str,
    /// The property that should hold.
    pub slug: &'static str,
    /// The area.
    pub area: Area,
    /// What it means if it does not hold.
    pub severity: Severity,
    /// Why somebody on call cares.
    pub why: &'static str,
    /// How it is found out.
    pub how: &'static str,
    /// What to change.
    pub remedy: &'static str,
    /// The judgement.
    pub judge: fn(&Timeline) -> Finding,
}

/// The areas, in report order.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// Pillar: traces.
    Tracing,
    /// Pillar: health and readiness.
    Health,
    /// Pillar: graceful shutdown.
    Shutdown,
    /// Pillar: circuit breaker.
    Breaker,
    /// The rolling deploy itself.
    Release,
    /// Whether the run can be believed.
    Run,
}

impl Area {
    /// All areas, in report order.
    pub const ALL: [Self; 6] =
        [Self::Tracing, Self::Health, Self::Shutdown, Self::Breaker, Self::Release, Self::Run];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tracing => "tracing",
            Self::Health => "health",
            Self::Shutdown => "shutdown",
            Self::Breaker => "breaker",
            Self::Release => "release",
            Self::Run => "run",
        }
    }

    /// Whether it is one of the four pillars.
    pub fn is_pillar(self) -> bool {
        !matches!(self, Self::Release | Self::Run)
    }
}

/// What it means if a property does not hold.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Users are hurt: NO-GO, and no verdict without an answer.
    Blocker,
    /// NO-GO if it fails.
    Major,
    /// A warning if it fails.
    Minor,
}

/// What a check found.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The property holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It holds, with something to know.
    Warn,
    /// The evidence does not tell.
    Inconclusive,
    /// It does not apply, for the reason given.
    Skipped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Blocker => "blocker",
            Self::Major => "major",
            Self::Minor => "minor",
        })
    }
}

/// The judgement of one check, with its proof.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Finding {
    /// The outcome.
    pub outcome: Outcome,
    /// One sentence.
    pub summary: String,
    /// The measured value, with its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<String>,
    /// What it was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Further lines for the reader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Lines of the evidence that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<usize>,
}

/// Lines of the evidence that a finding names at most.
const MAX_LINES: usize = 5;

impl Finding {
    /// The property holds.
    pub fn pass(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, summary)
    }

    /// The property does not hold.
    pub fn fail(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Fail, summary)
    }

    /// The property holds, with something to know.
    pub fn warn(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Warn, summary)
    }

    /// The evidence does not tell.
    pub fn inconclusive(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Inconclusive, summary)
    }

    /// The check does not apply.
    pub fn skipped(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Skipped, summary)
    }

    /// Pass if it holds, else fail; the same measure and limit stand beside either.
    pub fn when(holds: bool, pass: impl Into<String>, fail: impl Into<String>) -> Self {
        if holds { Self::pass(pass) } else { Self::fail(fail) }
    }

    /// Adds the measured value and what it was held against.
    pub fn measured(mut self, measured: impl Into<String>, limit: impl Into<String>) -> Self {
        self.measured = Some(measured.into());
        self.limit = Some(limit.into());
        self
    }

    /// Adds lines for the reader.
    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// Adds the first few of these lines of the evidence.
    pub fn lines(mut self, lines: impl IntoIterator<Item = usize>) -> Self {
        self.lines.extend(lines.into_iter().take(MAX_LINES));
        self
    }

    fn new(outcome: Outcome, summary: impl Into<String>) -> Self {
        Self {
            outcome,
            summary: summary.into(),
            measured: None,
            limit: None,
            details: Vec::new(),
            lines: Vec::new(),
        }
    }
}

impl From<Unmeasured> for Finding {
    fn from(why: Unmeasured) -> Self {
        match why {
            Unmeasured::NotDeclared(reason) => Self::skipped(reason),
            Unmeasured::NotSeen(reason) => Self::inconclusive(reason),
        }
    }
}
