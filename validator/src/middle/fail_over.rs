//! What became of writes in a fail-over.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::evidence::Millis;
use crate::load::AgentClock;

/// A connection that is used again so soon after its first refusal is within the same request.
const SAME_USE: Duration = Duration::from_secs(1);

/// Connections remembered in one fail-over.
const MAX_MET: usize = 10_000;

/// The writes so far.
#[derive(Default)]
pub(super) struct FailOver {
    /// When a connection was first met, by when it was opened.
    first_met: HashMap<Instant, Instant>,
    /// When one was last met again.
    pub(super) again: Option<Millis>,
    /// Writes over newer connections since the last hit.
    pub(super) spared: u64,
}

impl FailOver {
    /// A write has come over a connection opened then, in a fail-over that began at `since`.
    pub(super) fn write(&mut self, opened: Instant, since: Instant, clock: AgentClock) {
        if opened >= since {
            self.spared += 1;
            return;
        }
        let now = Instant::now();
        self.spared = 0;
        if self.first_met.len() < MAX_MET || self.first_met.contains_key(&opened) {
            let first = *self.first_met.entry(opened).or_insert(now);
            if now.duration_since(first) >= SAME_USE {
                self.again = Some(clock.millis(now));
            }
        }
    }
}
