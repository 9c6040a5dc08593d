//! A fault in force on one pod: whom it makes wait, and what it met.

use tokio::time::Instant;

use super::{FaultNow, FaultOrder};
use crate::evidence::{Fault, FaultFact, Held, Millis, TrialEnd};
use crate::load::AgentClock;

/// One fault in force.
pub(super) struct InForce {
    pub(super) order: FaultOrder,
    pub(super) ends: Instant,
    began: Millis,
    first_hit: Option<Millis>,
    hits: u64,
    held: Vec<Held>,
    others: u64,
    waiting: u32,
    trial: Trial,
    /// A trial that is over was told already; the order stays until it is replaced.
    told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    Expected,
    UnderWay,
    Over,
}

/// What becomes of a statement that has come.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It goes on.
    Pass,
    /// It waits.
    Wait(Ticket),
    /// It is answered with an error of this SQLSTATE.
    Fail(String),
    /// If it is a read, its answer is that there is nothing.
    Miss,
}

/// One waiting statement.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    order: u64,
    kind: Kind,
    from: Instant,
    until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Held for a time.
    Timed,
    /// The call of a trial.
    First,
    /// Until the fault is over.
    Hung,
}

impl InForce {
    pub(super) fn new(order: FaultOrder, clock: AgentClock) -> Self {
        let now = Instant::now();
        Self {
            ends: now + std::time::Duration::from_millis(order.for_ms),
            began: clock.millis(now),
            order,
            first_hit: None,
            hits: 0,
            held: Vec::new(),
            others: 0,
            waiting: 0,
            trial: Trial::Expected,
            told: false,
        }
    }

    /// A statement that is no ping has come.
    pub(super) fn meet(&mut self, clock: AgentClock) -> Verdict {
        let now = Instant::now();
        let (kind, until) = match &self.order.fault {
            Fault::Hang => (Kind::Hung, None),
            Fault::Hold { at_most, .. } if self.waiting >= *at_most => return Verdict::Pass,
            Fault::Hold { hold_ms, .. } => {
                self.waiting += 1;
                (Kind::Timed, Some(now + std::time::Duration::from_millis(*hold_ms)))
            }
            Fault::Trial { hold_ms, end } => match (self.trial, end) {
                (Trial::Expected, end) => {
                    self.trial = Trial::UnderWay;
                    let until = now + std::time::Duration::from_millis(*hold_ms);
                    (Kind::First, (*end == TrialEnd::Forward).then_some(until))
                }
                (Trial::UnderWay, _) => {
                    self.others += 1;
                    (Kind::Hung, None)
                }
                (Trial::Over, TrialEnd::GiveUp) => (Kind::Hung, None),
                (Trial::Over, TrialEnd::Forward) => return Verdict::Pass,
            },
            Fault::Fail { sqlstate } => {
                let sqlstate = sqlstate.clone();
                self.hit(clock.millis(now));
                return Verdict::Fail(sqlstate);
            }
            // Only what turns out to be a read is touched: see `Desk::missed`.
            Fault::Miss => return Verdict::Miss,
            Fault::Stall | Fault::Refuse | Fault::Reset | Fault::Silence => return Verdict::Pass,
        };
        self.hit(clock.millis(now));
        Verdict::Wait(Ticket { order: self.order.id, kind, from: now, until })
    }

    /// It touched something.
    pub(super) fn hit(&mut self, at: Millis) {
        self.hits += 1;
        self.first_hit.get_or_insert(at);
    }

    /// Whether statements wait that were let in under an order before this one.
    fn makes_wait(&self) -> bool {
        match &self.order.fault {
            Fault::Hang => true,
            Fault::Trial { end, .. } => self.trial != Trial::Over || *end == TrialEnd::GiveUp,
            _ => false,
        }
    }

    /// A statement has waited: it goes on, or its caller gave up. A good trial is the end of the fault: the fact.
    pub(super) fn leave(&mut self, ticket: &Ticket, given_up: bool, clock: AgentClock) -> Option<FaultFact> {
        if ticket.order != self.order.id || self.told {
            return None;
        }
        let now = Instant::now();
        if self.held.len() < FaultFact::MAX_HELD {
            self.held.push(Held { from: clock.millis(ticket.from), to: clock.millis(now), given_up });
        }
        match (ticket.kind, &self.order.fault) {
            (Kind::Timed, _) => self.waiting = self.waiting.saturating_sub(1),
            (Kind::First, Fault::Trial { end: TrialEnd::Forward, .. }) if given_up => {
                self.trial = Trial::Expected;
            }
            (Kind::First, Fault::Trial { end: TrialEnd::Forward, .. }) => {
                self.trial = Trial::Over;
                return self.end(clock);
            }
            (Kind::First, _) => self.trial = Trial::Over,
            (Kind::Hung, _) => {}
        }
        None
    }

    /// What it was, once: nothing if that was told before.
    pub(super) fn end(&mut self, clock: AgentClock) -> Option<FaultFact> {
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        Some(FaultFact {
            began: self.began,
            ended: clock.millis(Instant::now()),
            dependency: String::new(), // the desk knows it
            pod: self.order.pod.clone(),
            fault: self.order.fault.clone(),
            first_hit: self.first_hit,
            hits: self.hits,
            held: std::mem::take(&mut self.held),
            others: self.others,
        })
    }

    pub(super) fn now(&self) -> FaultNow {
        FaultNow {
            id: self.order.id,
            hits: self.hits,
            first_hit: self.first_hit,
            released: self.trial == Trial::Over,
        }
    }
}

/// Until when a statement has to wait, given the fault that is in force on its pod now.
pub(super) enum Wait {
    /// No longer.
    Over,
    /// Until then, unless something changes.
    Until(Instant),
    /// Until something changes.
    Change,
}

impl Ticket {
    pub(super) fn wait(&self, present: Option<&InForce>) -> Wait {
        let Some(fault) = present else { return Wait::Over };
        let mine = fault.order.id == self.order;
        match (self.kind, self.until) {
            (Kind::Timed | Kind::First, Some(until)) if mine => {
                if Instant::now() >= until {
                    Wait::Over
                } else {
                    Wait::Until(until)
                }
            }
            (Kind::First | Kind::Hung, _) if fault.makes_wait() => Wait::Change,
            _ => Wait::Over,
        }
    }
}
