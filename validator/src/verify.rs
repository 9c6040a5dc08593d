//! Whether an image may go live, asked of reports of runs that were: pure, so that the command line and whoever guards a
//! cluster get the same answer.

use std::fmt;

use jiff::Timestamp;

use crate::check::{Check, Outcome, Severity};
use crate::checks;
use crate::config::{Day, GoLivePolicy};
use crate::exit::Exit;
use crate::report::{CheckLine, Report, Verdict};

/// An image by its digest: the one name that nobody can move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What is asked about, as it was written.
    pub name: String,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
}

/// What the reports say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is a GO, and it is good through this day.
    Proven {
        /// The run.
        run: String,
        /// Its last day.
        until: Day,
    },
    /// The last run with a verdict says NO-GO, by the policy as it is now.
    Refused {
        /// The run.
        run: String,
        /// What fails, one line each.
        failures: Vec<String>,
    },
    /// Nothing tells, for this reason.
    Unknown(String),
}

impl Standing {
    /// The exit code of `validator verify`.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Proven { .. } => Exit::Success,
            Self::Refused { .. } => Exit::NoGo,
            Self::Unknown(_) => Exit::Inconclusive,
        }
    }
}

impl std::str::FromStr for Image {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digest = text.rsplit_once('@').map(|(_, digest)| digest);
        let is_digest = |digest: &&str| {
            digest.strip_prefix("sha256:").is_some_and(|hex| {
                hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            })
        };
        match digest.filter(is_digest) {
            Some(digest) => Ok(Self { name: text.to_owned(), digest: digest.to_owned() }),
            None => Err(format!("`{text}`: expected IMAGE@sha256:..., a tag can be moved")),
        }
    }
}

/// What these reports say of an image at a moment (Unix milliseconds), by the policy as it is now: the last of them about
/// this digest counts, so that a later NO-GO takes a GO back.
///
/// Severities and waivers are those of the policy; what was waived in the run and is no longer fails again. Limits are those of
/// the run, since a report holds no measures to judge anew.
pub fn verify(reports: &[Report], image: &Image, policy: &GoLivePolicy, now: i64) -> Standing {
    let mine = reports.iter().filter(|report| is_about(report, image));
    let dated = mine.filter_map(|report| Some((report.identity.ended.parse::<Timestamp>().ok()?, report)));
    let Some((ended, report)) = dated.max_by_key(|(ended, _)| *ended) else {
        return Standing::Unknown(match reports.len() {
            0 => "no report was given".to_owned(),
            several => format!("none of {several} reports is about {}", image.digest),
        });
    };
    let named = &report.identity.policy;
    if *named != policy.metadata.name {
        let asked = &policy.metadata.name;
        return Standing::Unknown(format!(
            "run {} was judged by the policy `{named}`, not by `{asked}`",
            report.run
        ));
    }
    let today = Day::of(now);
    standing(report, policy, (Day::of(ended.as_millisecond()), today))
}

fn standing(report: &Report, policy: &GoLivePolicy, (ended, today): (Day, Day)) -> Standing {
    let run = report.run.clone();
    let covered = |line: &CheckLine| is_waived(report, policy, line, today);
    let fails = |line: &&CheckLine| {
        let failed = matches!(line.finding.outcome, Outcome::Fail | Outcome::Waived);
        failed && weight(policy, line).gates() && !covered(line)
    };
    let failures: Vec<String> = report
        .checks
        .iter()
        .filter(fails)
        .map(|line| format!("{} {}: {}", line.id, line.slug, line.finding.summary))
        .collect();
    let open = report.checks.iter().find(|line| {
        line.finding.outcome == Outcome::Inconclusive
            && weight(policy, line) == Severity::Blocker
            && !covered(line)
    });
    let until = ended.after(policy.spec.verdict.valid_for_days);
    match open {
        _ if !failures.is_empty() => Standing::Refused { run, failures },
        Some(line) => {
            Standing::Unknown(format!("run {run} is inconclusive: {} {}", line.id, line.finding.summary))
        }
        // A report whose lines do not bear its verdict was not made by a validator.
        None if report.checks.is_empty()
            || matches!(report.verdict, Verdict::Inconclusive | Verdict::GoInPart) =>
        {
            Standing::Unknown(format!("run {run} is no run of the whole: {}", report.verdict))
        }
        None if ended > today.after(1) => {
            Standing::Unknown(format!("run {run} ended on {ended}, which is still to come"))
        }
        None if until < today => Standing::Unknown(format!("the GO of run {run} was good until {until}")),
        None => Standing::Proven { run, until },
    }
}

/// By the digest alone: a mirror has another name for the same bits.
fn is_about(report: &Report, image: &Image) -> bool {
    let named = report.identity.digest.as_deref().and_then(|name| name.rsplit_once('@'));
    named.is_some_and(|(_, digest)| digest == image.digest)
}

fn weight(policy: &GoLivePolicy, line: &CheckLine) -> Severity {
    match checks::find(&line.id) {
        Some(check) if check.can_be_waived() => policy.spec.weight(check.id, check.severity),
        Some(check) => check.severity,
        // A check of another version of the validator weighs what it weighed there.
        None => line.severity,
    }
}

fn is_waived(report: &Report, policy: &GoLivePolicy, line: &CheckLine, today: Day) -> bool {
    let may = checks::find(&line.id).is_some_and(Check::can_be_waived);
    let holds = |waiver: &&crate::config::Waiver| {
        waiver.check.as_str() == line.id
            && waiver.scope.covers(&report.namespace, &report.deployment)
            && waiver.until >= today
    };
    may && policy.spec.waivers.iter().any(|waiver| holds(&waiver))
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proven { run, until } => write!(f, "GO by run {run}, good until {until}"),
            Self::Refused { run, failures } => write!(f, "NO-GO by run {run}: {}", failures.join("; ")),
            Self::Unknown(why) => write!(f, "not proven: {why}"),
        }
    }
}
