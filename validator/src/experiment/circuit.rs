//! When a declared circuit breaker has to act: what the experiment waits for, and what the checks hold it against.

use std::time::Duration;

use crate::config::{Breaker, Pace};

/// Connections of a usual pool: so many calls hang at the same time.
const POOL: f64 = 8.0;

/// Nothing is waited for any longer.
const LONGEST_S: f64 = 300.0;

/// The times of one declared breaker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circuit {
    /// Deadline of one call.
    pub(super) deadline: Duration,
    /// How long it stays open.
    pub(super) open_for: Duration,
    /// What it looks back on.
    pub(super) window: Duration,
    /// From the begin of an outage, a warm circuit opens after this at the earliest.
    pub(super) earliest: Duration,
    /// And after this at the latest.
    pub(super) latest: Duration,
    /// How long its calls are made to hang.
    pub(super) hang: Duration,
    /// From their begin on, a trial comes after this at the earliest.
    first_trial: Duration,
}

impl Circuit {
    /// Of a pod that gets so many requests per second; how many of them become calls is not known yet.
    pub(super) fn new(breaker: &Breaker, requests_per_s: f64) -> Self {
        let of = |seconds: f64| Duration::from_secs_f64(seconds.clamp(0.0, LONGEST_S));
        let (earliest, latest) = breaker.opens_between_s(Pace::new(requests_per_s, POOL));
        Self {
            deadline: of(breaker.deadline.0),
            open_for: of(breaker.open_for.0),
            window: of(breaker.opens.memory_s()),
            earliest: of(earliest - Breaker::EARLY_S),
            latest: of(latest + Breaker::LATE_S),
            hang: of(breaker.hang_s()),
            first_trial: of(breaker.first_trial_s()),
        }
    }

    /// From the order on, a trial comes within this time if it comes at all.
    pub(super) fn patience(&self) -> Duration {
        self.latest.saturating_sub(self.earliest) + self.deadline + Duration::from_secs(7)
    }

    /// How long calls that work are abandoned: longer than it takes to open, if they counted as failures.
    pub(super) fn abandoned_slow(&self) -> Duration {
        self.earliest + Duration::from_secs(3)
    }

    /// How long calls hang that nobody waits for: until it has opened at the latest moment, and is seen to be open; not
    /// until a trial may come. Nobody has to be told of that trial, so that no time is kept for it.
    pub(super) fn abandoned_hang(&self) -> Duration {
        (self.latest + Duration::from_secs(4)).min(self.first_trial)
    }

    /// How long the trial's answer is held: long enough for a second call to show itself, and below the deadline of a call by as
    /// much as a new connection may take, which is within it: a second, or half of the deadline.
    pub(super) fn hold(&self) -> Duration {
        let connected = self.deadline.saturating_sub(Duration::from_secs(1)).max(self.deadline / 2);
        Duration::from_secs(2).min(connected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(json: serde_json::Value) -> Breaker {
        serde_json::from_value(json).unwrap()
    }

    fn hold_ms(deadline: &str) -> u128 {
        let json = serde_json::json!({ "errorRate": 0.5, "window": "10s", "minCalls": 10, "deadline": deadline, "openFor": "30s", "trials": 1 });
        Circuit::new(&breaker(json), 77.0).hold().as_millis()
    }

    #[test]
    fn a_short_open_time_leaves_room_to_see_that_abandoned_calls_opened_it() {
        let short = serde_json::json!({ "countWindow": 20, "errorRate": 0.5, "deadline": "1s", "openFor": "6s", "trials": 1 });
        let breaker = breaker(short);
        // As judged: the calls of four in five requests, over a pool of eight.
        let latest_s = breaker.opens_between_s(Pace::new(26.0, POOL)).1 + Breaker::LATE_S;
        let hang = Circuit::new(&breaker, 40.0).abandoned_hang().as_secs_f64();
        assert!(hang - latest_s >= Breaker::MIN_QUIET_S, "{hang} {latest_s}");
        assert!(hang < breaker.earliest_s() + breaker.open_for.0, "{hang}: a trial may come");
    }

    #[test]
    fn a_held_trial_leaves_its_caller_the_time_to_connect() {
        assert_eq!(
            (hold_ms("9s"), hold_ms("3s"), hold_ms("1500ms"), hold_ms("1s")),
            (2_000, 2_000, 750, 500)
        );
    }
}
