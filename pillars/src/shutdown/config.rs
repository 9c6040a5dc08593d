use std::time::Duration;

use crate::Invalid;

/// Settings of the shutdown clock and its server; the first four times count from the signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) lameduck: Duration,
    pub(super) drain: Duration,
    pub(super) flush: Duration,
    pub(super) force: Duration,
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "for the server"))]
    pub(super) idle_timeout: Duration,
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "for the server"))]
    pub(super) max_connections: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lameduck: Duration::from_secs(5),
            drain: Duration::from_secs(20),
            flush: Duration::from_secs(23),
            force: Duration::from_secs(25),
            idle_timeout: Duration::from_secs(75),
            max_connections: 4_096,
        }
    }
}

impl Config {
    /// Until when new connections are accepted: longer than endpoints take to propagate.
    #[must_use]
    pub fn lameduck(self, time: Duration) -> Self {
        Self { lameduck: time, ..self }
    }

    /// Until when requests on open connections are served.
    #[must_use]
    pub fn drain(self, time: Duration) -> Self {
        Self { drain: time, ..self }
    }

    /// Until when telemetry is flushed.
    #[must_use]
    pub fn flush(self, time: Duration) -> Self {
        Self { flush: time, ..self }
    }

    /// When the process exits 1, whatever it is doing: below the grace period of the platform.
    #[must_use]
    pub fn force(self, time: Duration) -> Self {
        Self { force: time, ..self }
    }

    /// Longest time a connection may take to its next complete request head, idle time included: longer than clients
    /// and proxies keep idle connections. Also the longest time in which a client takes nothing of what is written to it,
    /// upgraded connections included; the system says so of a whole part of its buffer (on Linux a third), so one that
    /// reads less than that in this time is closed as well.
    #[must_use]
    pub fn idle_timeout(self, time: Duration) -> Self {
        Self { idle_timeout: time, ..self }
    }

    /// Open connections at a time, those that were upgraded included, as to a WebSocket; more are answered 503 and closed
    /// at once, so that idle ones cannot take all memory.
    #[must_use]
    pub fn max_connections(self, count: usize) -> Self {
        Self { max_connections: count, ..self }
    }

    /// Says which setting cannot be used: the steps of the clock have to be in order.
    pub fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless_usable("idle_timeout", self.idle_timeout)?;
        Invalid::unless_usable("force", self.force)?;
        if self.max_connections == 0 {
            return Err(Invalid::new("max_connections", self.max_connections, "at least 1"));
        }
        let steps = [
            ("lameduck", self.lameduck),
            ("drain", self.drain),
            ("flush", self.flush),
            ("force", self.force),
        ];
        for [(before, floor), (setting, read)] in steps.array_windows() {
            if read < floor {
                return Err(Invalid::new(
                    setting,
                    read,
                    format!("at least {floor:?}, the value of {before}"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_order() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn a_clock_that_never_ends_is_refused() {
        let refused = Config::default().force(Duration::MAX).validate().unwrap_err();
        assert_eq!(refused.setting, "force");
    }

    #[test]
    fn a_step_before_its_predecessor_is_named() {
        let error = Config::default().drain(Duration::from_secs(3)).validate().unwrap_err().to_string();
        assert_eq!(error, "drain: read 3s, expected at least 5s, the value of lameduck");
    }
}
