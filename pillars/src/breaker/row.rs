use super::sync::{AtomicU64, Ordering};

const COUNT_BITS: u32 = 32;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// Failures since the last success, in one generation. Failures come one at a time, under the lock of the gate.
pub(super) struct Row {
    most: u64,
    /// The generation, and in the low bits how many there were.
    word: AtomicU64,
}

impl Row {
    /// Complete with `most` failures.
    pub(super) fn new(most: u32) -> Self {
        Self { most: u64::from(most), word: AtomicU64::new(0) }
    }

    /// Ends the row; costs a look where there is none.
    pub(super) fn succeeded(&self) {
        if self.word.load(Ordering::Relaxed) != 0 {
            self.word.store(0, Ordering::Relaxed);
        }
    }

    /// Whether this failure completes it.
    pub(super) fn failed(&self, generation: u64) -> bool {
        let before = self.word.load(Ordering::Relaxed);
        let known = before >> COUNT_BITS == generation & COUNT_MASK;
        let count = if known { before & COUNT_MASK } else { 0 } + 1;
        self.word.store(generation << COUNT_BITS | count.min(COUNT_MASK), Ordering::Relaxed);
        count >= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_or_a_transition_begins_a_new_row() {
        let row = Row::new(3);
        assert_eq!([row.failed(0), row.failed(0)], [false, false]);
        row.succeeded();
        assert_eq!([row.failed(0), row.failed(0), row.failed(0), row.failed(0)], [false, false, true, true]);
        assert_eq!([row.failed(2), row.failed(2), row.failed(2)], [false, false, true]);
    }
}
