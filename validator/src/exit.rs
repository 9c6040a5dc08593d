//! The exit codes of the command line, decided once.

use std::process::ExitCode;

/// How a command ended; the number is part of the public contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// GO, or the command did what it was asked.
    Success,
    /// NO-GO: at least one gating check failed.
    NoGo,
    /// Wrong usage or configuration.
    Usage,
    /// Inconclusive, or the environment kept us from finding out.
    Inconclusive,
    /// A fault of the validator itself.
    Internal,
    /// Stopped by SIGINT or SIGTERM; clean-up was done.
    Interrupted,
}

impl Exit {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::NoGo => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Internal => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
