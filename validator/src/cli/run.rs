//! `validator run`, and what it would do.

use clap::Args;

use super::{GateArgs, PartArgs, TargetArgs};

/// `validator run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The target
    #[command(flatten)]
    pub target: TargetArgs,
    /// Roll to this image; without it the deployment is restarted as it is
    #[arg(long)]
    pub image: Option<String>,
    /// Image of all agents and of the guardian
    #[arg(long, env = "GOLIVE_AGENT_IMAGE", default_value = concat!("golive/validator:", env!("CARGO_PKG_VERSION")))]
    pub agent_image: String,
    /// The gate
    #[command(flatten)]
    pub gate: GateArgs,
    /// Leave the candidate in place whatever the verdict
    #[arg(long)]
    pub keep: bool,
}

/// `validator plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// The target
    #[command(flatten)]
    pub target: TargetArgs,
    /// The image that the run would roll to
    #[arg(long)]
    pub image: Option<String>,
    /// The parts
    #[command(flatten)]
    pub parts: PartArgs,
}
