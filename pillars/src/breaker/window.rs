use super::sync::{AtomicU64, Ordering};

const BUCKETS: u64 = 10;
const COUNT_BITS: u32 = 24;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// Calls, failures and slow calls of the ten newest buckets of time, counted without a lock.
///
/// Every bucket carries the stamp of what it counts: its number on the clock, moved on by more than a whole window with
/// each generation. A transition so empties the window by itself, and an outcome from before it can no more be counted
/// after it than one from before the window, however late its thread gets its turn.
pub(super) struct Window {
    /// Buckets in a nanosecond, as 64 bits behind the point, rounded up: multiplying takes a small part of the time of dividing. A
    /// bucket ends too early by that rounding, a year after the start by less than 2 ms of a second, and at the same moment for all.
    per_nano: u64,
    calls: [Bucket; BUCKETS as usize],
    failures: [Bucket; BUCKETS as usize],
    slow: [Bucket; BUCKETS as usize],
}

/// What is counted of one call besides itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

/// How many calls ended, and how many of them failed or were slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) total: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
}

impl Window {
    /// `length` in nanoseconds, at least one a bucket.
    pub(super) fn new(length: u64) -> Self {
        let [calls, failures, slow] = std::array::from_fn(|_| Bucket::row());
        Self { per_nano: (u64::MAX / (length / BUCKETS)).saturating_add(1), calls, failures, slow }
    }

    /// Counts one outcome of `generation` at `now`, in nanoseconds since the start of the clock.
    pub(super) fn add(&self, generation: u64, now: u64, marks: Marks) {
        let stamp = self.stamp(generation, now);
        let index = (stamp % BUCKETS) as usize;
        self.calls[index].add(stamp);
        if marks.failed {
            self.failures[index].add(stamp);
        }
        if marks.slow {
            self.slow[index].add(stamp);
        }
    }

    /// What the window holds at `now`.
    pub(super) fn counts(&self, generation: u64, now: u64) -> Counts {
        let newest = self.stamp(generation, now);
        let mut counts = Counts::default();
        for stamp in newest.saturating_sub(BUCKETS - 1)..=newest {
            let index = (stamp % BUCKETS) as usize;
            // Somebody whose clock is a moment ahead may have begun the bucket anew, but not those of what went wrong.
            let total = self.calls[index].count(stamp);
            if total > 0 {
                counts.total += total;
                counts.failed += self.failures[index].count(stamp);
                counts.slow += self.slow[index].count(stamp);
            }
        }
        counts
    }

    fn stamp(&self, generation: u64, now: u64) -> u64 {
        let bucket = (u128::from(now) * u128::from(self.per_nano)) >> u64::BITS;
        bucket as u64 + generation * (BUCKETS + 1)
    }
}

/// A stamp and, in the low bits, how often it was met.
struct Bucket(AtomicU64);

impl Bucket {
    fn row() -> [Self; BUCKETS as usize] {
        std::array::from_fn(|_| Self(AtomicU64::new(0)))
    }

    fn add(&self, stamp: u64) {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let next = match (word >> COUNT_BITS).cmp(&stamp) {
                std::cmp::Ordering::Equal if word & COUNT_MASK < COUNT_MASK => word + 1,
                std::cmp::Ordering::Less => stamp << COUNT_BITS | 1,
                // Full, or of a newer time already.
                _ => return,
            };
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    fn count(&self, stamp: u64) -> u64 {
        let word = self.0.load(Ordering::Acquire);
        if word >> COUNT_BITS == stamp { word & COUNT_MASK } else { 0 }
    }
}
