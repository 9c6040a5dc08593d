//! `validator cleanup`.

use std::path::PathBuf;

use clap::Args;

use super::ClusterArgs;

/// `validator cleanup`.
#[derive(Args, Debug)]
pub struct CleanupArgs {
    /// Cluster and namespace
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The target file, for its namespace
    #[arg(short, long, value_name = "FILE", required_unless_present = "namespace")]
    pub file: Option<PathBuf>,
    /// Clean up even if a run is at work there; it ends where it stands
    #[arg(long)]
    pub force: bool,
}
