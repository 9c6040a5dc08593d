//! A connection as it is counted: from the moment it is let in until its client has gone.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Origin;
use super::desk::Desk;

/// One connection that is counted; no longer once this is dropped.
pub(super) struct Presence<'a> {
    desk: &'a Desk,
    pub(super) source: Origin,
    is_here: AtomicBool,
}

impl<'a> Presence<'a> {
    /// Counts it.
    pub(super) fn begin(desk: &'a Desk, source: Origin) -> Self {
        desk.opened(source);
        Self { desk, source, is_here: AtomicBool::new(true) }
    }

    /// Its client has closed its side: whoever gives calls up while they hang has no more connections for it, however long
    /// the dependency's side is kept from saying its last.
    pub(super) fn end(&self) {
        if self.is_here.swap(false, Ordering::Relaxed) {
            self.desk.closed(self.source);
        }
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
