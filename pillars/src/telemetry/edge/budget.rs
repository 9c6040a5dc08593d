use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// A token bucket that holds one second's worth.
pub(super) struct Budget {
    per_second: f64,
    /// Guards two numbers; only requests with a remote `sampled=01` come here.
    level: Mutex<Level>,
}

struct Level {
    tokens: f64,
    at: Instant,
}

impl Budget {
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, level: Mutex::new(Level { tokens: per_second, at: Instant::now() }) }
    }

    pub(super) fn take(&self) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gained = (now - level.at).as_secs_f64() * self.per_second;
        level.tokens = (level.tokens + gained).min(self.per_second);
        level.at = now;
        let taken = level.tokens >= 1.0;
        if taken {
            level.tokens -= 1.0;
        }
        taken
    }
}
