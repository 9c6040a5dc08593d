use std::time::Duration;

use super::Config;
use crate::flags::duration;

/// Settings of the shutdown clock; every time counts from the signal.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Shutdown (times count from the signal)")]
#[group(skip)]
#[non_exhaustive]
pub struct Args {
    /// Until when new connections are accepted: longer than endpoints take to propagate
    #[arg(long, env = "SHUTDOWN_LAMEDUCK", default_value = "5s", value_parser = duration::parse)]
    pub shutdown_lameduck: Duration,
    /// Until when requests on open connections are served
    #[arg(long, env = "SHUTDOWN_DRAIN", default_value = "20s", value_parser = duration::parse)]
    pub shutdown_drain: Duration,
    /// Until when telemetry is flushed
    #[arg(long, env = "SHUTDOWN_FLUSH", default_value = "23s", value_parser = duration::parse)]
    pub shutdown_flush: Duration,
    /// When the process exits 1, whatever it is doing: below the grace period of the platform
    #[arg(long, env = "SHUTDOWN_FORCE", default_value = "25s", value_parser = duration::parse_positive)]
    pub shutdown_force: Duration,
    /// Longest time a connection may take to its next complete request head, idle time included: longer than clients
    /// and proxies keep idle connections
    #[arg(long, env = "IDLE_TIMEOUT", default_value = "75s", value_parser = duration::parse_positive)]
    pub idle_timeout: Duration,
    /// Open connections at a time; more are answered 503 and closed at once, so that idle ones cannot take all memory
    #[arg(long, env = "MAX_CONNECTIONS", default_value = "4096", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
}

impl Args {
    /// The same as a [`Config`].
    pub fn config(&self) -> Config {
        Config::default()
            .lameduck(self.shutdown_lameduck)
            .drain(self.shutdown_drain)
            .flush(self.shutdown_flush)
            .force(self.shutdown_force)
            .idle_timeout(self.idle_timeout)
            .max_connections(self.max_connections as usize)
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
