use std::time::Duration;

use golive_pillars::breaker::Config;
use golive_pillars::flags::{duration, ratio};

/// Settings of the orders service, and of the circuit before it. Not those of any circuit behind a prefix: what follows from
/// the deadline is different here.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Orders")]
#[group(skip)]
pub struct Args {
    /// Base URL of the orders service, as in http://orders:8080; none, and orders come from our own table
    #[arg(long, env = "ORDERS_URL")]
    pub orders_url: Option<String>,
    /// Longest time for a call to it, below the 10 s of a request
    #[arg(long, env = "ORDERS_DEADLINE", default_value = "2s", value_parser = duration::parse_positive)]
    pub orders_deadline: Duration,
    /// Share of failed calls in the window at which its circuit opens
    #[arg(long, env = "ORDERS_BREAKER_ERROR_RATE", default_value = "0.5", value_parser = ratio::parse_positive)]
    pub orders_breaker_error_rate: f64,
    /// Time over which calls are counted
    #[arg(long, env = "ORDERS_BREAKER_WINDOW", default_value = "10s", value_parser = duration::parse_positive)]
    pub orders_breaker_window: Duration,
    /// Calls in the window below which the circuit never opens
    #[arg(long, env = "ORDERS_BREAKER_MIN_CALLS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    pub orders_breaker_min_calls: u64,
    /// Time from which on a call is slow: one that its caller gave up then counts as failed, before it as nothing [default: a
    /// quarter of ORDERS_DEADLINE]
    #[arg(long, env = "ORDERS_BREAKER_SLOW_AFTER", value_parser = duration::parse_positive)]
    pub orders_breaker_slow_after: Option<Duration>,
    /// Share of slow calls in the window at which the circuit opens as well [default: none]
    #[arg(long, env = "ORDERS_BREAKER_SLOW_RATE", value_parser = ratio::parse_positive)]
    pub orders_breaker_slow_rate: Option<f64>,
    /// Time without calls before the one trial
    #[arg(long, env = "ORDERS_BREAKER_OPEN_FOR", default_value = "30s", value_parser = duration::parse_positive)]
    pub orders_breaker_open_for: Duration,
}

/// Of the deadline.
const SLOW_SHARE: u32 = 4;

impl Args {
    /// The circuit, for so many calls at a time. The deadline of the call comes before that of the circuit, so that its span
    /// tells of it.
    pub(crate) fn circuit(&self, most_at_a_time: usize) -> Config {
        let slow_after = self.orders_breaker_slow_after.unwrap_or(self.orders_deadline / SLOW_SHARE);
        let config = Config::default()
            .error_rate(self.orders_breaker_error_rate)
            .window(self.orders_breaker_window)
            .min_calls(self.orders_breaker_min_calls)
            .deadline(self.orders_deadline.saturating_mul(2))
            .slow_after(slow_after)
            .open_for(self.orders_breaker_open_for)
            .most_at_a_time(most_at_a_time);
        match self.orders_breaker_slow_rate {
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

    fn circuit(flags: &[&str]) -> Config {
        Cli::parse_from([&["test"][..], flags].concat()).args.circuit(128)
    }

    #[test]
    fn the_defaults_are_those_of_any_circuit_but_for_what_follows_from_the_deadline() {
        let any = Config::default().most_at_a_time(128);
        let of_deadline = any.deadline(Duration::from_secs(4)).slow_after(Duration::from_millis(500));
        assert_eq!(circuit(&[]), of_deadline);
    }

    #[test]
    fn each_flag_reaches_the_circuit() {
        let set = [
            "--orders-deadline=4s",
            "--orders-breaker-error-rate=0.2",
            "--orders-breaker-window=7s",
            "--orders-breaker-min-calls=3",
            "--orders-breaker-slow-after=2s",
            "--orders-breaker-slow-rate=0.9",
            "--orders-breaker-open-for=5s",
        ];
        let expected = Config::default()
            .error_rate(0.2)
            .window(Duration::from_secs(7))
            .min_calls(3)
            .deadline(Duration::from_secs(8))
            .slow_after(Duration::from_secs(2))
            .slow_rate(0.9)
            .open_for(Duration::from_secs(5))
            .most_at_a_time(128);
        assert_eq!(circuit(&set), expected);
    }
}
