use std::time::Duration;

use crate::{duration, ratio};

/// Settings of a circuit.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Breaker")]
#[group(skip)]
pub struct Args {
    /// Share of failed calls in the window at which the circuit opens
    #[arg(long, env = "BREAKER_ERROR_RATE", default_value = "0.5", value_parser = ratio::parse_positive)]
    pub breaker_error_rate: f64,
    /// Time over which calls are counted
    #[arg(long, env = "BREAKER_WINDOW", default_value = "10s", value_parser = duration::parse_positive)]
    pub breaker_window: Duration,
    /// Calls in the window below which the circuit never opens
    #[arg(long, env = "BREAKER_MIN_CALLS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    pub breaker_min_calls: u64,
    /// Time after which a call counts as failed, waiting for a connection included
    #[arg(long, env = "BREAKER_DEADLINE", default_value = "3s", value_parser = duration::parse_positive)]
    pub breaker_deadline: Duration,
    /// Time from which on a call that its caller gave up counts as failed; before it, it counts as nothing [default: a
    /// sixth of BREAKER_DEADLINE]
    #[arg(long, env = "BREAKER_SLOW_AFTER", value_parser = duration::parse_positive)]
    pub breaker_slow_after: Option<Duration>,
    /// Time without calls before the one trial
    #[arg(long, env = "BREAKER_OPEN_FOR", default_value = "30s", value_parser = duration::parse_positive)]
    pub breaker_open_for: Duration,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            breaker_error_rate: 0.5,
            breaker_window: Duration::from_secs(10),
            breaker_min_calls: 10,
            breaker_deadline: Duration::from_secs(3),
            breaker_slow_after: None,
            breaker_open_for: Duration::from_secs(30),
        }
    }
}

/// Of the deadline: users give up after a second or two, and an answer that works comes far sooner.
const SLOW_SHARE: u32 = 6;

impl Args {
    /// When a call that nobody waits for any more says that the dependency does not work.
    pub(super) fn slow_after(&self) -> Duration {
        self.breaker_slow_after.unwrap_or(self.breaker_deadline / SLOW_SHARE)
    }
}
