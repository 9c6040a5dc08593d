use std::time::Duration;

use super::Config;
use crate::flags::{duration, ratio};

/// Settings of a circuit; put behind a name of your own by [`Prefixed`](crate::flags::Prefixed).
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Breaker")]
#[group(skip)]
#[non_exhaustive]
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
    /// Failures without a success between them at which the circuit opens as well, however few calls there are [default: none]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub failures_in_a_row: Option<u32>,
    /// Calls that may run at a time; more are not made and count as nothing [default: without limit]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub most_at_a_time: Option<u32>,
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
        let config = self.failures_in_a_row.into_iter().fold(config, Config::failures_in_a_row);
        let most_at_a_time = self.most_at_a_time.map(|count| count as usize);
        let config = most_at_a_time.into_iter().fold(config, Config::most_at_a_time);
        let config = self.slow_after.into_iter().fold(config, Config::slow_after);
        self.slow_rate.into_iter().fold(config, Config::slow_rate)
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

    #[test]
    fn what_is_not_there_by_default_can_be_asked_for() {
        let config = |flags: &[&str]| parsed::<Args>(flags).unwrap().config();
        assert_eq!(config(&["--failures-in-a-row=5"]), Config::default().failures_in_a_row(5));
        assert_eq!(config(&["--most-at-a-time=128"]), Config::default().most_at_a_time(128));
        assert_eq!(config(&["--slow-after=1s"]), Config::default().slow_after(Duration::from_secs(1)));
        assert_eq!(config(&["--slow-rate=0.8"]), Config::default().slow_rate(0.8));
        for none in ["--failures-in-a-row=0", "--most-at-a-time=0"] {
            assert!(parsed::<Args>(&[none]).is_err(), "{none}");
        }
    }
}
