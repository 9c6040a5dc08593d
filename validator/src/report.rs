//! What the gate says: verdict, pillars, checks. Renderers only print it.

mod json;
mod markdown;
mod terminal;
mod wrap;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::check::{Area, Finding, Outcome, Severity};
use crate::exit::Exit;

pub use markdown::catalogue;

/// The report of one run.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Report {
    /// Deployment.
    pub deployment: String,
    /// Namespace.
    pub namespace: String,
    /// Version of the candidate.
    pub version: String,
    /// Name of the run.
    pub run: String,
    /// Version of the validator that gathered the evidence.
    pub validator: String,
    /// How long the run took, in seconds, and how long its steps take at least, however fast the service is.
    pub duration: RunTime,
    /// The verdict.
    pub verdict: Verdict,
    /// One line per area.
    pub areas: Vec<AreaLine>,
    /// What the verdict says nothing about.
    pub not_tested: NotTested,
    /// One line per check.
    pub checks: Vec<CheckLine>,
}

/// What nobody looked at because nobody declared it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct NotTested {
    /// Systems that the target calls; one of them keeps the verdict at GO-WITH-WARNINGS.
    pub systems: Vec<String>,
    /// What was left out for want of a declaration.
    pub left_out: Vec<String>,
}

/// How long a run took.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
pub struct RunTime {
    /// From its start to the end of its last step, in seconds.
    pub took_s: f64,
    /// The sum of the unavoidable waits of its steps: declared delays, open times and windows, in seconds.
    pub least_s: f64,
}

/// One area's result.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct AreaLine {
    /// The area.
    pub area: Area,
    /// Pass, fail or inconclusive.
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
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
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
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// The verdict.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Verdict {
    /// Every gating check passed.
    Go,
    /// Every gating check passed; something else is worth a look.
    GoWithWarnings,
    /// A gating check failed.
    NoGo,
    /// A blocker has no answer.
    Inconclusive,
}

/// A format a report can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Plain text of at most 80 columns.
    Terminal,
    /// JSON with a schema version.
    Json,
}

/// `FORMAT=PATH` of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// The format.
    pub format: Format,
    /// Where it goes.
    pub path: PathBuf,
}

impl Report {
    /// Pillars that pass, of four.
    pub fn passing(&self) -> usize {
        self.areas.iter().filter(|line| line.area.is_pillar() && line.outcome == Outcome::Pass).count()
    }

    /// Writes the report.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Terminal => terminal::render(self, out),
            Format::Json => json::render(self, out),
        }
    }
}

impl CheckLine {
    /// Whether it alone makes the verdict NO-GO.
    pub fn is_gating_failure(&self) -> bool {
        self.finding.outcome == Outcome::Fail && self.severity != Severity::Minor
    }

    /// Whether it alone keeps the verdict open.
    pub fn is_open_blocker(&self) -> bool {
        self.finding.outcome == Outcome::Inconclusive && self.severity == Severity::Blocker
    }
}

impl Verdict {
    /// The exit code that goes with it.
    pub fn exit(self) -> Exit {
        match self {
            Self::Go | Self::GoWithWarnings => Exit::Success,
            Self::NoGo => Exit::NoGo,
            Self::Inconclusive => Exit::Inconclusive,
        }
    }

    /// Whether the candidate may stay.
    pub fn is_go(self) -> bool {
        self.exit() == Exit::Success
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Go => "GO",
            Self::GoWithWarnings => "GO-WITH-WARNINGS",
            Self::NoGo => "NO-GO",
            Self::Inconclusive => "INCONCLUSIVE",
        })
    }
}

impl FromStr for ReportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (format, path) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}`: expected FORMAT=PATH, such as json=report.json"))?;
        let format = match format {
            "terminal" => Format::Terminal,
            "json" => Format::Json,
            other => return Err(format!("`{other}`: expected terminal or json")),
        };
        if path.is_empty() {
            return Err(format!("`{text}`: expected a path after `=`"));
        }
        Ok(Self { format, path: path.into() })
    }
}
