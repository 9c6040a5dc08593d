//! The agent's clock: wall time at the start, monotonic from there on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::evidence::Millis;

/// A clock that never steps back.
#[derive(Clone, Copy, Debug)]
pub struct AgentClock {
    wall: Duration,
    started: Instant,
}

impl AgentClock {
    /// Starts at the present wall time.
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall, started: Instant::now() }
    }

    /// Unix time in milliseconds with fractions.
    pub fn now_ms(&self) -> f64 {
        (self.wall + self.started.elapsed()).as_secs_f64() * 1000.0
    }

    /// Unix time of a moment, in whole milliseconds.
    pub fn millis(&self, moment: Instant) -> Millis {
        let since = moment.saturating_duration_since(self.started);
        (self.wall + since).as_millis() as Millis
    }
}
