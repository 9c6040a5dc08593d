//! How long clients wait: less than usual for a while, when they are told to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by the classes: while clients are impatient, each hangs up after the same short time.
#[derive(Clone, Default)]
pub(super) struct Patience {
    // Guards two values; held while they are read or set.
    impatient: Arc<Mutex<Option<Impatient>>>,
}

#[derive(Clone, Copy)]
struct Impatient {
    gives_up_after: Duration,
    until: Instant,
}

impl Patience {
    /// Whoever sends a request within this length from now gives it up after that time.
    pub(super) fn lose(&self, gives_up_after: Duration, length: Duration) {
        let impatient = Impatient { gives_up_after, until: Instant::now() + length };
        *self.impatient.lock().unwrap_or_else(PoisonError::into_inner) = Some(impatient);
    }

    /// How long the client of a request that is sent now waits, if that is less than usual.
    pub(super) fn limit(&self) -> Option<Duration> {
        let impatient = *self.impatient.lock().unwrap_or_else(PoisonError::into_inner);
        impatient
            .filter(|impatient| Instant::now() < impatient.until)
            .map(|impatient| impatient.gives_up_after)
    }

    /// Whether clients were impatient after a connection was opened then, and are so no longer. Those that gave up have
    /// left the pod that was slow: unless all begin anew, hardly any would come back to it.
    pub(super) fn has_passed_since(&self, opened: Instant) -> bool {
        let impatient = *self.impatient.lock().unwrap_or_else(PoisonError::into_inner);
        impatient.is_some_and(|impatient| opened < impatient.until && impatient.until <= Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clients_are_as_patient_as_before_when_the_order_is_over() {
        let (patience, short) = (Patience::default(), Duration::from_millis(300));
        assert_eq!(patience.limit(), None);
        patience.lose(short, Duration::from_secs(5));
        assert_eq!(patience.limit(), Some(short));
        let opened = Instant::now();
        assert!(!patience.has_passed_since(opened));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(patience.limit(), None);
        assert!(patience.has_passed_since(opened) && !patience.has_passed_since(Instant::now()));
    }
}
