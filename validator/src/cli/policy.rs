//! `--policy FILE` of several commands, and `validator policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What is judged by.
#[derive(Args, Debug, Default)]
pub struct PolicyArgs {
    /// The organisation's policy (kind GoLivePolicy) [default: the built-in one]
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Judge as if the policy had no waivers; they are told as ignored
    #[arg(long)]
    pub no_waivers: bool,
}

/// What to do with a policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Print it with everything that stands in no file; the built-in one without FILE
    Print(PolicyFileArgs),
    /// Say whether it is valid (exit 0 or 2), and what of it is about a target
    Check(PolicyCheckArgs),
    /// Say what a reviewer would: waivers that have ended (exit 1), end soon or never, allow everybody; changed limits
    Lint(PolicyLintArgs),
    /// Print the organisation's checklist as Markdown
    Checklist(PolicyFileArgs),
}

/// `validator policy print` and `checklist`.
#[derive(Args, Debug)]
pub struct PolicyFileArgs {
    /// The policy
    pub file: Option<PathBuf>,
}

/// `validator policy check`.
#[derive(Args, Debug)]
pub struct PolicyCheckArgs {
    /// The policy
    pub file: PathBuf,
    /// A target file: which waivers and answers are about it
    #[arg(short = 'f', long = "file", value_name = "TARGET")]
    pub target: Option<PathBuf>,
}

/// `validator policy lint`.
#[derive(Args, Debug)]
pub struct PolicyLintArgs {
    /// The policy
    pub file: PathBuf,
}
