use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Ids remembered before the expired ones are swept out.
const SWEEP_AT: usize = 10_000;

/// Says which copies are old enough to be written again: at most one write an id and interval.
pub(super) struct Refresh {
    interval: Duration,
    written: HashMap<i64, Instant>,
}

impl Refresh {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, written: HashMap::new() }
    }

    pub(super) fn is_due(&mut self, id: i64) -> bool {
        let now = Instant::now();
        if self.written.len() >= SWEEP_AT {
            self.written.retain(|_, at| now.duration_since(*at) < self.interval);
        }
        let due = self.written.get(&id).is_none_or(|at| now.duration_since(*at) >= self.interval);
        if due {
            self.written.insert(id, now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_id_is_due_once_an_interval() {
        let mut refresh = Refresh::new(Duration::from_secs(1));
        assert!(refresh.is_due(1));
        assert!(!refresh.is_due(1));
        assert!(refresh.is_due(2));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(refresh.is_due(1));
    }
}
