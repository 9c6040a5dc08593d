//! The copies as they are now: every change becomes facts, and is shown to the switch and to whoever steers the run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::copy::Copy;
use super::objects;
use super::process::End;
use super::switch::Endpoint;
use crate::config::PORT;
use crate::evidence::{Change, Fact, ObjectKind};
use crate::moment::now;
use crate::plan::TargetPlan;
use crate::steer::{Collector, Facts, PodTable};

/// What is known of the copies of one target.
pub(super) struct Record {
    target: TargetPlan,
    /// Grace period and minimum of readiness, in seconds.
    times: (i64, i64),
    // Guards the copies; held for one change and what follows from it, so that facts are in order.
    state: Mutex<State>,
    facts: Facts,
    table: watch::Sender<PodTable>,
    endpoints: watch::Sender<Vec<Endpoint>>,
}

#[derive(Default)]
struct State {
    copies: BTreeMap<String, Copy>,
    /// Replicas of each template, as told last.
    sets: BTreeMap<String, usize>,
    slice: Option<Value>,
    /// The template that copies are to have.
    template: Option<String>,
}

impl Record {
    pub(super) fn new(target: TargetPlan, times: (i64, i64)) -> Arc<Self> {
        let (table, endpoints) = (watch::channel(PodTable::new()).0, watch::channel(Vec::new()).0);
        Arc::new(Self { target, times, state: Mutex::default(), facts: Facts::default(), table, endpoints })
    }

    /// The copies by name; the receiver is told of every change.
    pub(super) fn table(&self) -> watch::Receiver<PodTable> {
        self.table.subscribe()
    }

    /// What the Service leads to.
    pub(super) fn endpoints(&self) -> watch::Receiver<Vec<Endpoint>> {
        self.endpoints.subscribe()
    }

    /// Everything from here on, after what there is now: what was before the first list of a watch is known to nobody.
    pub(super) fn collector(&self) -> Collector {
        let state = self.lock();
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.list(&state);
        Collector::new(JoinSet::new(), None, Arc::clone(&self.facts), self.table())
    }

    /// The template that copies are to have from now on.
    pub(super) fn template(&self, hash: &str) {
        let mut state = self.lock();
        let change = if state.template.is_some() { Change::Modified } else { Change::Listed };
        state.template = Some(hash.to_owned());
        self.tell(ObjectKind::Deployment, change, objects::deployment(&self.target, hash, self.times));
    }

    pub(super) fn add(&self, name: &str, copy: Copy) {
        let mut state = self.lock();
        state.copies.insert(name.to_owned(), copy);
        self.changed(&mut state, name, Change::Added);
    }

    /// Changes a copy; one that is gone, or a change that changes nothing, tells nothing.
    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Copy)) {
        let mut state = self.lock();
        let Some(copy) = state.copies.get_mut(name) else { return };
        let before = copy.clone();
        change(copy);
        if *copy != before {
            self.changed(&mut state, name, Change::Modified);
        }
    }

    pub(super) fn remove(&self, name: &str) {
        let mut state = self.lock();
        if let Some(copy) = state.copies.get(name) {
            self.tell(ObjectKind::Pod, Change::Deleted, objects::pod(&self.target, name, copy));
        }
        state.copies.remove(name);
        self.follow(&mut state);
    }

    /// How the process before the present one of a copy ended, if there was one.
    pub(super) fn last_end(&self, name: &str) -> Option<End> {
        self.lock().copies.get(name)?.last
    }

    fn list(&self, state: &State) {
        let tell = |kind, object| self.tell(kind, Change::Listed, object);
        if let Some(hash) = &state.template {
            tell(ObjectKind::Deployment, objects::deployment(&self.target, hash, self.times));
        }
        for (hash, replicas) in &state.sets {
            tell(ObjectKind::ReplicaSet, objects::replica_set(&self.target, hash, *replicas));
        }
        for (name, copy) in &state.copies {
            tell(ObjectKind::Pod, objects::pod(&self.target, name, copy));
        }
        if let Some(slice) = &state.slice {
            tell(ObjectKind::EndpointSlice, slice.clone());
        }
    }

    fn changed(&self, state: &mut State, name: &str, change: Change) {
        if let Some(copy) = state.copies.get(name) {
            self.tell(ObjectKind::Pod, change, objects::pod(&self.target, name, copy));
        }
        self.follow(state);
    }

    /// What follows from the copies: replica sets, the slice, and the tables.
    fn follow(&self, state: &mut State) {
        self.sets(state);
        let slice = objects::slice(&self.target, state.copies.iter());
        if state.slice.as_ref() != Some(&slice) {
            self.tell(ObjectKind::EndpointSlice, Change::Modified, slice.clone());
            state.slice = Some(slice);
        }
        let endpoint = |copy: &Copy| Endpoint {
            address: SocketAddr::new(super::HOST, copy.ports.get(&PORT).copied().unwrap_or_default()),
            ready: copy.ready && copy.leaving.is_none(),
            serving: copy.ready,
        };
        let endpoints: Vec<Endpoint> = state.copies.values().map(endpoint).collect();
        self.endpoints.send_if_modified(|known| replace(known, endpoints));
        let table = state.copies.iter().map(|(name, copy)| (name.clone(), copy.brief())).collect();
        self.table.send_if_modified(|known| replace(known, table));
    }

    /// A replica set counts the copies that are not about to go.
    fn sets(&self, state: &mut State) {
        let mut sets: BTreeMap<String, usize> = state.sets.keys().map(|hash| (hash.clone(), 0)).collect();
        for copy in state.copies.values() {
            *sets.entry(copy.hash.clone()).or_default() += usize::from(copy.leaving.is_none());
        }
        for (hash, replicas) in sets.iter().filter(|(hash, replicas)| state.sets.get(*hash) != Some(replicas))
        {
            let set = objects::replica_set(&self.target, hash, *replicas);
            self.tell(ObjectKind::ReplicaSet, Change::Modified, set);
        }
        state.sets = sets;
    }

    fn tell(&self, kind: ObjectKind, change: Change, object: Value) {
        let fact: Fact = objects::seen(now(), kind, change, object);
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn replace<T: PartialEq>(known: &mut T, now: T) -> bool {
    let changed = *known != now;
    *known = now;
    changed
}
