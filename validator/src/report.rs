//! What the gate says: verdict, pillars, checks. Renderers only print it.

mod catalogue;
mod course;
mod difference;
mod expected;
mod extent;
mod file;
mod html;
mod identity;
mod json;
mod junit;
mod legible;
mod line;
mod markdown;
mod otlp;
pub(crate) mod sarif;
mod steps;
mod terminal;
mod verdict;
mod waiver;
mod wrap;

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Case, LOST, Outcome};
use crate::config::Purpose;
use crate::timeline::Timeline;

pub use catalogue::catalogue;
pub use course::Course;
pub use difference::{Change, Difference, Direction};
pub use expected::Expected;
pub use extent::{NotTested, RunTime};
pub use file::{Destination, Format, ReportFile};
pub use identity::Identity;
pub use json::{SCHEMA, schema};
pub(crate) use legible::legible;
pub use line::{AreaLine, CheckLine};
pub use otlp::trace;
pub use steps::StepLine;
pub use terminal::Depth;
pub use verdict::Verdict;
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
    /// What it was for: a run that observed only proves nothing.
    #[serde(default)]
    pub purpose: Purpose,
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
            purpose: plan.purpose,
            identity: Identity::new(timeline),
            duration: RunTime::new(timeline),
            verdict,
            areas,
            not_tested: NotTested::new(timeline, &checks),
            waivers,
            steps: steps::lines(timeline),
            course: Course::new(timeline, &checks),
            checks,
        }
    }

    /// What whoever asked is told: of a deploy request, or of what serves.
    pub fn status(&self) -> &'static str {
        match (self.purpose, self.verdict) {
            (Purpose::Prove, verdict) => verdict.status(),
            (Purpose::Observe, Verdict::NoGo) => "OBSERVED, NOT WELL",
            (Purpose::Observe, Verdict::Inconclusive) => "OBSERVED, UNCLEAR",
            (Purpose::Observe, _) => "OBSERVED, NOT PROVEN",
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
