//! What of a report a verdict about an image rests on: little enough that whoever guards a cluster keeps those of all runs.

use jiff::Timestamp;

use super::Image;
use crate::check::{Outcome, Severity};
use crate::config::Purpose;
use crate::report::{CheckLine, Report, Verdict};

/// What a run proved, or did not.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Name of the run.
    pub run: String,
    /// Image of the container that served, as its template named it.
    pub image: String,
    /// The same by its digest, `NAME@sha256:HEX`; none where no pod of it started.
    pub digest: Option<String>,
    pub(super) namespace: String,
    pub(super) deployment: String,
    pub(super) policy: String,
    /// When it ended, if it says so in RFC 3339.
    pub ended: Option<Timestamp>,
    pub(super) purpose: Purpose,
    pub(super) verdict: Verdict,
    /// Whether nothing was judged.
    pub(super) is_empty: bool,
    /// Checks that did not pass, and were asked.
    pub(super) open: Vec<Line>,
}

/// A check that did not pass.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) slug: String,
    pub(super) severity: Severity,
    pub(super) outcome: Outcome,
    pub(super) summary: String,
}

impl Proof {
    /// What this report proves.
    pub fn of(report: &Report) -> Self {
        let identity = &report.identity;
        let is_open = |line: &&CheckLine| {
            matches!(line.finding.outcome, Outcome::Fail | Outcome::Waived | Outcome::Inconclusive)
        };
        Self {
            run: report.run.clone(),
            image: identity.image.clone(),
            digest: identity.digest.clone(),
            namespace: report.namespace.clone(),
            deployment: report.deployment.clone(),
            policy: identity.policy.clone(),
            ended: identity.ended.parse().ok(),
            purpose: report.purpose,
            verdict: report.verdict,
            is_empty: report.checks.is_empty(),
            open: report.checks.iter().filter(is_open).map(Line::of).collect(),
        }
    }

    /// Whether it came to a verdict about the whole: a busy machine, a part, or a look at what serves says nothing against what
    /// was proven before.
    pub(super) fn is_decided(&self) -> bool {
        self.purpose.proves() && self.verdict.is_decided()
    }

    /// Whether it is about these bits. By the digest alone: a mirror has another name for them.
    pub fn is_about(&self, image: &Image) -> bool {
        let named = self.digest.as_deref().and_then(|name| name.rsplit_once('@'));
        named.is_some_and(|(_, digest)| digest == image.digest)
    }
}

impl Line {
    fn of(line: &CheckLine) -> Self {
        Self {
            id: line.id.clone(),
            slug: line.slug.clone(),
            severity: line.severity,
            outcome: line.finding.outcome,
            summary: line.finding.summary.clone(),
        }
    }
}
