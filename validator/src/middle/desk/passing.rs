//! What becomes of a call and of bytes, given the fault that is in force on the pod they come from.

use std::net::IpAddr;

use tokio::time::sleep_until;

use super::Desk;
use crate::evidence::Fault;
use crate::middle::in_force::{Ticket, Verdict, Wait};

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
    /// Whether a pod of the target is known at this address.
    pub(in crate::middle) fn is_target(&self, ip: IpAddr) -> bool {
        self.lock().targets.contains_key(&ip)
    }

    /// A call has come. `mark` tells calls apart: those learned without load are pings.
    pub(in crate::middle) fn call(&self, ip: IpAddr, mark: u64) -> Verdict {
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        let pod = state.targets.get(&ip);
        if state.learning && pod.is_some() && mark != 0 {
            state.learned.insert(mark);
        }
        if state.learned.contains(&mark) {
            state.counts.ping(ip, now);
            return Verdict::Pass;
        }
        state.counts.call(ip, now);
        let fault = pod.and_then(|pod| state.faults.get_mut(pod));
        fault.map_or(Verdict::Pass, |fault| fault.meet(self.clock))
    }

    /// A read was led to nothing.
    pub(in crate::middle) fn missed(&self, ip: IpAddr) {
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        if let Some(fault) = state.targets.get(&ip).and_then(|pod| state.faults.get_mut(pod)) {
            fault.hit(now);
        }
    }

    /// Waits as long as a ticket says; returns when the statement may go on. Dropping it is a caller who gave up, of
    /// whom [`Desk::leave`] must be told.
    pub(in crate::middle) async fn wait(&self, ip: IpAddr, ticket: &Ticket) {
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            let wait = {
                let state = self.lock();
                ticket.wait(state.targets.get(&ip).and_then(|pod| state.faults.get(pod)))
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
    pub(in crate::middle) fn leave(&self, ip: IpAddr, ticket: &Ticket, given_up: bool) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let fault = state.targets.get(&ip).and_then(|pod| state.faults.get_mut(pod));
        let fact = fault.and_then(|fault| fault.leave(ticket, given_up, self.clock));
        self.push(state, fact);
        drop(guard);
        self.changed.send_replace(());
    }

    /// How bytes of this address may pass; `touching` says that some are waiting to.
    pub(in crate::middle) fn passage(&self, ip: IpAddr, touching: bool) -> Passage {
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        let fault = state.targets.get(&ip).and_then(|pod| state.faults.get_mut(pod));
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
