use std::sync::atomic::{AtomicU64, Ordering};

use super::{Class, State};

/// How a permitted call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Failure,
    Deadline,
    /// Dropped by its caller after it had been slow.
    GivenUp,
    /// Dropped before that, or without any news of the dependency.
    NotCounted,
    Panic,
    /// Admitted before the last transition: dropped.
    Late,
}

/// What happened to a circuit since it was made: plain counters, read at a scrape.
#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: [AtomicU64; Outcome::ALL.len()],
    not_permitted: AtomicU64,
    full: AtomicU64,
    slow: AtomicU64,
    withheld: AtomicU64,
    transitions: [[AtomicU64; State::ALL.len()]; State::ALL.len()],
}

#[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "counted for whoever reads it"))]
impl Tally {
    pub(super) fn call(&self, outcome: Outcome) {
        self.calls[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn not_permitted(&self) {
        self.not_permitted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn full(&self) {
        self.full.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn slow(&self) {
        self.slow.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn withheld(&self) {
        self.withheld.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn transition(&self, from: State, to: State) {
        self.transitions[from as usize][to as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn calls(&self, outcome: Outcome) -> u64 {
        self.calls[outcome as usize].load(Ordering::Relaxed)
    }

    pub(super) fn not_permitted_calls(&self) -> u64 {
        self.not_permitted.load(Ordering::Relaxed)
    }

    pub(super) fn full_calls(&self) -> u64 {
        self.full.load(Ordering::Relaxed)
    }

    pub(super) fn slow_calls(&self) -> u64 {
        self.slow.load(Ordering::Relaxed)
    }

    pub(super) fn withheld_openings(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    pub(super) fn transitions(&self, from: State, to: State) -> u64 {
        self.transitions[from as usize][to as usize].load(Ordering::Relaxed)
    }
}

impl Outcome {
    pub(super) const ALL: [Self; 7] = [
        Self::Success,
        Self::Failure,
        Self::Deadline,
        Self::GivenUp,
        Self::NotCounted,
        Self::Panic,
        Self::Late,
    ];

    pub(super) fn class(self) -> Class {
        match self {
            Self::Success => Class::Success,
            Self::Failure | Self::Deadline | Self::GivenUp | Self::Panic => Class::Failure,
            Self::NotCounted | Self::Late => Class::NotCounted,
        }
    }

    #[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "a label"))]
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Deadline => "deadline",
            Self::GivenUp => "given_up",
            Self::NotCounted => "not_counted",
            Self::Panic => "panic",
            Self::Late => "late",
        }
    }
}

impl From<Class> for Outcome {
    fn from(class: Class) -> Self {
        match class {
            Class::Failure => Self::Failure,
            Class::Success => Self::Success,
            Class::NotCounted => Self::NotCounted,
        }
    }
}
