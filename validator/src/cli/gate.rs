//! What every gate is told, in a cluster and on one machine.

use std::path::PathBuf;

use clap::Args;

use super::{PartArgs, ReportArgs};
use crate::config::Seconds;

/// What is done of the experiment, and what is left of it.
#[derive(Args, Debug)]
pub struct GateArgs {
    /// No roll may end later than this after the start; a run that could not keep it is refused before anything is rolled or broken
    #[arg(long, default_value = "15m")]
    pub timeout: Seconds,
    /// The parts
    #[command(flatten)]
    pub parts: PartArgs,
    /// The reports
    #[command(flatten)]
    pub report: ReportArgs,
    /// Where the evidence goes [default: golive-out/RUN.evidence.zst]
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
}
