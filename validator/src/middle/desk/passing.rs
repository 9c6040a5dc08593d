//! What becomes of a call and of bytes, given the fault that is in force on the pod they come from.

use tokio::time::{Instant, sleep_until};

use super::Desk;
use crate::evidence::Fault;
use crate::middle::Origin;
use crate::middle::call::{Call, Says};
use crate::middle::in_force::{InForce, Ticket, Verdict, Wait};

/// How bytes of a connection may pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::middle) enum Passage {
    Open,
    Stalled,
    Silent,
    ResetAtByte,
    Refused,
}

impl Desk {
    /// A call has come: one that was learned without load is a ping, unless it changes something: that is work, however
    /// regularly it comes.
    pub(in crate::middle) fn call(&self, origin: Origin, call: &Call) -> Verdict {
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        let pod = state.targets.get(&origin);
        let may_be_ping = pod.is_some() && call.says != Says::Write;
        if may_be_ping && state.pings.is_ping(call.mark, Instant::now()) {
            state.counts.ping(origin, now);
            return Verdict::Pass;
        }
        if state.set_up.is(call.mark, call.settled) {
            state.counts.set_up(origin, now);
            return Verdict::Pass;
        }
        state.counts.call(origin, now);
        let fault = pod.and_then(|pod| state.faults.get_mut(pod));
        fault.map_or(Verdict::Pass, |fault| fault.meet(call, self.clock))
    }

    /// A connection has said who it is: the SQLSTATE that it is refused with, if it is.
    pub(in crate::middle) fn startup(&self, origin: Origin) -> Option<String> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let fault = state.targets.get(&origin).and_then(|pod| state.faults.get_mut(pod));
        fault.and_then(|fault| fault.meet_startup(self.clock))
    }

    /// Whether a connection that was opened then leads to what has become a replica.
    pub(in crate::middle) fn is_replica(&self, origin: Origin, opened: Instant) -> bool {
        self.in_force(origin, |fault| fault.is_replica(opened))
    }

    /// Whether a connection that was opened then is cut.
    pub(in crate::middle) fn cuts(&self, origin: Origin, opened: Instant) -> bool {
        self.in_force(origin, |fault| fault.cuts(opened))
    }

    fn in_force(&self, origin: Origin, is: impl Fn(&InForce) -> bool) -> bool {
        let state = self.lock();
        state.targets.get(&origin).and_then(|pod| state.faults.get(pod)).is_some_and(is)
    }

    /// A connection of the target was heard: marks of the calls that came only at its begin.
    pub(in crate::middle) fn hear_opening(&self, origin: Origin, marks: Vec<u64>) {
        let mut state = self.lock();
        if state.targets.contains_key(&origin) {
            state.set_up.hear(marks);
        }
    }

    /// So many reads were answered as if nothing were there.
    pub(in crate::middle) fn missed(&self, origin: Origin, reads: u64) {
        if reads == 0 {
            return;
        }
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        let fault = state.targets.get(&origin).and_then(|pod| state.faults.get_mut(pod));
        // An answer may come when another fault is in force already.
        if let Some(fault) = fault.filter(|fault| fault.order.fault == Fault::Miss) {
            (0..reads).for_each(|_| fault.hit(now));
        }
    }

    /// Waits as long as a ticket says; returns when the statement may go on. Dropping it is a caller who gave up, of
    /// whom [`Desk::leave`] must be told.
    pub(in crate::middle) async fn wait(&self, origin: Origin, ticket: &Ticket) {
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            let wait = {
                let state = self.lock();
                ticket.wait(state.targets.get(&origin).and_then(|pod| state.faults.get(pod)))
            };
            match wait {
                Wait::Over => return,
                Wait::Change => drop(changes.changed().await),
                Wait::Until(moment) => tokio::select! {
                    () = sleep_until(moment) => {}
                    _ = changes.changed() => {}
                },
            }
        }
    }

    /// A statement has waited.
    pub(in crate::middle) fn leave(&self, origin: Origin, ticket: &Ticket, given_up: bool) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let fault = state.targets.get(&origin).and_then(|pod| state.faults.get_mut(pod));
        let fact = fault.and_then(|fault| fault.leave(ticket, given_up, self.clock));
        self.push(state, fact);
        drop(guard);
        self.changed.send_replace(());
    }

    /// How bytes of this address may pass; `touching` says that some are waiting to.
    pub(in crate::middle) fn passage(&self, origin: Origin, touching: bool) -> Passage {
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        let fault = state.targets.get(&origin).and_then(|pod| state.faults.get_mut(pod));
        let Some(fault) = fault else { return Passage::Open };
        let passage = match fault.order.fault {
            Fault::Stall => Passage::Stalled,
            Fault::Silence => Passage::Silent,
            Fault::Reset => Passage::ResetAtByte,
            Fault::Refuse => Passage::Refused,
            _ => return Passage::Open,
        };
        if touching || passage == Passage::Refused {
            fault.hit(now);
        }
        passage
    }
}
