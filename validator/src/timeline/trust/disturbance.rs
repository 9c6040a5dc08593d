//! A stretch in which the run itself was disturbed, and whose disturbance it was.

use super::About;
use crate::evidence::{Millis, ObjectKind};

/// A stretch in which what was seen, or what was not, may be of our own making or somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disturbance {
    /// When it began.
    pub from: Millis,
    /// When it was over.
    pub to: Millis,
    /// Whose it was.
    pub source: Source,
    /// What happened, in words for the report.
    pub why: String,
}

/// Whose disturbance it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A watch of this kind of object.
    Watch(ObjectKind),
    /// A load agent sent late.
    Load,
    /// Our probes of single pods.
    Prober,
    /// The middle agent before this dependency was gone, and the dependency with it.
    Agent(String),
    /// What the middle agent before this dependency wrote down has a hole of unknown extent.
    Record(String),
    /// What was said to this dependency cannot be read; connections can be counted.
    Content(String),
    /// The validator stood still: what it saw is told later than it happened.
    Validator,
    /// A clock was set.
    Clock,
    /// Somebody else changed the target, or removed a pod of it.
    Target,
    /// Somebody else removed this pod: what it did from then on, and what it did not, is none of its own.
    Pod(String),
    /// This dependency was sick by itself.
    Dependency(String),
}

/// The kinds of sources, for what a check rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Source::Watch`].
    Watch,
    /// [`Source::Load`].
    Load,
    /// [`Source::Prober`].
    Prober,
    /// [`Source::Agent`].
    Agent,
    /// [`Source::Record`].
    Record,
    /// [`Source::Content`].
    Content,
    /// [`Source::Validator`].
    Validator,
    /// [`Source::Clock`].
    Clock,
    /// [`Source::Target`] and [`Source::Pod`].
    Target,
    /// [`Source::Dependency`].
    Dependency,
}

impl Kind {
    /// Whatever can look like a fault of the target while calls at its dependencies are broken on purpose.
    pub const OF_BROKEN_CALLS: &[Self] = &[
        Self::Load,
        Self::Validator,
        Self::Agent,
        Self::Record,
        Self::Content,
        Self::Dependency,
        Self::Target,
        Self::Clock,
    ];
}

impl Source {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Watch(_) => Kind::Watch,
            Self::Load => Kind::Load,
            Self::Prober => Kind::Prober,
            Self::Agent(_) => Kind::Agent,
            Self::Record(_) => Kind::Record,
            Self::Content(_) => Kind::Content,
            Self::Validator => Kind::Validator,
            Self::Clock => Kind::Clock,
            Self::Target | Self::Pod(_) => Kind::Target,
            Self::Dependency(_) => Kind::Dependency,
        }
    }

    /// Whether it can touch what is about this. A record hides only what its dependency was told, and a pod that was removed only
    /// what is about it. The others touch everything: where one dependency is away, answers that need it as well are slow.
    pub fn touches(&self, about: About<'_>) -> bool {
        match self {
            Self::Record(name) | Self::Content(name) => about.dependency == Some(name.as_str()),
            Self::Pod(name) => about.pod == Some(name.as_str()),
            _ => true,
        }
    }
}

impl Kind {
    /// What it is the disturbance of, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Watch => "the watches",
            Self::Load => "the load agents",
            Self::Prober => "our probes",
            Self::Agent => "the middle agents",
            Self::Record => "their record",
            Self::Content => "what they can read",
            Self::Validator => "the validator",
            Self::Clock => "its clock",
            Self::Target => "the target (by somebody else)",
            Self::Dependency => "the dependencies (by themselves)",
        }
    }
}

impl Disturbance {
    /// Whether it touches a window.
    pub fn overlaps(&self, (from, to): (Millis, Millis)) -> bool {
        self.from <= to && self.to >= from
    }
}
