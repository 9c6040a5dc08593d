use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::OwnedSemaphorePermit;

use super::{Counts, Shutdown};

/// An open connection in the metrics and its place, also if its task panics.
pub(super) struct Open {
    counts: Arc<Counts>,
    _place: OwnedSemaphorePermit,
}

impl Open {
    pub(super) fn new(shutdown: &Shutdown, place: OwnedSemaphorePermit) -> Self {
        let counts = Arc::clone(&shutdown.counts);
        counts.open.fetch_add(1, Ordering::Relaxed);
        Self { counts, _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
    }
}
