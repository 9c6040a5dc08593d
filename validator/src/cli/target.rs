//! What is gated in a cluster.

use std::path::PathBuf;

use clap::Args;

use super::{PolicyArgs, TrafficArgs};

/// Which cluster, and where in it.
#[derive(Args, Debug)]
pub struct ClusterArgs {
    /// Kubeconfig context; the current one when absent
    #[arg(long, env = "GOLIVE_CONTEXT")]
    pub context: Option<String>,
    /// Namespace of the target; the target file's when absent
    #[arg(short, long)]
    pub namespace: Option<String>,
}

/// What to gate, and how its users behave.
#[derive(Args, Debug)]
pub struct TargetArgs {
    /// What to gate, as deployment/NAME
    #[arg(value_name = "deployment/NAME", conflicts_with = "file", required_unless_present = "file")]
    pub target: Option<String>,
    /// The target file
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Cluster and namespace
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The traffic
    #[command(flatten)]
    pub traffic: TrafficArgs,
    /// Service of the target; found by its selector when absent
    #[arg(long, conflicts_with = "file")]
    pub service: Option<String>,
    /// The rules
    #[command(flatten)]
    pub rules: PolicyArgs,
}
