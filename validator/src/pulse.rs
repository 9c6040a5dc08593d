//! A process of ours looks at its clock at a steady pace and notes when it came late: what it did then was late as well.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use crate::evidence::{Fact, Heartbeat, Millis, Who};

/// A sign of life is noted at least this often.
const ALIVE: Duration = Duration::from_secs(10);

/// A clock that moved so much differently from time is noted.
const STEP_MS: Millis = 100;

/// Beats kept; a process that is late all the time is known to be by then.
const MAX_BEATS: usize = 20_000;

/// The heartbeat of one process; it ends when this is dropped.
pub struct Pulse {
    // Guards the list; held for one push or one copy.
    beats: Arc<Mutex<Vec<Heartbeat>>>,
    _task: AbortOnDropHandle<()>,
}

impl Pulse {
    /// Looks every `period` at `now`, the wall clock that its process tells times by.
    pub fn start(who: Who, period: Duration, now: impl Fn() -> Millis + Send + 'static) -> Self {
        let beats = Arc::default();
        let task = tokio::spawn(beat(who, period, now, Arc::clone(&beats)));
        Self { beats, _task: AbortOnDropHandle::new(task) }
    }

    /// What was noted so far.
    pub fn facts(&self) -> Vec<Fact> {
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        beats.iter().cloned().map(Fact::Heartbeat).collect()
    }
}

async fn beat(
    who: Who,
    period: Duration,
    now: impl Fn() -> Millis + Send,
    beats: Arc<Mutex<Vec<Heartbeat>>>,
) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await; // the first one is due at once
    let (mut moment, mut since, mut told) = (Instant::now(), now(), Instant::now());
    loop {
        ticks.tick().await;
        let (elapsed, at) = (moment.elapsed(), now());
        moment = Instant::now();
        let elapsed_ms = elapsed.as_millis() as Millis;
        let stepped = (at - since - elapsed_ms).abs() > STEP_MS;
        if elapsed > 2 * period || stepped || told.elapsed() >= ALIVE {
            told = moment;
            let mut beats = beats.lock().unwrap_or_else(PoisonError::into_inner);
            if beats.len() < MAX_BEATS {
                beats.push(Heartbeat { at, since, elapsed_ms, who: who.clone() });
            }
        }
        since = at;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use tokio::time::{advance, sleep};

    use super::*;

    const PERIOD: Duration = Duration::from_millis(500);

    fn noted(pulse: &Pulse) -> Vec<(Millis, Millis)> {
        let told = pulse.facts().into_iter().map(|fact| match fact {
            Fact::Heartbeat(beat) => (beat.elapsed_ms, beat.at - beat.since),
            other => panic!("{other:?} is no heartbeat"),
        });
        told.collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_beat_is_noted_when_it_is_late_and_as_a_sign_of_life() {
        let started = Instant::now();
        let pulse = Pulse::start(Who::Validator, PERIOD, move || started.elapsed().as_millis() as Millis);
        sleep(Duration::from_millis(9_800)).await;
        assert_eq!(noted(&pulse), []);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(noted(&pulse), [(500, 500)]);
        advance(Duration::from_millis(2_200)).await;
        sleep(Duration::from_millis(100)).await;
        let late = noted(&pulse);
        assert_eq!(late.len(), 2);
        assert!(late[1].0 >= 2_200, "{late:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_set_is_noted() {
        let (started, set) = (Instant::now(), Arc::new(AtomicI64::new(0)));
        let by = Arc::clone(&set);
        let now = move || started.elapsed().as_millis() as Millis + by.load(Ordering::SeqCst);
        let pulse = Pulse::start(Who::Validator, PERIOD, now);
        sleep(Duration::from_millis(1_200)).await;
        set.store(-3_000, Ordering::SeqCst);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(noted(&pulse), [(500, -2_500)]);
    }
}
