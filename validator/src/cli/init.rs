//! `validator init`.

use std::path::PathBuf;

use clap::Args;

use super::ClusterArgs;

/// `validator init`.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// What to gate, as deployment/NAME
    #[arg(value_name = "deployment/NAME", required_unless_present = "file")]
    pub target: Option<String>,
    /// Manifests in place of a cluster: a file, a folder, or - for stdin
    #[arg(short, long, value_name = "FILE|FOLDER|-")]
    pub file: Option<PathBuf>,
    /// Cluster and namespace
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// An OpenAPI document, for what users ask for
    #[arg(long, value_name = "FILE")]
    pub openapi: Option<PathBuf>,
    /// Where the target file goes
    #[arg(short, long, value_name = "FILE", default_value = "golive.yaml")]
    pub output: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
}
