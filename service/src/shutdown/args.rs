use std::time::Duration;

use crate::duration;

/// Settings of the shutdown clock; every time counts from the signal.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Shutdown (times count from the signal)")]
#[group(skip)]
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

/// Settings that contradict each other.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: read {read:?}, expected at least {floor:?}, the value of {after}")]
pub struct Error {
    variable: &'static str,
    read: Duration,
    after: &'static str,
    floor: Duration,
}

impl Args {
    /// Checks that the steps of the clock are in order.
    pub fn validate(&self) -> Result<(), Error> {
        let steps = [
            ("SHUTDOWN_LAMEDUCK", self.shutdown_lameduck),
            ("SHUTDOWN_DRAIN", self.shutdown_drain),
            ("SHUTDOWN_FLUSH", self.shutdown_flush),
            ("SHUTDOWN_FORCE", self.shutdown_force),
        ];
        for [(after, floor), (variable, read)] in steps.array_windows() {
            if read < floor {
                return Err(Error { variable, read: *read, after, floor: *floor });
            }
        }
        Ok(())
    }
}

impl Default for Args {
    fn default() -> Self {
        Self {
            shutdown_lameduck: Duration::from_secs(5),
            shutdown_drain: Duration::from_secs(20),
            shutdown_flush: Duration::from_secs(23),
            shutdown_force: Duration::from_secs(25),
            idle_timeout: Duration::from_secs(75),
            max_connections: 4_096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_order() {
        assert_eq!(Args::default().validate(), Ok(()));
    }

    #[test]
    fn a_step_before_its_predecessor_is_named() {
        let args = Args { shutdown_drain: Duration::from_secs(3), ..Args::default() };
        let error = args.validate().unwrap_err().to_string();
        assert_eq!(error, "SHUTDOWN_DRAIN: read 3s, expected at least 5s, the value of SHUTDOWN_LAMEDUCK");
    }
}
