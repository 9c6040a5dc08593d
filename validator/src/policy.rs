//! A policy held against the checks that there are: what it may say, what a reviewer says of it, and the checklist it makes.

mod checklist;
mod review;

use std::path::Path;

pub use checklist::checklist;
pub use review::{Remark, review};

use crate::checks;
use crate::config::GoLivePolicy;
use crate::failure::Failure;
use crate::lint::RULES;
use crate::severity::Severity;

/// Reads a policy, and refuses one that names what there is not, or decides what nobody may.
///
/// # Errors
/// Exit 2 with field and line.
pub fn read(path: &Path) -> Result<GoLivePolicy, Failure> {
    let policy = GoLivePolicy::read(path)?;
    let text = std::fs::read_to_string(path).unwrap_or_default();
    match wrong(&policy) {
        None => Ok(policy),
        Some(Wrong { field, section, word, why }) => {
            let line = line_of(&text, section, &word);
            Err(Failure::usage(format!("{}: line {line}: {field}: {why}", path.display()))
                .hint("`validator checks` lists the checks; docs/policy.md says what a policy may decide"))
        }
    }
}

/// Why a policy that did not come from a file may not be judged by, if it may not.
pub fn refusal(policy: &GoLivePolicy) -> Option<String> {
    wrong(policy).map(|wrong| format!("{}: {}", wrong.field, wrong.why))
}

/// What is wrong, and by which words it is found in the file.
struct Wrong {
    field: String,
    section: &'static str,
    word: String,
    why: String,
}

/// What the types cannot say; also for a policy that came from a cluster.
fn wrong(policy: &GoLivePolicy) -> Option<Wrong> {
    let name = &policy.metadata.name;
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if name == GoLivePolicy::BUILT_IN || name.is_empty() || !name.chars().all(is_name) {
        let why = format!(
            "`{name}`: expected a name of a-z, 0-9, `-` and `.` that is not `default`, the built-in policy"
        );
        return Some(Wrong { field: "metadata.name".into(), section: "metadata:", word: name.clone(), why });
    }
    let spec = &policy.spec;
    let weights = spec.severity.iter().map(|(code, severity)| {
        ("severity:", format!("spec.severity.{code}"), code.as_str(), Decision::Weighs(*severity))
    });
    let waivers = spec.waivers.iter().enumerate().map(|(at, waiver)| {
        ("waivers:", format!("spec.waivers[{at}].check"), waiver.check.as_str(), Decision::Waives)
    });
    weights.chain(waivers).find_map(|(section, field, code, decision)| {
        let why = decision.wrong(code)?;
        Some(Wrong { field, section, word: code.to_owned(), why })
    })
}

/// What a policy decides of a check.
enum Decision {
    Weighs(Severity),
    Waives,
}

impl Decision {
    fn wrong(&self, code: &str) -> Option<String> {
        let Some(check) = checks::find(code) else {
            let is_rule = RULES.iter().any(|rule| rule.id == code);
            return (!is_rule).then(|| format!("there is no check {code}{}", nearest(code)));
        };
        match self {
            Self::Waives if !check.can_be_waived() => Some(format!("{code} {} cannot be waived", check.slug)),
            Self::Weighs(severity) if !check.can_be_waived() && *severity != check.severity => {
                Some(format!("{code} {} is a {} for everybody", check.slug, check.severity))
            }
            _ => None,
        }
    }
}

/// The code that was probably meant.
fn nearest(code: &str) -> String {
    let known = checks::ALL.iter().map(|check| check.id).chain(RULES.iter().map(|rule| rule.id));
    let alike = |one: &&str| strsim::jaro_winkler(one, code);
    let nearest = known.max_by(|a, b| alike(a).total_cmp(&alike(b)));
    nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default()
}

/// The first line with a word in or below a section; the section's own where it stands nowhere (as in an anchor).
fn line_of(text: &str, section: &str, word: &str) -> usize {
    let begin = text.lines().position(|line| line.trim_start().starts_with(section)).unwrap_or(0);
    let within = text.lines().enumerate().skip(begin).find(|(_, line)| line.contains(word));
    within.map_or(begin, |(at, _)| at) + 1
}

#[cfg(test)]
mod tests;
