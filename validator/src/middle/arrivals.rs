//! When the bytes of a client came that are not passed on yet.

use std::collections::VecDeque;

use tokio::time::Instant;

/// Reads of one connection of which some bytes are still there.
#[derive(Default)]
pub(super) struct Arrivals {
    /// Bytes read so far.
    read: u64,
    /// How many had been read after each read, and when that was.
    reads: VecDeque<(u64, Instant)>,
}

impl Arrivals {
    /// So many bytes have come now.
    pub(super) fn read(&mut self, length: usize) {
        self.read += length as u64;
        self.reads.push_back((self.read, Instant::now()));
    }

    /// When a byte came behind which so many more have been read; those before it are not asked for again.
    pub(super) fn of(&mut self, behind: usize) -> Instant {
        let end = self.read - behind as u64;
        while self.reads.front().is_some_and(|(read, _)| *read < end) {
            self.reads.pop_front();
        }
        self.reads.front().map_or_else(Instant::now, |(_, at)| *at)
    }

    /// Forgets reads of which no byte is left when so many are.
    pub(super) fn passed(&mut self, left: usize) {
        if left == 0 {
            self.reads.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_came_when_its_last_byte_was_read_however_long_it_waits_behind_others() {
        let (mut arrivals, begin) = (Arrivals::default(), Instant::now());
        arrivals.read(10);
        advance(Duration::from_millis(50)).await;
        arrivals.read(20);
        advance(Duration::from_millis(50)).await;
        assert_eq!(arrivals.of(25), begin, "wholly in the first read");
        assert_eq!(arrivals.of(15), begin + Duration::from_millis(50), "its end was in the second");
        assert_eq!(arrivals.of(0), begin + Duration::from_millis(50));
        arrivals.passed(0);
        arrivals.read(5);
        assert_eq!(arrivals.of(0), begin + Duration::from_millis(100));
    }
}
