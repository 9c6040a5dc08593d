//! What the gate says: verdict, pillars, checks. Renderers only print it.

mod catalogue;
mod course;
mod difference;
mod expected;
mod file;
mod html;
mod identity;
mod json;
mod junit;
mod legible;
mod markdown;
mod otlp;
pub(crate) mod sarif;
mod steps;
mod terminal;
mod waiver;
mod wrap;

use std::fmt;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Area, Case, Finding, LOST, Outcome, Severity};
use crate::exit::Exit;
use crate::plan::Part;
use crate::timeline::Timeline;

pub use catalogue::catalogue;
pub use course::Course;
pub use difference::{Change, Difference, Direction};
pub use expected::Expected;
pub use file::{Destination, Format, ReportFile};
pub use identity::Identity;
pub use json::{SCHEMA, schema};
pub(crate) use legible::legible;
pub use otlp::trace;
pub use steps::StepLine;
pub use terminal::Depth;
pub use waiver::{WaiverLine, WaiverState};
pub(crate) use wrap::wrap;

/// Requests lost while pods were replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// How many count; nothing where the run cannot tell.
    pub known: Option<u64>,
    /// How many do not, since the run itself was disturbed.
    pub struck: u64,
}

/// The report of one run.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
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
    /// What the verdict is about.
    #[serde(default)]
    pub identity: Identity,
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
    /// Every waiver of the policy that names this service, whatever it did.
    #[serde(default)]
    pub waivers: Vec<WaiverLine>,
    /// What the run did.
    #[serde(default)]
    pub steps: Vec<StepLine>,
    /// What happened, for the picture; no file but the evidence holds it.
    #[serde(skip)]
    pub course: Course,
}

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

/// One area's result.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
pub struct AreaLine {
    /// The area.
    pub area: Area,
    /// Pass, fail or inconclusive; skipped where checks that gate were not selected.
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
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// The verdict.
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

impl Report {
    /// The report of a run that was judged: what these lines and the timeline tell.
    pub fn new(
        timeline: &Timeline,
        verdict: Verdict,
        areas: Vec<AreaLine>,
        checks: Vec<CheckLine>,
        waivers: Vec<WaiverLine>,
    ) -> Self {
        let (plan, header) = (timeline.plan(), &timeline.evidence.header);
        Self {
            deployment: plan.target.deployment.clone(),
            namespace: plan.target.namespace.clone(),
            version: plan.target.version.clone(),
            run: plan.run.clone(),
            validator: header.validator.clone(),
            identity: Identity::new(timeline),
            duration: RunTime::new(timeline),
            verdict,
            areas,
            not_tested: NotTested::new(timeline),
            waivers,
            steps: steps::lines(timeline),
            course: Course::new(timeline, &checks),
            checks,
        }
    }

    /// How many checks ended in each way, without those in which none did.
    pub fn counts(&self) -> Vec<(Outcome, usize)> {
        let count = |outcome| self.checks.iter().filter(|c| c.finding.outcome == outcome).count();
        Outcome::ALL.map(|outcome| (outcome, count(outcome))).into_iter().filter(|(_, n)| *n > 0).collect()
    }

    /// Its checks, failures first; the order of the catalogue among those that ended alike.
    fn failures_first(&self) -> Vec<&CheckLine> {
        let mut lines: Vec<&CheckLine> = self.checks.iter().collect();
        lines.sort_by_key(|line| line.rank());
        lines
    }

    /// Pillars that pass, of four.
    pub fn passing(&self) -> usize {
        self.areas.iter().filter(|line| line.area.is_pillar() && line.outcome == Outcome::Pass).count()
    }

    /// Writes the terminal report to this depth.
    pub fn print(&self, depth: Depth, out: &mut dyn Write) -> io::Result<()> {
        terminal::render(self, depth, out)
    }

    /// Requests lost while pods were replaced: what the evidence says of them, and how many if it is an answer.
    pub fn lost_while_rolling(&self) -> Lost {
        let Some(line) = self.checks.iter().find(|line| line.id == LOST) else { return Lost::default() };
        let finding = &line.finding;
        let sum = |cases: &mut dyn Iterator<Item = &Case>| cases.map(|case| case.count).sum();
        let known = matches!(finding.outcome, Outcome::Pass | Outcome::Fail | Outcome::Warn);
        Lost {
            known: known.then(|| sum(&mut finding.cases.iter())),
            struck: sum(&mut finding.struck.iter().map(|struck| &struck.case)),
        }
    }

    /// Writes the report.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Terminal => terminal::render(self, Depth::Usual, out),
            Format::Json => json::render(self, out),
            Format::Junit => junit::render(self, out),
            Format::Sarif => sarif::render(self, out),
            Format::Markdown => out.write_all(legible(&markdown::text(self)).as_bytes()),
            Format::Html => out.write_all(legible(&html::text(self)).as_bytes()),
            Format::Otlp => Ok(serde_json::to_writer(out, &trace(self))?),
        }
    }
}

impl RunTime {
    fn new(timeline: &Timeline) -> Self {
        let started = timeline.evidence.header.started;
        let end = timeline.ended();
        let least: u64 = timeline.steps.iter().map(|step| step.least_ms).sum();
        Self { took_s: (end - started) as f64 / 1000.0, least_s: least as f64 / 1000.0 }
    }
}

impl NotTested {
    /// What a run did not look at.
    pub fn new(timeline: &Timeline) -> Self {
        Self { systems: timeline.undeclared_systems(), left_out: timeline.left_out() }
    }

    /// All of it in one line; nothing if everything was looked at.
    fn told(&self) -> Option<String> {
        let undeclared = (!self.systems.is_empty())
            .then(|| format!("called but not declared: {}", self.systems.join(", ")));
        let told: Vec<String> = undeclared.into_iter().chain(self.left_out.iter().cloned()).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

impl AreaLine {
    /// Its box and its word in the checklist.
    fn mark(&self) -> (&'static str, &'static str) {
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
    fn rank(&self) -> u8 {
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

    /// Whether it has something to say.
    fn is_noted(&self) -> bool {
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
