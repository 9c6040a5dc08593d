//! What is told, and where.

use clap::Args;

use crate::failure::Failure;
use crate::report::{Depth, Destination, ReportFile};

/// What is told, and where.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Write a report too, in a format of terminal, html, json, junit, sarif, markdown and otlp; - is stdout; otlp=URL sends the run as a trace; may be repeated
    #[arg(long, value_name = "FORMAT=PATH")]
    pub report: Vec<ReportFile>,
    /// Show every check, also those that passed
    #[arg(long, conflicts_with = "quiet")]
    pub all: bool,
    /// Three lines on stdout, and no progress on stderr
    #[arg(short, long)]
    pub quiet: bool,
}

impl ReportArgs {
    /// Refuses what cannot be told side by side.
    ///
    /// # Errors
    /// Exit 2 where two reports would stand on stdout, one after the other.
    pub fn check(&self) -> Result<(), Failure> {
        match self.report.iter().filter(|file| file.to == Destination::Stdout).count() {
            0 | 1 => Ok(()),
            _ => Err(Failure::usage("two reports cannot both go to stdout")
                .hint("give one of them a path: --report json=report.json")),
        }
    }

    /// How much the terminal report tells.
    pub fn depth(&self) -> Depth {
        match (self.quiet, self.all) {
            (true, _) => Depth::Brief,
            (_, true) => Depth::All,
            _ => Depth::Usual,
        }
    }
}
