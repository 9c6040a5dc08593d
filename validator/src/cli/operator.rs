//! `validator operator`.

use clap::Args;

/// What an operator is told.
#[derive(Args, Debug)]
pub struct OperatorArgs {
    /// Namespace whose GoLiveChecks are run; may be repeated
    #[arg(short, long, required = true)]
    pub namespace: Vec<String>,
    /// Image of the runs and of their agents
    #[arg(long, env = "GOLIVE_AGENT_IMAGE", default_value = concat!("golive/validator:", env!("CARGO_PKG_VERSION")))]
    pub image: String,
    /// Service account of the runs, in their namespace
    #[arg(long, default_value = "golive-validator")]
    pub account: String,
    /// Port for /health, /ready and /metrics
    #[arg(long, default_value_t = 8081)]
    pub management_port: u16,
    /// Where a trace of each reconcile goes, as in http://collector:4318/v1/traces; none without it
    #[arg(long, env = "OTEL_ENDPOINT", value_name = "URL")]
    pub otel_endpoint: Option<String>,
}
