use std::time::Duration;

use super::heartbeat;
use crate::Invalid;

/// Below, a process that is well would count as stuck between two beats.
const SHORTEST_STALL: Duration = heartbeat::PERIOD.saturating_mul(2);

/// Settings of liveness and readiness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) failures: u32,
    pub(super) stall: Duration,
}

/// What readiness asks of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Need {
    /// Ready only while it is confirmed.
    Required,
    /// Ready without it, since there is a fallback; but not before it was confirmed once, or a process that looks for it
    /// in the wrong place would go live.
    Optional,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            failures: 2,
            stall: Duration::from_millis(2_500),
        }
    }
}

impl Config {
    /// Time between two pings of a dependency.
    #[must_use]
    pub fn interval(self, time: Duration) -> Self {
        Self { interval: time, ..self }
    }

    /// Longest time for one ping.
    #[must_use]
    pub fn timeout(self, time: Duration) -> Self {
        Self { timeout: time, ..self }
    }

    /// Failed pings in a row after which a confirmed dependency counts as down: at least 1.
    #[must_use]
    pub fn failures(self, count: u32) -> Self {
        Self { failures: count, ..self }
    }

    /// Age of the heartbeat from which on the process counts as stuck: at least two beats, 500 ms.
    #[must_use]
    pub fn stall(self, time: Duration) -> Self {
        Self { stall: time, ..self }
    }

    /// Says which setting cannot be used.
    pub fn validate(&self) -> Result<(), Invalid> {
        if self.failures == 0 {
            return Err(Invalid::new("failures", self.failures, "at least 1"));
        }
        let times = [("interval", self.interval), ("timeout", self.timeout), ("stall", self.stall)];
        times.into_iter().try_for_each(|(setting, time)| Invalid::unless_usable(setting, time))?;
        if self.stall < SHORTEST_STALL {
            return Err(Invalid::new(
                "stall",
                self.stall,
                format!("at least {SHORTEST_STALL:?}, two heartbeats"),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_shorter_than_two_heartbeats_is_refused() {
        let refused = Config::default().stall(Duration::from_millis(499)).validate().unwrap_err();
        assert_eq!(refused.setting, "stall");
        Config::default().stall(SHORTEST_STALL).validate().unwrap();
    }
}
