use std::time::Duration;

use tokio::sync::Semaphore;

use crate::Invalid;

/// Settings of a circuit. The defaults are those of the contract: 50 % of the calls of 10 s, ten of them at least, a
/// deadline of 3 s, 30 s open.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) error_rate: f64,
    pub(super) window: Duration,
    pub(super) min_calls: u64,
    pub(super) failures_in_a_row: Option<u32>,
    pub(super) most_at_a_time: Option<usize>,
    pub(super) deadline: Duration,
    slow_after: Option<Duration>,
    pub(super) slow_rate: Option<f64>,
    pub(super) open_for: Duration,
}

/// Of the deadline: users give up after a second or two, and an answer that works comes far sooner.
const SLOW_SHARE: u32 = 6;

/// Its ten buckets are a millisecond each then.
const SHORTEST_WINDOW: Duration = Duration::from_millis(10);

impl Default for Config {
    fn default() -> Self {
        Self {
            error_rate: 0.5,
            window: Duration::from_secs(10),
            min_calls: 10,
            failures_in_a_row: None,
            most_at_a_time: None,
            deadline: Duration::from_secs(3),
            slow_after: None,
            slow_rate: None,
            open_for: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// Share of failed calls in the window at which the circuit opens: above 0, up to 1.
    #[must_use]
    pub fn error_rate(self, share: f64) -> Self {
        Self { error_rate: share, ..self }
    }

    /// Time over which calls are counted: at least 10 ms.
    #[must_use]
    pub fn window(self, time: Duration) -> Self {
        Self { window: time, ..self }
    }

    /// Calls in the window below which the circuit never opens: at least 1.
    #[must_use]
    pub fn min_calls(self, count: u64) -> Self {
        Self { min_calls: count, ..self }
    }

    /// Opens after so many failures without a success between them as well, however few calls there are; not by default. With
    /// an `error_rate` of 1 and many `min_calls` it is the only reason. At least 1.
    #[doc(alias = "consecutive failures")]
    #[must_use]
    pub fn failures_in_a_row(self, count: u32) -> Self {
        Self { failures_in_a_row: Some(count), ..self }
    }

    /// Calls that may run at a time; more are not made ([`CallError::Full`](super::CallError::Full)) and count as nothing, so that a
    /// dependency that is slow does not take all the room that its users have. Without limit by default; at least 1.
    #[doc(alias = "bulkhead")]
    #[must_use]
    pub fn most_at_a_time(self, count: usize) -> Self {
        Self { most_at_a_time: Some(count), ..self }
    }

    /// Time after which a call is dropped and counts as failed, waiting for a connection included.
    #[must_use]
    pub fn deadline(self, time: Duration) -> Self {
        Self { deadline: time, ..self }
    }

    /// Time from which on a call is slow: one that its caller gave up then counts as failed. A sixth of the deadline if not
    /// set. At zero every such call is one, and above the deadline none.
    #[must_use]
    pub fn slow_after(self, time: Duration) -> Self {
        Self { slow_after: Some(time), ..self }
    }

    /// Share of slow calls in the window at which the circuit opens as well, whatever their results: from
    /// [`slow_after`](Config::slow_after) on a call is one. A trial that is slow opens again. Above 0, up to 1; not by default,
    /// since a dependency that is slow for a while would be cut off from users who would rather wait.
    #[must_use]
    pub fn slow_rate(self, share: f64) -> Self {
        Self { slow_rate: Some(share), ..self }
    }

    /// Time without calls before the one trial.
    #[must_use]
    pub fn open_for(self, time: Duration) -> Self {
        Self { open_for: time, ..self }
    }

    /// Says which setting cannot be used.
    pub fn validate(&self) -> Result<(), Invalid> {
        let shares = [("error_rate", Some(self.error_rate)), ("slow_rate", self.slow_rate)];
        for (setting, share) in shares.into_iter().filter_map(|(setting, share)| Some((setting, share?))) {
            if !(share > 0.0 && share <= 1.0) {
                return Err(Invalid::new(setting, share, "a share above 0, up to 1"));
            }
        }
        if self.min_calls == 0 {
            return Err(Invalid::new("min_calls", self.min_calls, "at least 1"));
        }
        if self.failures_in_a_row == Some(0) {
            return Err(Invalid::new("failures_in_a_row", 0, "at least 1"));
        }
        if !self.most_at_a_time.is_none_or(|count| (1..=Semaphore::MAX_PERMITS).contains(&count)) {
            return Err(Invalid::new("most_at_a_time", self.most_at_a_time, "at least 1"));
        }
        if self.window < SHORTEST_WINDOW {
            return Err(Invalid::new("window", self.window, format!("at least {SHORTEST_WINDOW:?}")));
        }
        let times = [("window", self.window), ("deadline", self.deadline), ("open_for", self.open_for)];
        times.into_iter().try_for_each(|(setting, time)| Invalid::unless_usable(setting, time))
    }

    /// From when on a call is slow.
    pub(super) fn slow_from(&self) -> Duration {
        self.slow_after.unwrap_or(self.deadline / SLOW_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named() {
        let setting = |config: Config| config.validate().map_err(|invalid| invalid.setting);
        assert_eq!(setting(Config::default()), Ok(()));
        assert_eq!(setting(Config::default().error_rate(0.0)), Err("error_rate"));
        assert_eq!(setting(Config::default().error_rate(f64::NAN)), Err("error_rate"));
        assert_eq!(setting(Config::default().slow_rate(0.0)), Err("slow_rate"));
        assert_eq!(setting(Config::default().slow_rate(1.1)), Err("slow_rate"));
        assert_eq!(setting(Config::default().min_calls(0)), Err("min_calls"));
        assert_eq!(setting(Config::default().failures_in_a_row(0)), Err("failures_in_a_row"));
        assert_eq!(setting(Config::default().most_at_a_time(0)), Err("most_at_a_time"));
        assert_eq!(setting(Config::default().deadline(Duration::ZERO)), Err("deadline"));
        assert_eq!(setting(Config::default().deadline(Duration::MAX)), Err("deadline"));
        assert_eq!(setting(Config::default().open_for(Duration::MAX)), Err("open_for"));
        assert_eq!(setting(Config::default().window(Duration::from_millis(9))), Err("window"));
    }
}
