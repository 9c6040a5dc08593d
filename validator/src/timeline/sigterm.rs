//! When the process of a terminating pod was told to end.

use super::{Termination, Timeline};
use crate::evidence::Millis;
use crate::plan::PreStop;

/// The moment of SIGTERM, as far as it is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sigterm {
    /// At the end of a preStop hook whose length is declared, or at the deletion.
    At(Millis),
    /// After a hook that takes as long as it takes: not before the deletion, and not after the grace period.
    Within(Millis, Millis),
}

impl Sigterm {
    /// The earliest moment that it can have been.
    pub fn earliest(self) -> Millis {
        match self {
            Self::At(at) | Self::Within(at, _) => at,
        }
    }

    /// The latest moment that it can have been.
    pub fn latest(self) -> Millis {
        match self {
            Self::At(at) | Self::Within(_, at) => at,
        }
    }
}

impl Timeline<'_> {
    /// When the container that serves was told to end. The grace period counts from the deletion and ends every hook.
    pub fn sigterm(&self, termination: &Termination) -> Sigterm {
        let (deleted, grace_ms) = (termination.at, termination.grace_s * 1_000);
        match self.plan().target.pre_stop {
            PreStop::None => Sigterm::At(deleted),
            PreStop::Sleep(seconds) => Sigterm::At(deleted + (Millis::from(seconds) * 1_000).min(grace_ms)),
            PreStop::Unknown => Sigterm::Within(deleted, deleted + grace_ms),
        }
    }

    /// In words for reports: what precedes SIGTERM.
    pub fn pre_stop_text(&self) -> String {
        match self.plan().target.pre_stop {
            PreStop::None => String::new(),
            PreStop::Sleep(seconds) => format!(" (after a preStop sleep of {seconds} s)"),
            PreStop::Unknown => " (after a preStop hook of unknown length)".to_owned(),
        }
    }
}
