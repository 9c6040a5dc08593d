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
use super::{FAIL_OPEN, FaultOrder, MiddlePlan, Targets};
use crate::evidence::{Fact, Millis, Trouble};
use crate::load::AgentClock;

/// Outgoing contexts kept.
const MAX_OUTGOING: usize = 100_000;

/// Addresses kept whose bytes were not understood.
const MAX_UNREAD: usize = 1_000;

/// The times after which an agent acts by itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without a word for this long every fault ends.
    pub fail_open: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fail_open: FAIL_OPEN }
    }
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
    encrypted: bool,
    grpc: bool,
    /// What was not understood of each address, and since when; whose pod it is may be told later.
    unread: BTreeMap<IpAddr, (Millis, String)>,
    /// Why something that was seen is not told.
    incomplete: BTreeMap<&'static str, Millis>,
    reached: bool,
    /// The last second in which the dependency did not accept a connection.
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
            encrypted: false,
            grpc: false,
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

    /// Is told of every change of faults.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A word of the validator.
    pub(super) fn hear(&self) {
        self.lock().heard = Some(Instant::now());
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

    pub(super) fn opened(&self, ip: IpAddr) {
        let now = self.now();
        self.lock().counts.opened(ip, now);
    }

    pub(super) fn closed(&self, ip: IpAddr) {
        let now = self.now();
        self.lock().counts.closed(ip, now);
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

    /// The dependency did not accept a connection: it is sick by itself, since no fault of ours lets one come so far.
    pub(super) fn unreached(&self, why: String) {
        let second = self.now().div_euclid(1_000);
        let mut state = self.lock();
        if state.unreached.replace(second) != Some(second) {
            let trouble = self.trouble(Trouble::Unreached(why));
            state.facts.push(trouble);
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

    /// A call of gRPC of the target has come.
    pub(super) fn spoke_grpc(&self, ip: IpAddr) {
        let mut state = self.lock();
        state.grpc |= state.targets.contains_key(&ip);
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

    /// Does what time has made due: ends of faults, and all of them without a word.
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
