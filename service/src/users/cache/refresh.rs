use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Ids remembered before the expired ones are swept out.
const SWEEP_AT: usize = 10_000;
/// Ids remembered at most; beyond that all are forgotten, and some copies are written once more than they need.
const MOST: usize = 100_000;

/// Says which copies are old enough to be written again: at most one write an id and interval. Clones share it.
#[derive(Clone)]
pub(super) struct Refresh {
    interval: Duration,
    written: Arc<Mutex<Written>>,
}

struct Written {
    at: HashMap<i64, Instant>,
    swept: Instant,
}

impl Refresh {
    pub(super) fn new(interval: Duration) -> Self {
        let written = Written { at: HashMap::new(), swept: Instant::now() };
        Self { interval, written: Arc::new(Mutex::new(written)) }
    }

    /// Whether a copy is due; if it is, it counts as written from now on.
    pub(super) fn is_due(&self, id: i64) -> bool {
        let now = Instant::now();
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // Once an interval at most, or ten thousand new ids a second would sweep for each other.
        if written.at.len() >= SWEEP_AT && now.duration_since(written.swept) >= self.interval {
            written.at.retain(|_, at| now.duration_since(*at) < self.interval);
            written.swept = now;
        }
        if written.at.len() >= MOST {
            written.at.clear();
        }
        let due = written.at.get(&id).is_none_or(|at| now.duration_since(*at) >= self.interval);
        if due {
            written.at.insert(id, now);
        }
        due
    }

    /// The copy was not written after all: the next one is due.
    pub(super) fn forget(&self, id: i64) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).at.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_id_is_due_once_an_interval() {
        let refresh = Refresh::new(Duration::from_secs(1));
        assert!(refresh.is_due(1));
        assert!(!refresh.is_due(1));
        assert!(refresh.is_due(2));
        refresh.forget(2);
        assert!(refresh.is_due(2));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(refresh.is_due(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_by_the_interval() {
        let refresh = Refresh::new(Duration::from_secs(1));
        for second in 0..5 {
            for id in 0..SWEEP_AT as i64 {
                assert!(refresh.is_due(second * 1_000_000 + id));
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(refresh.written.lock().unwrap().at.len() <= 2 * SWEEP_AT);
    }
}
