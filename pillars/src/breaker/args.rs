use std::time::Duration;

use super::Config;
use crate::flags::{duration, ratio};

/// Settings of a circuit; put behind a name of your own by [`Prefixed`](crate::flags::Prefixed).
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Breaker")]
#[group(skip)]
pub struct Args {
    /// Share of failed calls in the window at which the circuit opens
    #[arg(long, default_value = "0.5", value_parser = ratio::parse_positive)]
    pub error_rate: f64,
    /// Time over which calls are counted
    #[arg(long, default_value = "10s", value_parser = duration::parse_positive)]
    pub window: Duration,
    /// Calls in the window below which the circuit never opens
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    pub min_calls: u64,
    /// Time after which a call counts as failed, waiting for a connection included
    #[arg(long, default_value = "3s", value_parser = duration::parse_positive)]
    pub deadline: Duration,
    /// Time from which on a call is slow: one that its caller gave up then counts as failed, before it as nothing [default: a
    /// sixth of the deadline]
    #[arg(long, value_parser = duration::parse_positive)]
    pub slow_after: Option<Duration>,
    /// Share of slow calls in the window at which the circuit opens as well [default: none]
    #[arg(long, value_parser = ratio::parse_positive)]
    pub slow_rate: Option<f64>,
    /// Time without calls before the one trial
    #[arg(long, default_value = "30s", value_parser = duration::parse_positive)]
    pub open_for: Duration,
}

impl Args {
    /// The same as a [`Config`].
    pub fn config(&self) -> Config {
        let config = Config::default()
            .error_rate(self.error_rate)
            .window(self.window)
            .min_calls(self.min_calls)
            .deadline(self.deadline)
            .open_for(self.open_for);
        let config = match self.slow_after {
            Some(time) => config.slow_after(time),
            None => config,
        };
        match self.slow_rate {
            Some(share) => config.slow_rate(share),
            None => config,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_defaults_of_flags_are_those_of_the_config() {
        assert_eq!(Cli::parse_from(["test"]).args.config(), Config::default());
    }
}
