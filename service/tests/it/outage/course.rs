use std::ops::Range;
use std::time::Duration;

use super::is_write;
use crate::harness::{Mode, Sample, quantile, seconds};

/// `DATABASE_MAX_CONNECTIONS`, and the one of health.
const MOST_CONNECTIONS: i64 = 10 + 1;

/// What was measured in one.
pub(super) struct Course {
    /// All counted from the start of the load.
    pub(super) began: Duration,
    pub(super) opened: Duration,
    pub(super) back: Duration,
    pub(super) closed: Duration,
    pub(super) samples: Vec<Sample>,
    pub(super) most_connections: i64,
    pub(super) statements_while_open: i64,
    /// Calls that ended at the deadline of the breaker, and those that the pool or the connection failed.
    pub(super) deadlines: u64,
    pub(super) failures: u64,
}

impl Course {
    fn opens_after(&self) -> Duration {
        self.opened.saturating_sub(self.began)
    }

    fn recovers_after(&self) -> Duration {
        self.closed.saturating_sub(self.back)
    }

    fn between(&self, from: Duration, to: Duration) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |each| (from..to).contains(&each.at))
    }

    /// Reads or writes that were sent while the circuit was open; the first moments belong to what came before.
    fn while_open(&self, writes: bool) -> impl Iterator<Item = &Sample> {
        let after = Duration::from_millis(100);
        self.between(self.opened + after, self.back).filter(move |each| is_write(each.number) == writes)
    }

    /// The median of the slices of 10 s: what else happens on the machine blurs one or two of them.
    fn p99(&self, writes: bool) -> Duration {
        let slices = (0..).map_while(|slice| {
            let from = self.opened + slice * seconds(10);
            let to = from + seconds(10);
            let times =
                || self.while_open(writes).filter(|each| (from..to).contains(&each.at)).map(|each| each.took);
            (to <= self.back).then(|| quantile(0.99, times()))
        });
        quantile(0.5, slices)
    }

    fn longest_before(&self) -> Duration {
        self.between(self.began.saturating_sub(seconds(3)), self.opened).map(|each| each.took).max().unwrap()
    }

    /// Until the first request of those after which none was answered otherwise than by Postgres.
    fn usable_after(&self) -> Duration {
        let fallback =
            |each: &&Sample| each.stale || each.status.is_none_or(|status| status.is_server_error());
        let last = self.between(self.closed, Duration::MAX).filter(fallback).last();
        last.map_or(Duration::ZERO, |each| each.at.saturating_sub(self.closed))
    }

    /// The limit that acts first: the wait of the pool for a connection (`DATABASE_ACQUIRE_TIMEOUT`, 2 s) or the
    /// deadline of the call (`BREAKER_DEADLINE`, 3 s).
    fn first_limit(&self) -> &'static str {
        let longest = self.longest_before();
        if longest < Duration::from_millis(1_900) {
            "none"
        } else if self.failures > self.deadlines {
            "the pool's"
        } else {
            "the call's"
        }
    }

    #[expect(clippy::print_stderr, reason = "the row is the result, shown by --nocapture")]
    pub(super) fn print(&self, mode: Mode) {
        eprintln!(
            "| {mode:?} | {:.2} s | {} ({} failed, {} at the deadline) | {:.2} s | {:.1} ms | {:.1} ms | {} | {} | {:.1} s | {:.2} s |",
            self.opens_after().as_secs_f64(),
            self.first_limit(),
            self.failures,
            self.deadlines,
            self.longest_before().as_secs_f64(),
            self.p99(false).as_secs_f64() * 1e3,
            self.p99(true).as_secs_f64() * 1e3,
            self.statements_while_open,
            self.most_connections,
            self.recovers_after().as_secs_f64(),
            self.usable_after().as_secs_f64(),
        );
    }

    pub(super) fn judge(&self, opens: &Range<f64>) {
        let opened = self.opens_after().as_secs_f64();
        assert!(opens.contains(&opened), "opened after {opened:.2} s");
        assert!(self.samples.iter().all(|each| each.status.is_some()), "a request without any answer");
        // On a busy machine Redis itself may take longer than its 100 ms.
        let (all, bare) = (self.while_open(false).count(), self.while_open(false).filter(|each| !each.stale));
        let bare: Vec<_> = bare.collect();
        assert!(
            bare.len() * 1_000 <= all,
            "{} of {all} reads without a copy: {:?}",
            bare.len(),
            bare.first()
        );
        assert!(
            self.while_open(true).all(|each| each.status.is_some_and(|is| is == 503) && each.retry_after)
        );
        assert!(self.longest_before() <= Duration::from_millis(3_300), "{:?}", self.longest_before());
        // That nobody waits for Postgres (0.8 s at least); how fast it is, is printed and not asserted.
        let at_once = Duration::from_millis(100);
        assert!(self.p99(false) <= at_once, "reads: {:?}", self.p99(false));
        assert!(self.p99(true) <= at_once, "refusals: {:?}", self.p99(true));
        assert_eq!(self.statements_while_open, 0, "statements reached Postgres");
        assert!(self.most_connections <= MOST_CONNECTIONS, "{} connections", self.most_connections);
        assert!(self.recovers_after() <= Duration::from_millis(33_500), "{:?}", self.recovers_after());
        assert!(self.usable_after() <= seconds(1), "{:?}", self.usable_after());
    }
}
