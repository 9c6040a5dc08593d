//! Whether an image may go live, asked of reports of runs that were: pure, so that the command line and whoever guards a
//! cluster get the same answer.

mod proof;

use std::fmt;

use crate::check::{Check, Outcome, Severity};
use crate::checks;
use crate::config::{Day, GoLivePolicy};
use crate::exit::Exit;

use self::proof::Line;
pub use self::proof::Proof;

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

/// What these runs say of an image at a moment (Unix milliseconds), by the policy as it is now: the last of them about
/// this digest that came to a verdict counts, so that a later NO-GO takes a GO back, and a busy machine does not.
///
/// Severities and waivers are those of the policy; what was waived in the run and is no longer fails again. Limits are those of
/// the run, since a report holds no measures to judge anew.
pub fn verify<'a>(
    proofs: impl IntoIterator<Item = &'a Proof>,
    image: &Image,
    policy: &GoLivePolicy,
    now: i64,
) -> Standing {
    let mut several = 0_usize;
    let mine = proofs.into_iter().inspect(|_| several += 1).filter(|proof| proof.is_about(image));
    let dated = mine.filter_map(|proof| Some((proof.ended?, proof)));
    let Some((ended, proof)) = dated.max_by_key(|(ended, proof)| (proof.is_decided(), *ended)) else {
        return Standing::Unknown(match several {
            0 => "no report was given".to_owned(),
            several => format!("none of {several} reports is about {}", image.digest),
        });
    };
    if proof.policy != policy.metadata.name {
        let (named, asked) = (&proof.policy, &policy.metadata.name);
        return Standing::Unknown(format!(
            "run {} was judged by the policy `{named}`, not by `{asked}`",
            proof.run
        ));
    }
    standing(proof, policy, (Day::of(ended.as_millisecond()), Day::of(now)))
}

fn standing(proof: &Proof, policy: &GoLivePolicy, (ended, today): (Day, Day)) -> Standing {
    let run = proof.run.clone();
    if !proof.purpose.proves() {
        return Standing::Unknown(format!("run {run} only observed, which proves nothing"));
    }
    let covered = |line: &Line| is_waived(proof, policy, line, today);
    let fails = |line: &&Line| {
        let failed = matches!(line.outcome, Outcome::Fail | Outcome::Waived);
        failed && weight(policy, line).gates() && !covered(line)
    };
    let failures: Vec<String> = proof
        .open
        .iter()
        .filter(fails)
        .map(|line| format!("{} {}: {}", line.id, line.slug, line.summary))
        .collect();
    let open = proof.open.iter().find(|line| {
        line.outcome == Outcome::Inconclusive && weight(policy, line) == Severity::Blocker && !covered(line)
    });
    let until = ended.after(policy.spec.verdict.valid_for_days);
    match open {
        _ if !failures.is_empty() => Standing::Refused { run, failures },
        Some(line) => Standing::Unknown(format!("run {run} is inconclusive: {} {}", line.id, line.summary)),
        // A report whose lines do not bear its verdict was not made by a validator.
        None if proof.is_empty || !proof.is_decided() => {
            Standing::Unknown(format!("run {run} is no run of the whole: {}", proof.verdict))
        }
        None if ended > today.after(1) => {
            Standing::Unknown(format!("run {run} ended on {ended}, which is still to come"))
        }
        None if until < today => Standing::Unknown(format!("the GO of run {run} was good until {until}")),
        None => Standing::Proven { run, until },
    }
}

fn weight(policy: &GoLivePolicy, line: &Line) -> Severity {
    match checks::find(&line.id) {
        Some(check) if check.can_be_waived() => policy.spec.weight(check.id, check.severity),
        Some(check) => check.severity,
        // A check of another version of the validator weighs what it weighed there.
        None => line.severity,
    }
}

fn is_waived(proof: &Proof, policy: &GoLivePolicy, line: &Line, today: Day) -> bool {
    let may = checks::find(&line.id).is_some_and(Check::can_be_waived);
    let holds = |waiver: &&crate::config::Waiver| {
        waiver.check.as_str() == line.id
            && waiver.scope.covers(&proof.namespace, &proof.deployment)
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
