use std::time::Duration;

use super::Config;
use crate::flags::duration;

/// Settings of liveness and readiness.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Health")]
#[group(skip)]
#[non_exhaustive]
pub struct Args {
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

impl Args {
    /// The same as a [`Config`].
    pub fn config(&self) -> Config {
        Config::default()
            .interval(self.health_interval)
            .timeout(self.health_timeout)
            .failures(self.health_failures)
            .stall(self.health_stall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parsed;

    #[test]
    fn the_defaults_of_flags_are_those_of_the_config() {
        assert_eq!(parsed::<Args>(&[]).unwrap().config(), Config::default());
    }
}
