//! What all connections of an agent share: who is the target, what is to be broken, what was seen.

mod outgoing;
mod passing;
mod pings;
mod set_up;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::outgoing::Outgoing;
pub(super) use self::passing::Passage;
use self::pings::Pings;
pub(super) use self::set_up::Opening;
use self::set_up::SetUp;
use super::counts::Counts;
use super::in_force::InForce;
use super::{ABANDONED, FAIL_OPEN, FaultOrder, HAND_BACK, MiddlePlan, Targets};
use crate::evidence::{Fact, Millis, Trouble};
use crate::load::AgentClock;

/// Outgoing contexts kept.
const MAX_OUTGOING: usize = 100_000;

/// A dependency that does not accept connections is told of so often.
const UNREACHED_MS: Millis = 1_000;

/// Addresses kept whose bytes were not understood.
const MAX_UNREAD: usize = 1_000;

/// The times after which an agent acts by itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without a word for this long every fault ends.
    pub fail_open: Duration,
    /// Without a word for this long connections are handed back.
    pub abandoned: Duration,
    /// What is open this long after the begin of the hand-back is cut.
    pub hand_back: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fail_open: FAIL_OPEN, abandoned: ABANDONED, hand_back: HAND_BACK }
    }
}

/// Whether a connection is handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandBack {
    NotYet,
    WhenIdle,
    /// Idle or not.
    Cut,
}

/// The shared state; every method holds its lock for one look or one change.
pub struct Desk {
    pub(super) plan: MiddlePlan,
    pub(super) clock: AgentClock,
    limits: Limits,
    instance: u64,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    targets: Targets,
    history: Vec<(Millis, IpAddr, String)>,
    faults: BTreeMap<String, InForce>,
    /// Every order that was ever begun.
    begun: BTreeSet<u64>,
    pings: Pings,
    set_up: SetUp,
    counts: Counts,
    heard: Option<Instant>,
    failed_open: u32,
    handing_back: Option<Instant>,
    /// Since when nobody has said a word for too long.
    abandoned: Option<Instant>,
    cut: u64,
    encrypted: bool,
    /// What was not understood of each address, and since when; whose pod it is may be told later.
    unread: BTreeMap<IpAddr, (Millis, String)>,
    /// Why something that was seen is not told.
    incomplete: BTreeMap<&'static str, Millis>,
    reached: bool,
    /// When it was last told that the dependency had not accepted a connection.
    unreached: Option<Millis>,
    outgoing: Outgoing,
    facts: Vec<Fact>,
}

impl Desk {
    /// An agent that forwards everything.
    pub fn new(plan: MiddlePlan, limits: Limits) -> Self {
        let state = State {
            targets: Targets::new(),
            history: Vec::new(),
            faults: BTreeMap::new(),
            begun: BTreeSet::new(),
            pings: Pings::default(),
            set_up: SetUp::default(),
            counts: Counts::default(),
            heard: None,
            failed_open: 0,
            handing_back: None,
            abandoned: None,
            cut: 0,
            encrypted: false,
            unread: BTreeMap::new(),
            incomplete: BTreeMap::new(),
            reached: false,
            unreached: None,
            outgoing: Outgoing::default(),
            facts: Vec::new(),
        };
        let (changed, _) = watch::channel(());
        let (clock, instance) = (AgentClock::start(), fastrand::u64(1..));
        Self { plan, clock, limits, instance, state: Mutex::new(state), changed }
    }

    /// Is told of every change of faults and of the hand-back.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A word of the validator.
    pub(super) fn hear(&self) {
        let mut state = self.lock();
        (state.heard, state.abandoned) = (Some(Instant::now()), None);
    }

    pub(super) fn aim(&self, targets: Targets) {
        let now = self.now();
        let mut state = self.lock();
        for (ip, pod) in &targets {
            if state.targets.get(ip) != Some(pod) {
                state.history.push((now, *ip, pod.clone()));
            }
        }
        state.targets = targets;
        drop(state);
        self.changed.send_replace(());
    }

    /// Puts these faults in force in place of all others; one that is in force goes on untouched, one that has run out
    /// does not begin again.
    pub(super) fn order(&self, orders: Vec<FaultOrder>) {
        let mut state = self.lock();
        let wanted: BTreeSet<u64> = orders.iter().map(|order| order.id).collect();
        let over = state.faults.extract_if(.., |_, fault| !wanted.contains(&fault.order.id));
        let ended: Vec<InForce> = over.map(|(_, fault)| fault).collect();
        self.tell(&mut state, ended);
        for order in orders {
            if state.begun.insert(order.id) {
                let (pod, fault) = (order.pod.clone(), InForce::new(order, self.clock));
                let before = state.faults.insert(pod, fault);
                self.tell(&mut state, before);
            }
        }
        drop(state);
        self.changed.send_replace(());
    }

