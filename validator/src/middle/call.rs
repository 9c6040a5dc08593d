//! A call as an agent sees it come.

use tokio::time::Instant;

/// A statement, a command or a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// Tells it apart from others: a hash of what it says. 0 is never learned.
    pub(super) mark: u64,
    /// Whether it changes something, where that can be told.
    pub(super) writes: bool,
    /// When its connection was opened.
    pub(super) opened: Instant,
    /// Whether its connection has made so many calls before that it sets nothing up.
    pub(super) settled: bool,
    /// Whether it belongs to a transaction of which a call has come before.
    pub(super) goes_on: bool,
}
