//! The server's own time-out for idle connections, learned: a well-made pool gives a connection up before the server does.
//!
//! Node closes after 5 s, uvicorn after 5 s, gunicorn after 2 s. Who sends on a connection in the very moment in which
//! the server closes it loses the request, and no drain of the server can help it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many ends at one age are no accident.
const ENDS: usize = 3;

/// Ages that differ by less than this share of them are the same.
const SAME: f64 = 0.05;

/// A pool keeps well below the time-out of its server.
const SHARE: f64 = 0.8;

/// How long it counts that a connection was used after so long a time: the next version may have another time-out.
const MEMORY: Duration = Duration::from_secs(30);

/// Shared by the classes of one agent.
#[derive(Clone, Default)]
pub(super) struct IdleLimit {
    // Guards three small lists; held for one look.
    learned: Arc<Mutex<Learned>>,
}

#[derive(Default)]
struct Learned {
    /// Ages at which the server ended connections that nobody used.
    ended: Vec<Duration>,
    /// Ages at which one was used again, and when; only those that no later one outlived.
    survived: Vec<(Instant, Duration)>,
    limit: Option<Duration>,
}

impl IdleLimit {
    /// A connection was used again after so long a time.
    pub(super) fn survived(&self, age: Duration) {
        let mut learned = self.lock();
        let now = Instant::now();
        learned.survived.retain(|(at, longest)| now.duration_since(*at) < MEMORY && *longest > age);
        learned.survived.push((now, age));
    }

    /// The server ended a connection without a word that nobody had used for so long; says whether it was its time-out.
    pub(super) fn ended(&self, age: Duration) -> bool {
        let mut learned = self.lock();
        learned.learn(age);
        learned.limit.is_some_and(|limit| age >= limit.mul_f64(1.0 - SAME))
    }

    /// The longest time for which a connection is kept without use, if there is a time-out to keep below.
    pub(super) fn longest(&self) -> Option<Duration> {
        self.lock().limit.map(|limit| limit.mul_f64(SHARE))
    }

    fn lock(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learned {
    /// A time-out shows by ends at one age, and by nothing that lives longer. A drain ends connections of every age.
    fn learn(&mut self, age: Duration) {
        self.ended.push(age);
        let now = Instant::now();
        let recent = self.survived.iter().filter(|(at, _)| now.duration_since(*at) < MEMORY);
        let outlived = recent.map(|(_, longest)| *longest).max().unwrap_or_default();
        let same = |other: &&Duration| other.abs_diff(age) <= age.mul_f64(SAME);
        let at_this_age = self.ended.iter().filter(same);
        if at_this_age.clone().count() >= ENDS && age > outlived {
            let shortest = at_this_age.min().copied().unwrap_or(age);
            self.limit = Some(self.limit.map_or(shortest, |limit| limit.min(shortest)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;
    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[tokio::test(start_paused = true)]
    async fn a_time_out_is_learned_from_ends_at_one_age() {
        let idle = IdleLimit::default();
        idle.survived(S(4));
        assert!(!idle.ended(MS(5_010)) && !idle.ended(MS(5_002)));
        assert_eq!(idle.longest(), None, "two may be an accident");
        assert!(idle.ended(MS(5_005)));
        assert_eq!(idle.longest(), Some(MS(5_002).mul_f64(0.8)));
        assert!(!idle.ended(S(1)), "a drain ends younger ones as well");
    }

    #[tokio::test(start_paused = true)]
    async fn the_ends_of_a_drain_teach_nothing() {
        let idle = IdleLimit::default();
        idle.survived(S(14));
        idle.survived(S(2));
        for _ in 0..5 {
            assert!(!idle.ended(S(6)));
        }
        assert_eq!(idle.longest(), None, "others were used again after 14 s");
        tokio::time::sleep(S(40)).await;
        for _ in 0..3 {
            idle.ended(S(6));
        }
        assert_eq!(idle.longest(), Some(S(6).mul_f64(0.8)), "nobody has lived longer for a while");
    }
}
