//! What a failure consists of, each part with its time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Millis;

/// One thing that should not have been, and when. A finding that fails names all of them, so that those that fall into a
/// disturbance of the run itself can be struck.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Case {
    /// When it began.
    pub from: Millis,
    /// When it was over.
    pub to: Millis,
    /// The pod, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The dependency, if it is about one: only then a hole in the record of it, and of no other, touches the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency: Option<String>,
    /// One sentence.
    pub text: String,
    /// Line of the evidence.
    pub line: usize,
    /// How many of what the finding counts it stands for.
    pub count: u64,
    /// Whether what is wrong is the time between two moments: then it is spoilt, however long it is, by what disturbed either.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub between: bool,
}

/// A case that is not held against the target.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Struck {
    /// The case.
    #[serde(flatten)]
    pub case: Case,
    /// The disturbance that covers it.
    pub by: String,
}

impl Case {
    /// At a moment.
    pub fn at(at: Millis, text: impl Into<String>, line: usize) -> Self {
        Self::over((at, at), text, line)
    }

    /// From one moment to another.
    pub fn over((from, to): (Millis, Millis), text: impl Into<String>, line: usize) -> Self {
        Self { from, to, pod: None, dependency: None, text: text.into(), line, count: 1, between: false }
    }

    /// From one moment to another, of which it is told how far they lie apart.
    pub fn between(window: (Millis, Millis), text: impl Into<String>, line: usize) -> Self {
        Self { between: true, ..Self::over(window, text, line) }
    }

    /// About one pod.
    pub fn of(self, pod: &str) -> Self {
        Self { pod: Some(pod.to_owned()), ..self }
    }

    /// About one dependency.
    pub fn before(self, dependency: &str) -> Self {
        Self { dependency: Some(dependency.to_owned()), ..self }
    }

    /// Standing for several of what the finding counts.
    pub fn times(self, count: u64) -> Self {
        Self { count, ..self }
    }
}
