//! How the users of a target behave, wherever it runs.

use clap::Args;

use super::HeaderArg;
use crate::config::{Rate, Template};

/// What users ask for, and how often. The command that takes it has a `--file`, which says the same.
#[derive(Args, Debug)]
pub struct TrafficArgs {
    /// Path to ask, with {1..1000} and {uuid} as placeholders; may be repeated
    #[arg(long, value_name = "PATH", conflicts_with = "file")]
    pub get: Vec<Template>,
    /// Header of every request, or @FILE with one header a line, as for curl; may be repeated. Values are never stored
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    pub header: Vec<HeaderArg>,
    /// Requests per second, all connection classes together [default: the target file's, else 200]
    #[arg(long)]
    pub rate: Option<Rate>,
}
