//! Why a check has nothing to say.

use std::fmt;

/// A reason for no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmeasured {
    /// The target file does not declare what it is about: it does not apply.
    NotDeclared(String),
    /// The evidence is missing.
    NotSeen(String),
}

impl fmt::Display for Unmeasured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotDeclared(reason) | Self::NotSeen(reason)) = self;
        f.write_str(reason)
    }
}
