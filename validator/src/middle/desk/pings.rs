//! Which marks are health pings: what comes without load, and no more often with it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

/// Over how long the rate of a ping is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A mark that comes so many times as often as it was learned is a call. More pods than then, and pools that reconnect
/// after an outage, make pings more frequent as well.
const MANY_TIMES: f64 = 3.0;

/// So many more than that within a look may be chance.
const CHANCE: f64 = 10.0;

/// What was learned.
#[derive(Default)]
pub(super) struct Pings {
    /// Since when it is being learned, while it is.
    learning: Option<Instant>,
    /// For how long it was.
    learned_for: Duration,
    known: HashMap<u64, Ping>,
    /// What looked like a ping until the load came.
    calls: HashSet<u64>,
}

struct Ping {
    learned: u32,
    look: Instant,
    seen: u32,
}

impl Pings {
    pub(super) fn learn(&mut self, on: bool, now: Instant) {
        if let Some(since) = self.learning.take() {
            self.learned_for += now - since;
        }
        self.learning = on.then_some(now);
    }

    /// A call of the target has come; whether it is a ping.
    pub(super) fn is_ping(&mut self, mark: u64, now: Instant) -> bool {
        if self.learning.is_some() && mark != 0 && !self.calls.contains(&mark) {
            self.known.entry(mark).or_insert(Ping { learned: 0, look: now, seen: 0 }).learned += 1;
            return true;
        }
        let Some(ping) = self.known.get_mut(&mark) else { return false };
        if now - ping.look >= LOOK {
            (ping.look, ping.seen) = (now, 0);
        }
        ping.seen += 1;
        let rate = f64::from(ping.learned) / self.learned_for.as_secs_f64().max(1.0);
        if f64::from(ping.seen) <= MANY_TIMES * rate * LOOK.as_secs_f64() + CHANCE {
            return true;
        }
        self.known.remove(&mark);
        self.calls.insert(mark);
        false
    }

    pub(super) fn knows(&self, mark: u64) -> bool {
        self.known.contains_key(&mark)
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is learned at one per second for ten seconds and then comes so often per second, for a minute.
    fn ping_at(rate: u32) -> bool {
        let (mut pings, begin) = (Pings::default(), Instant::now());
        pings.learn(true, begin);
        for second in 0..10 {
            assert!(pings.is_ping(7, begin + Duration::from_secs(second)));
        }
        pings.learn(false, begin + Duration::from_secs(10));
        let each = Duration::from_secs(1) / rate;
        (0..60 * rate).all(|n| pings.is_ping(7, begin + Duration::from_secs(10) + each * n))
    }

    #[test]
    fn a_ping_that_comes_as_often_under_load_stays_one_and_one_that_rises_with_it_is_a_call() {
        assert!(ping_at(1), "as learned");
        assert!(ping_at(2), "twice as many pods");
        assert!(!ping_at(20), "a ping before every statement");
    }

    #[test]
    fn a_call_is_not_learned_again_and_what_was_never_learned_is_one() {
        let (mut pings, now) = (Pings::default(), Instant::now());
        pings.learn(true, now);
        pings.is_ping(7, now);
        pings.learn(false, now + Duration::from_secs(10));
        assert!(!(0..100).all(|_| pings.is_ping(7, now + Duration::from_secs(10))));
        pings.learn(true, now + Duration::from_secs(20));
        assert!(!pings.is_ping(7, now + Duration::from_secs(20)));
        pings.learn(false, now + Duration::from_secs(21));
        assert!(!pings.is_ping(8, now + Duration::from_secs(22)) && !pings.knows(8));
    }
}
