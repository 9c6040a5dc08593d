//! What was seen before: `validator judge` and `validator diff`.

use std::path::PathBuf;

use clap::Args;

use super::{PolicyArgs, ReportArgs};

/// `validator judge`.
#[derive(Args, Debug)]
pub struct JudgeArgs {
    /// The evidence file of a run
    pub file: PathBuf,
    /// An earlier report or evidence file: the exit code is about what got worse since; the report stays whole
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// The rules, in place of those of the run
    #[command(flatten)]
    pub rules: PolicyArgs,
    /// What is known to be right, a line each: `verdict NO-GO`, `GL-S201 fail`, `may GL-H206`; the exit code says whether the report says it
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub expect: Option<PathBuf>,
    /// The reports
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `validator diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// The earlier run: a JSON report or an evidence file
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The later one
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
