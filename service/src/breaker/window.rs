use std::time::Duration;

const BUCKETS: usize = 10;

/// Calls and failures of the last ten buckets, with a running total.
pub(super) struct Window {
    width: Duration,
    buckets: [Counts; BUCKETS],
    sum: Counts,
    /// Number of the newest bucket, counted from the start of the clock.
    newest: u64,
}

/// How many calls ended, and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) total: u64,
    pub(super) failed: u64,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        let width = (length / BUCKETS as u32).max(Duration::from_millis(1));
        Self { width, buckets: Default::default(), sum: Counts::default(), newest: 0 }
    }

    /// Counts one outcome at `now` (since the start of the clock) and returns what the window holds.
    pub(super) fn record(&mut self, now: Duration, failed: bool) -> Counts {
        self.advance(now);
        for counts in [&mut self.buckets[self.newest as usize % BUCKETS], &mut self.sum] {
            counts.total += 1;
            counts.failed += u64::from(failed);
        }
        self.sum
    }

    pub(super) fn clear(&mut self) {
        self.buckets = Default::default();
        self.sum = Counts::default();
    }

    fn advance(&mut self, now: Duration) {
        let current = (now.as_nanos() / self.width.as_nanos()) as u64;
        let passed = current.saturating_sub(self.newest);
        if passed >= BUCKETS as u64 {
            self.clear();
        } else {
            for bucket in self.newest + 1..=current {
                let expired = std::mem::take(&mut self.buckets[bucket as usize % BUCKETS]);
                self.sum.total -= expired.total;
                self.sum.failed -= expired.failed;
            }
        }
        self.newest = self.newest.max(current);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_leave_after_ten_seconds() {
        let mut window = Window::new(Duration::from_secs(10));
        for _ in 0..9 {
            window.record(Duration::from_millis(500), true);
        }
        assert_eq!(window.record(Duration::from_millis(9_900), true).failed, 10);
        assert_eq!(window.record(Duration::from_millis(10_100), true).failed, 2);
    }
}
