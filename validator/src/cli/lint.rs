//! `validator lint`.

use std::path::PathBuf;

use clap::Args;

use super::PolicyArgs;
use crate::lint::Format;

/// `validator lint`.
#[derive(Args, Debug)]
pub struct LintArgs {
    /// Files, folders, or - for stdin; all of them are looked at together
    #[arg(required = true, value_name = "FILE|FOLDER|-")]
    pub paths: Vec<PathBuf>,
    /// What stdin is called in the findings: code scanning needs a file of the repository
    #[arg(long, value_name = "PATH")]
    pub name: Option<String>,
    /// The rules
    #[command(flatten)]
    pub rules: PolicyArgs,
    /// How it is told
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}
