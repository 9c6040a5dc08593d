//! A fault in force on one pod: whom it makes wait, and what it met.

use std::time::Duration;

use tokio::time::Instant;

use super::call::{Call, Says};
use super::fail_over::FailOver;
use super::{FaultNow, FaultOrder};
use crate::evidence::{Failure, Fault, FaultFact, Held, Millis, TrialEnd};
use crate::load::AgentClock;

/// One fault in force.
pub(super) struct InForce {
    pub(super) order: FaultOrder,
    pub(super) ends: Instant,
    since: Instant,
    began: Millis,
    first_hit: Option<Millis>,
    last_hit: Option<Millis>,
    hits: u64,
    /// Calls that a failure could have met.
    met: u64,
    fail_over: FailOver,
    held: Vec<Held>,
    others: u64,
    waiting: u32,
    /// Connections, by when they were opened, of which none is held for now.
    spared: Vec<(Instant, Instant)>,
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
    /// It is answered with this error.
    Fail(Failure),
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
            ends: now + Duration::from_millis(order.for_ms),
            since: now,
            began: clock.millis(now),
            order,
            first_hit: None,
            last_hit: None,
            hits: 0,
            met: 0,
            fail_over: FailOver::default(),
            held: Vec::new(),
            others: 0,
            waiting: 0,
            spared: Vec::new(),
            trial: Trial::Expected,
            told: false,
        }
    }

    /// A statement that is no ping has come.
    pub(super) fn meet(&mut self, call: &Call, clock: AgentClock) -> Verdict {
        let now = Instant::now();
        let after = |ms: u64| now + Duration::from_millis(ms);
        let (kind, until) = match &self.order.fault.clone() {
            Fault::Hang => (Kind::Hung, None),
            Fault::Hold { at_most, .. } if self.waiting >= *at_most || self.is_spared(call, now) => {
                return Verdict::Pass;
            }
            Fault::Hold { hold_ms, .. } => {
                self.waiting += 1;
                self.spared.push((call.opened, after(*hold_ms * 2)));
                (Kind::Timed, Some(after(*hold_ms)))
            }
            // Calls that come one behind the other over one connection are late by as much each, not by all of it.
            Fault::Slow { delay_ms } => (Kind::Timed, Some(call.came + Duration::from_millis(*delay_ms))),
            Fault::Trial { hold_ms, end } => match (self.trial, end) {
                (Trial::Expected, end) => {
                    self.trial = Trial::UnderWay;
                    (Kind::First, (*end == TrialEnd::Forward).then(|| after(*hold_ms)))
                }
                (Trial::UnderWay, _) => {
                    self.others += 1;
                    (Kind::Hung, None)
                }
                (Trial::Over, TrialEnd::GiveUp) => (Kind::Hung, None),
                (Trial::Over, TrialEnd::Forward) => return Verdict::Pass,
            },
            Fault::Fail { with, share_percent } => {
                let (with, share) = (with.clone(), *share_percent);
                return if self.fails(&with, share, call, clock) {
                    Verdict::Fail(with)
                } else {
                    Verdict::Pass
                };
            }
            // Only what turns out to be a read that was answered is touched: see `Desk::missed`.
            Fault::Miss => return Verdict::Miss,
            Fault::Stall | Fault::Refuse | Fault::Reset | Fault::Silence => return Verdict::Pass,
        };
        self.hit(clock.millis(now));
        let from = if matches!(self.order.fault, Fault::Slow { .. }) { call.came } else { now };
        Verdict::Wait(Ticket { order: self.order.id, kind, from, until })
    }

    /// Whether a statement of its connection was held just before: one call makes several, and is to be late by one hold.
    fn is_spared(&mut self, call: &Call, now: Instant) -> bool {
        self.spared.retain(|(_, until)| *until > now);
        self.spared.iter().any(|(opened, _)| *opened == call.opened)
    }

    /// Whether a connection opened then leads to what has become a replica.
    pub(super) fn is_replica(&self, opened: Instant) -> bool {
        matches!(&self.order.fault, Fault::Fail { with: Failure::FailOver, .. }) && opened < self.since
    }

    /// Whether a connection opened then is cut: the server that refuses new ones has rid itself of those that it had.
    pub(super) fn cuts(&self, opened: Instant) -> bool {
        matches!(&self.order.fault, Fault::Fail { with: Failure::Startup(_), .. }) && opened < self.since
    }

    /// A new connection has said who it is: the SQLSTATE that it is refused with, if it is.
    pub(super) fn meet_startup(&mut self, clock: AgentClock) -> Option<String> {
        let Fault::Fail { with: Failure::Startup(sqlstate), share_percent } = &self.order.fault else {
            return None;
        };
        let (sqlstate, share) = (sqlstate.clone(), *share_percent);
        self.chosen(share, clock).then_some(sqlstate)
    }

    /// Whether a failure meets this call.
    fn fails(&mut self, with: &Failure, share_percent: u8, call: &Call, clock: AgentClock) -> bool {
        if *with == Failure::FailOver && call.says == Says::Write {
            self.fail_over.write(call.opened, self.since, clock);
        }
        // What a transaction does is one call to whoever counts failures: its first statement decides for all. Its end
        // is never failed: a pool would keep a connection whose transaction nobody can end.
        let decided = matches!(with, Failure::Sqlstate(_)) && call.goes_on;
        !decided && meets(with, call, self.since) && self.chosen(share_percent, clock)
    }

    /// Whether the next of those that a failure could meet is met.
    fn chosen(&mut self, share_percent: u8, clock: AgentClock) -> bool {
        self.met += 1;
        let chosen = falls_to(self.met, share_percent);
        if chosen {
            self.hit(clock.millis(Instant::now()));
        }
        chosen
    }

    /// It touched something.
    pub(super) fn hit(&mut self, at: Millis) {
        self.hits += 1;
        self.first_hit.get_or_insert(at);
        self.last_hit = Some(at);
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
        let fact = self.so_far(clock);
        self.told = true;
        fact
    }

    /// What it would be if it ended now: nothing if its end was told before.
    pub(super) fn so_far(&self, clock: AgentClock) -> Option<FaultFact> {
        (!self.told).then(|| FaultFact {
            began: self.began,
            ended: clock.millis(Instant::now()),
            dependency: String::new(), // the desk knows it
            pod: self.order.pod.clone(),
            fault: self.order.fault.clone(),
            first_hit: self.first_hit,
            last_hit: self.last_hit,
            hits: self.hits,
            met: self.met,
            met_again: self.fail_over.again,
            spared: self.fail_over.spared,
            held: self.held.clone(),
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

/// Whether a failure that is in force since then could meet this call.
fn meets(failure: &Failure, call: &Call, since: Instant) -> bool {
    match failure {
        Failure::Sqlstate(_) | Failure::Status(_) | Failure::Grpc(_) => true,
        Failure::FailOver | Failure::ReadOnly => call.says == Says::Write && call.opened < since,
        Failure::Startup(_) => false,
    }
}

/// Whether the nth falls to a share: steps of the golden ratio spread it evenly and keep no time with what is counted,
/// so that of a transaction's statements not always the same one is met (Knuth, TAOCP 3, 6.4).
fn falls_to(nth: u64, share_percent: u8) -> bool {
    let step = nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    (step * 100) >> 32 < u64::from(share_percent)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_spread_evenly_and_out_of_step() {
        for share in [0, 1, 40, 60, 99, 100] {
            for calls in [100, 1_000] {
                let met = (1..=calls).filter(|nth| falls_to(*nth, share)).count() as i64;
                let wanted = calls as i64 * i64::from(share) / 100;
                assert!((met - wanted).abs() <= 2, "{met} of {calls} at {share} %");
            }
            let every_fifth = (1..=1_000).filter(|n| n % 5 == 0 && falls_to(*n, share)).count() as i64;
            assert!((every_fifth - 2 * i64::from(share)).abs() <= 4, "{every_fifth} of 200 at {share} %");
        }
    }
}