    pub(super) fn learn(&self, on: bool) {
        self.lock().pings.learn(on, Instant::now());
    }

    /// Ends all faults and begins to close connections when they are idle.
    pub(super) fn hand_back(&self) {
        let mut state = self.lock();
        state.handing_back.get_or_insert_with(Instant::now);
        self.end_all(&mut state);
        drop(state);
        self.changed.send_replace(());
    }

    /// What is to become of a connection that was opened then. An abandoned agent closes only those that it had: a
    /// Service whose selector nobody could give back still leads to it, and it goes on forwarding.
    pub(super) fn hand_back_of(&self, opened: Instant) -> HandBack {
        let state = self.lock();
        match state.handing_back {
            Some(since) if since.max(opened).elapsed() >= self.limits.hand_back => HandBack::Cut,
            Some(_) => HandBack::WhenIdle,
            None if state.abandoned.is_some_and(|since| opened < since) => HandBack::WhenIdle,
            None => HandBack::NotYet,
        }
    }

    pub(super) fn opened(&self, ip: IpAddr) {
        let now = self.now();
        self.lock().counts.opened(ip, now);
    }

    pub(super) fn closed(&self, ip: IpAddr, cut: bool) {
        let now = self.now();
        let mut state = self.lock();
        state.counts.closed(ip, now);
        state.cut += u64::from(cut);
    }

    /// Bytes of a connection that is not followed were read.
    pub(super) fn bytes(&self, ip: IpAddr, sent: usize, received: usize) {
        let now = self.now();
        self.lock().counts.bytes(ip, now, sent as u64, received as u64);
    }

    /// The dependency has accepted a connection.
    pub(super) fn reached(&self) {
        self.lock().reached = true;
    }

    /// The dependency did not accept a connection, for reasons of its own: what a fault refuses does not come so far.
    pub(super) fn unreached(&self) {
        let at = self.now();
        let mut state = self.lock();
        let last = state.unreached.replace(at);
        if last.is_none_or(|last| at - last >= UNREACHED_MS) {
            let trouble = self.trouble(Trouble::Unreached("it did not accept a connection".into()));
            state.facts.push(trouble);
        } else {
            state.unreached = last;
        }
    }

    /// A connection of the target is encrypted: its statements cannot be told.
    pub(super) fn encrypted(&self, ip: IpAddr) {
        let mut state = self.lock();
        if state.targets.contains_key(&ip) && !std::mem::replace(&mut state.encrypted, true) {
            let trouble = self.trouble(Trouble::Encrypted);
            state.facts.push(trouble);
        }
    }

    /// Something of this address was passed on and not understood.
    pub(super) fn unread(&self, ip: IpAddr, why: impl Into<String>) {
        let now = self.now();
        let mut state = self.lock();
        if state.unread.len() < MAX_UNREAD {
            state.unread.entry(ip).or_insert_with(|| (now, why.into()));
        }
    }

    /// Something that was seen is not going to be told.
    pub(super) fn incomplete(&self, why: &'static str) {
        let now = self.now();
        self.lock().incomplete.entry(why).or_insert(now);
    }

    /// Does what time has made due: ends of faults, fail-open, hand-back of an abandoned agent.
    pub(super) fn tick(&self) {
        let now = Instant::now();
        let at = self.now();
        let mut state = self.lock();
        let State { counts, history, .. } = &mut *state;
        counts.tick(at, |ip| history.iter().any(|(_, known, _)| known == ip));
        let over = state.faults.extract_if(.., |_, fault| fault.ends <= now);
        let ended: Vec<InForce> = over.map(|(_, fault)| fault).collect();
        let mut change = !ended.is_empty();
        self.tell(&mut state, ended);
        let silence = state.heard.map(|heard| now - heard).unwrap_or_default();
        if silence >= self.limits.fail_open && !state.faults.is_empty() {
            state.failed_open += 1;
            let trouble = self.trouble(Trouble::FailedOpen);
            state.facts.push(trouble);
            self.end_all(&mut state);
            change = true;
            tracing::warn!("no word from the validator: every fault is over");
        }
        let abandoned = silence >= self.limits.abandoned && state.abandoned.is_none();
        if abandoned {
            state.abandoned = Some(now);
            tracing::warn!("no word from the validator: connections are handed back when they are idle");
        }
        change |= abandoned || state.handing_back.is_some_and(|since| now - since >= self.limits.hand_back);
        drop(state);
        if change {
            self.changed.send_replace(());
        }
    }

    pub(super) fn now(&self) -> Millis {
        self.clock.millis(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
