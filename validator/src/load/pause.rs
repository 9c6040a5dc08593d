//! A pause of the load, with its own end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by the classes: while it is on, nothing is due.
#[derive(Clone, Default)]
pub(super) struct Pause {
    // Guards one moment; held while it is read or set.
    until: Arc<Mutex<Option<Instant>>>,
}

impl Pause {
    /// Nothing is due for this long from now.
    pub(super) fn begin(&self, length: Duration) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + length);
    }

    /// Whether it is on.
    pub(super) fn is_on(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }
}
