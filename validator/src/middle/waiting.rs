//! A call that is made to wait, whose caller may give up meanwhile.

use super::desk::Desk;
use super::in_force::Ticket;
use crate::middle::Origin;

/// A call that waits; dropped before its wait is over, its caller has given up.
pub(super) struct Waiting<'a> {
    desk: &'a Desk,
    source: Origin,
    ticket: &'a Ticket,
    over: bool,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(desk: &'a Desk, source: Origin, ticket: &'a Ticket) -> Self {
        Self { desk, source, ticket, over: false }
    }

    /// It goes on.
    pub(super) fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.desk.leave(self.source, self.ticket, !self.over);
    }
}
