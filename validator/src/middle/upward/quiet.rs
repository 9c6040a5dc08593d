//! Since when a connection is quiet, and whether that is enough to hand it back.

use std::time::Duration;

use tokio::time::Instant;

/// How often a connection that is to be handed back is looked at, and how long it must be idle after an answer: less than
/// the pauses of a busy connection, or it never is.
pub(super) const HAND_BACK_LOOK: Duration = Duration::from_millis(5);

/// A connection without any call so far is idle after this time: its client is about to make the first one.
const NEW_IDLE: Duration = Duration::from_secs(1);

/// A connection that is not understood is idle after this time without a byte.
const RAW_IDLE: Duration = Duration::from_secs(1);

/// One connection, as its client is heard.
pub(in crate::middle) struct Quiet {
    pub(super) opened: Instant,
    last_byte: Instant,
    /// Whether there was a call.
    called: bool,
    /// Since when it is seen to be at rest, while it is to be handed back.
    at_rest: Option<Instant>,
}

impl Quiet {
    /// A connection that was opened just now.
    pub(in crate::middle) fn new() -> Self {
        let now = Instant::now();
        Self { opened: now, last_byte: now, called: false, at_rest: None }
    }

    /// The client has said something.
    pub(super) fn heard(&mut self) {
        (self.last_byte, self.at_rest) = (Instant::now(), None);
    }

    /// The client has made a call.
    pub(super) fn called(&mut self) {
        self.called = true;
    }

    /// Whether nothing has come for long enough, where nothing is understood.
    pub(super) fn without_bytes(&self) -> bool {
        self.last_byte.elapsed() >= RAW_IDLE
    }

    /// Whether the connection, which owes no answer if it is `at_rest` now, has been so for long enough. Not since its
    /// last byte: the answer may have come this very moment, and the next call be on its way.
    pub(super) fn at_rest(&mut self, at_rest: bool) -> bool {
        if !at_rest {
            self.at_rest = None;
            return false;
        }
        let since = *self.at_rest.get_or_insert_with(Instant::now);
        since.elapsed() >= if self.called { HAND_BACK_LOOK } else { NEW_IDLE }
    }
}
