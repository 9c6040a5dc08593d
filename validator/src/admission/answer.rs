//! A decision in the words of the API server: pure.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::asked::{Asked, BREAK_GLASS};
use super::decide::{Decision, Refusal};
use super::mode::Mode;
use super::patch::{REASON, patch};
use crate::report::legible;

/// Of a warning longer than this the API server shows the begin alone.
const MAX_WARNING: usize = 250;

/// What the API server is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    /// Why not; whoever asked reads it.
    pub(super) message: String,
    /// What he reads though it is allowed.
    pub(super) warnings: Vec<String>,
    /// For the audit log: the decision, and why.
    pub(super) audit: HashMap<String, String>,
}

impl Answer {
    pub(super) fn to(asked: &Asked, decision: &Decision, mode: Mode) -> Self {
        let mut answer = Self { allowed: true, ..Self::default() };
        answer.note("decision", kind(decision));
        match decision {
            Decision::Unasked(why) => answer.note("why", why),
            Decision::Proven(told) => answer.note("why", &told.join("; ")),
            Decision::BrokenGlass { reason, refusals } => {
                answer.note("why", &whys(refusals));
                answer.note("break-glass", reason);
                answer.warnings = warnings("the glass is broken, and that is recorded", refusals);
            }
            Decision::Refused { refusals, note } => answer.refused(asked, refusals, note.as_deref(), mode),
        }
        answer
    }

    fn refused(&mut self, asked: &Asked, refusals: &[Refusal], note: Option<&str>, mode: Mode) {
        self.note("why", &whys(refusals));
        match mode {
            Mode::Go => {
                self.allowed = false;
                self.message = message(asked, refusals, note);
            }
            Mode::Warn => self.warnings = warnings("golive.dev/require: go would deny this", refusals),
            Mode::Audit => {}
        }
    }

    fn note(&mut self, name: &str, text: &str) {
        self.audit.insert(name.to_owned(), legible(text));
    }
}

/// A decision in one word, for metrics and the audit log.
pub(super) fn kind(decision: &Decision) -> &'static str {
    match decision {
        Decision::Unasked(_) => "unasked",
        Decision::Proven(_) => "proven",
        Decision::BrokenGlass { .. } => "break-glass",
        Decision::Refused { .. } => "refused",
    }
}

/// What has no GO, and why, in one line.
pub(super) fn whys(refusals: &[Refusal]) -> String {
    let each = refusals.iter().map(|Refusal { image, why, .. }| format!("{image}: {why}"));
    legible(&each.collect::<Vec<_>>().join("; "))
}

fn message(asked: &Asked, refusals: &[Refusal], note: Option<&str>) -> String {
    let mut text = format!("namespace {} takes what has a GO", asked.namespace);
    for Refusal { image, why, remedy } in refusals {
        let _ = write!(text, "\n  {image}: {why}\n    this would prove it: {remedy}");
    }
    if let Some(note) = note {
        let _ = write!(text, "\n  {note}");
    }
    let _ = match patch(asked) {
        Some(patch) => write!(text, "\n  in an emergency, with the reason for {REASON}:\n    {patch}"),
        None => write!(
            text,
            "\n  in an emergency: the annotation {BREAK_GLASS} with the reason, in the same request"
        ),
    };
    legible(&text)
}

fn warnings(first: &str, refusals: &[Refusal]) -> Vec<String> {
    let each = refusals.iter().map(|Refusal { image, why, .. }| format!("{image}: {why}"));
    let cut = |line: String| legible(&line).chars().take(MAX_WARNING).collect();
    std::iter::once(first.to_owned()).chain(each).map(cut).collect()
}
