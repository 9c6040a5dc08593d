//! What all connections of an agent share: who is the target, what is to be broken, what was seen.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::counts::Counts;
use super::in_force::{InForce, Ticket, Verdict, Wait};
use super::{ABANDONED, FAIL_OPEN, FaultOrder, HAND_BACK, MiddlePlan, MiddleStatus, Targets};
use crate::evidence::{Fact, Fault, FaultFact, MiddleTrouble, Millis, OutgoingFact, Trouble};
use crate::load::AgentClock;

/// Outgoing contexts and troubles kept.
const MAX_FACTS: usize = 100_000;

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
    learned: HashSet<u64>,
    learning: bool,
    counts: Counts,
    heard: Option<Instant>,
    failed_open: u32,
    handing_back: Option<Instant>,
    cut: u64,
    encrypted: bool,
    reached: bool,
    facts: Vec<Fact>,
}

/// How bytes of a connection may pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Open,
    Stalled,
    Silent,
    ResetAtByte,
    Refused,
}

impl Desk {
    /// An agent that forwards everything.
    pub fn new(plan: MiddlePlan, limits: Limits) -> Self {
        let state = State {
            targets: Targets::new(),
            history: Vec::new(),
            faults: BTreeMap::new(),
            begun: BTreeSet::new(),
            learned: HashSet::new(),
            learning: false,
            counts: Counts::default(),
            heard: None,
            failed_open: 0,
            handing_back: None,
            cut: 0,
            encrypted: false,
            reached: false,
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
        self.lock().learning = on;
    }

    /// Ends all faults and begins to close connections when they are idle.
    pub(super) fn hand_back(&self) {
        let mut state = self.lock();
        state.handing_back.get_or_insert_with(Instant::now);
        self.end_all(&mut state);
        drop(state);
        self.changed.send_replace(());
    }

    pub(super) fn is_handing_back(&self) -> bool {
        self.lock().handing_back.is_some()
    }

    /// Whether what is still open is to be cut.
    pub(super) fn is_cutting(&self) -> bool {
        self.lock().handing_back.is_some_and(|since| since.elapsed() >= self.limits.hand_back)
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

    /// A call has come. `mark` tells calls apart: those learned without load are pings.
    pub(super) fn call(&self, ip: IpAddr, mark: u64) -> Verdict {
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
    pub(super) fn missed(&self, ip: IpAddr) {
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        if let Some(fault) = state.targets.get(&ip).and_then(|pod| state.faults.get_mut(pod)) {
            fault.hit(now);
        }
    }

    /// Waits as long as a ticket says; returns when the statement may go on. Dropping it is a caller who gave up, of
    /// whom [`Desk::leave`] must be told.
    pub(super) async fn wait(&self, ip: IpAddr, ticket: &Ticket) {
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
    pub(super) fn leave(&self, ip: IpAddr, ticket: &Ticket, given_up: bool) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let fault = state.targets.get(&ip).and_then(|pod| state.faults.get_mut(pod));
        let fact = fault.and_then(|fault| fault.leave(ticket, given_up, self.clock));
        self.push(state, fact);
        drop(guard);
        self.changed.send_replace(());
    }

    /// How bytes of this address may pass; `touching` says that some are waiting to.
    pub(super) fn passage(&self, ip: IpAddr, touching: bool) -> Passage {
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

    /// A request to an HTTP dependency has come by.
    pub(super) fn outgoing(&self, ip: IpAddr, context: Option<(String, String)>) {
        let at = self.now();
        let mut state = self.lock();
        let Some(pod) = state.targets.get(&ip).cloned() else { return };
        let (trace_id, parent_id) = context.unzip();
        let dependency = self.plan.dependency.clone();
        let fact = Fact::Outgoing(OutgoingFact { at, dependency, pod, trace_id, parent_id });
        if state.facts.len() < MAX_FACTS {
            state.facts.push(fact);
        }
    }

    /// The dependency has accepted a connection.
    pub(super) fn reached(&self) {
        self.lock().reached = true;
    }

    /// A connection of the target is encrypted: its statements cannot be told.
    pub(super) fn encrypted(&self, ip: IpAddr) {
        let mut state = self.lock();
        if state.targets.contains_key(&ip) && !std::mem::replace(&mut state.encrypted, true) {
            let trouble = self.trouble(Trouble::Encrypted);
            state.facts.push(trouble);
        }
    }

    /// Does what time has made due: ends of faults, fail-open, hand-back of an abandoned agent.
    pub(super) fn tick(&self) {
        let now = Instant::now();
        let at = self.now();
        let mut state = self.lock();
        state.counts.tick(at);
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
        let abandoned = silence >= self.limits.abandoned && state.handing_back.is_none();
        if abandoned {
            state.handing_back = Some(now);
            tracing::warn!("no word from the validator: connections are handed back when they are idle");
        }
        change |= abandoned || state.handing_back.is_some_and(|since| now - since >= self.limits.hand_back);
        drop(state);
        if change {
            self.changed.send_replace(());
        }
    }

    pub(super) fn status(&self) -> MiddleStatus {
        let state = self.lock();
        let mut status = MiddleStatus {
            now_ms: self.clock.now_ms(),
            instance: self.instance,
            reached: state.reached,
            failed_open: state.failed_open,
            cut: state.cut,
            encrypted: state.encrypted,
            learned: state.learned.len(),
            ..MiddleStatus::default()
        };
        for (ip, pod) in &state.targets {
            let now = status.pods.entry(pod.clone()).or_default();
            state.counts.add_to(ip, now);
            now.fault = state.faults.get(pod).map(InForce::now);
            status.connections += u64::from(state.counts.open(ip));
        }
        status.others = state.counts.all_open() - status.connections;
        status
    }

    /// Everything seen so far; faults still in force are told as ended now.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut state = self.lock();
        let in_force = std::mem::take(&mut state.faults).into_values().collect::<Vec<_>>();
        self.tell(&mut state, in_force);
        if state.cut > 0 {
            let cut = self.trouble(Trouble::Cut(state.cut));
            state
                .facts
                .retain(|fact| !matches!(fact, Fact::Trouble(t) if matches!(t.trouble, Trouble::Cut(_))));
            state.facts.push(cut);
        }
        // An address may belong to one pod after another: a second belongs to the one that was known then, or to the
        // first that was told of later.
        let name = |ip: IpAddr, at: Millis| {
            let mut known = state.history.iter().filter(|(_, known, _)| *known == ip);
            let (earlier, later): (Vec<_>, Vec<_>) =
                known.by_ref().partition(|(since, _, _)| *since <= at + 999);
            earlier.last().or(later.first()).map(|(_, _, pod)| pod.clone())
        };
        let calls = state.counts.facts(&self.plan.dependency, name);
        calls.into_iter().map(Fact::Call).chain(state.facts.iter().cloned()).collect()
    }

    pub(super) fn now(&self) -> Millis {
        self.clock.millis(Instant::now())
    }

    fn end_all(&self, state: &mut State) {
        let all: Vec<InForce> = std::mem::take(&mut state.faults).into_values().collect();
        self.tell(state, all);
    }

    fn tell(&self, state: &mut State, ended: impl IntoIterator<Item = InForce>) {
        for mut fault in ended {
            let fact = fault.end(self.clock);
            self.push(state, fact);
        }
    }

    fn push(&self, state: &mut State, fact: Option<FaultFact>) {
        let dependency = self.plan.dependency.clone();
        state.facts.extend(fact.map(|fact| Fact::Fault(FaultFact { dependency, ..fact })));
    }

    fn trouble(&self, trouble: Trouble) -> Fact {
        let (at, dependency) = (self.now(), self.plan.dependency.clone());
        Fact::Trouble(MiddleTrouble { at, dependency, trouble })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
