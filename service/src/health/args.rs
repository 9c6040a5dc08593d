use std::time::Duration;

use crate::duration;

/// Settings of liveness and readiness.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Health")]
#[group(skip)]
pub struct Args {
    /// When the process is ready: `strict` needs every dependency; `degraded-ok`, once all were confirmed, needs one
    #[arg(long, env = "READINESS", value_enum, default_value_t = Policy::Strict)]
    pub readiness: Policy,
    /// Time between two pings of a dependency
    #[arg(long, env = "HEALTH_INTERVAL", default_value = "1s", value_parser = duration::parse_positive)]
    pub health_interval: Duration,
    /// Longest time for one ping
    #[arg(long, env = "HEALTH_TIMEOUT", default_value = "500ms", value_parser = duration::parse_positive)]
    pub health_timeout: Duration,
    /// Failed pings in a row after which a confirmed dependency counts as down
    #[arg(long, env = "HEALTH_FAILURES", default_value = "2", value_parser = clap::value_parser!(u32).range(1..))]
    pub health_failures: u32,
    /// Age of the heartbeat from which on the process counts as stuck
    #[arg(long, env = "HEALTH_STALL", default_value = "2500ms", value_parser = duration::parse_positive)]
    pub health_stall: Duration,
}

/// What readiness asks of the dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// Ready only while every dependency is confirmed.
    Strict,
    /// Ready while fallbacks can answer: at least one dependency is confirmed, and all have been since the start.
    DegradedOk,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            readiness: Policy::Strict,
            health_interval: Duration::from_secs(1),
            health_timeout: Duration::from_millis(500),
            health_failures: 2,
            health_stall: Duration::from_millis(2_500),
        }
    }
}
