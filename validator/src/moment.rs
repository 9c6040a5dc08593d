//! The validator's own clock, for everything that is recorded.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::evidence::Millis;

/// Unix time in milliseconds.
pub fn now() -> Millis {
    now_ms() as Millis
}

/// Unix time in milliseconds with fractions.
pub fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}
