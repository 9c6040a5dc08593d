//! A call as an agent sees it come.

use tokio::time::Instant;

/// What a call asks for, as far as some fault wants to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Says {
    /// A transaction is to begin.
    Begin,
    /// Whether the server is a primary: how pools find out that they are to let a connection go.
    WhichRole,
    /// Something is to be changed.
    Write,
    /// Anything else.
    #[default]
    Other,
}

/// A statement, a command or a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// Tells it apart from others: a hash of what it says. 0 is never learned.
    pub(super) mark: u64,
    /// What it asks for, where that can be told.
    pub(super) says: Says,
    /// When the last of its bytes came.
    pub(super) came: Instant,
    /// When its connection was opened.
    pub(super) opened: Instant,
    /// Whether its connection has made so many calls before that it sets nothing up.
    pub(super) settled: bool,
    /// Whether it belongs to a transaction of which a call has come before.
    pub(super) goes_on: bool,
}
