use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

pub(super) const PERIOD: Duration = Duration::from_millis(250);

/// A stamp that a task of the main runtime renews; its age shows from outside whether that runtime gets anything done.
#[derive(Clone)]
pub(super) struct Heartbeat {
    origin: Instant,
    /// Milliseconds since `origin`.
    last: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Starts to beat on the current runtime.
    pub(super) fn start() -> Self {
        let heartbeat = Self { origin: Instant::now(), last: Arc::default() };
        let Self { origin, last } = heartbeat.clone();
        tokio::spawn(async move {
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                last.store(origin.elapsed().as_millis() as u64, Ordering::Relaxed);
            }
        });
        heartbeat
    }

    pub(super) fn age(&self) -> Duration {
        self.origin.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}
