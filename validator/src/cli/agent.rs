//! What runs beside a target.

use clap::Args;

use crate::config::Protocol;
use crate::middle::PortPlan;

/// `validator middle`.
#[derive(Args, Debug)]
pub struct MiddleArgs {
    /// Name of the dependency
    #[arg(long)]
    pub dependency: String,
    /// What is spoken to it
    #[arg(long)]
    pub protocol: Protocol,
    /// What the trace ids of the run begin with
    #[arg(long, default_value = "")]
    pub trace_prefix: String,
    /// Where to listen and where that goes; may be repeated
    #[arg(long, value_name = "LISTEN=HOST:PORT")]
    pub port: Vec<PortPlan>,
}

/// `validator guardian`.
#[derive(Args, Debug)]
pub struct GuardianArgs {
    /// Namespace of the run
    #[arg(long)]
    pub namespace: String,
    /// The run, as the holder of the Lease
    #[arg(long)]
    pub run: String,
    /// The deployment that is to be rolled back when it has lapsed
    #[arg(long)]
    pub deployment: String,
}
