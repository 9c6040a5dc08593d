use std::time::Duration;

use crate::Invalid;

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

    /// Age of the heartbeat from which on the process counts as stuck.
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
        times.into_iter().try_for_each(|(setting, time)| Invalid::unless_usable(setting, time))
    }
}
