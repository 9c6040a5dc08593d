//! What the desk has to tell: the present state, and all that was seen.

use std::net::IpAddr;

use super::{Desk, State};
use crate::evidence::{Fact, FaultFact, MiddleTrouble, Millis, Trouble};
use crate::middle::MiddleStatus;
use crate::middle::in_force::InForce;

impl Desk {
    pub(in crate::middle) fn status(&self) -> MiddleStatus {
        let state = self.lock();
        let mut status = MiddleStatus {
            now_ms: self.clock.now_ms(),
            instance: self.instance,
            reached: state.reached,
            failed_open: state.failed_open,
            encrypted: state.encrypted,
            learned: state.pings.len(),
            grpc: state.grpc,
            ..MiddleStatus::default()
        };
        for (ip, pod) in &state.targets {
            let now = status.pods.entry(pod.clone()).or_default();
            state.counts.add_to(ip, now);
            now.fault = state.faults.get(pod).map(InForce::now);
            status.connections += u64::from(state.counts.open(ip));
        }
        status.unknown = state.counts.all_open() - status.connections;
        status
    }

    /// Everything seen so far; faults still in force are told as ended now, and go on.
    pub(in crate::middle) fn facts(&self) -> Vec<Fact> {
        let state = self.lock();
        let in_force = state.faults.values().filter_map(|fault| fault.so_far(self.clock));
        let calls = state.counts.facts(&self.plan.dependency, |ip, at| state.pod_of(ip, at));
        let outgoing = state.outgoing.facts(&self.plan.dependency, &state.pings);
        let told = calls.into_iter().map(Fact::Call).chain(outgoing.map(Fact::Outgoing));
        let told = told.chain(in_force.map(|fact| self.fault(fact)));
        told.chain(self.holes(&state)).chain(state.facts.iter().cloned()).collect()
    }

    /// What is missing in the record.
    fn holes(&self, state: &State) -> Vec<Fact> {
        let unread = state.unread.iter().filter_map(|(ip, (at, why))| {
            state.pod_of(*ip, *at).map(|pod| (*at, Trouble::Unread(format!("{why} ({pod})"))))
        });
        let overflown = state.counts.overflown.map(|at| (at, "more calls than are kept"));
        let overflown = overflown.into_iter().chain(state.outgoing.overflown());
        let incomplete = state.incomplete.iter().map(|(why, at)| (*at, *why)).chain(overflown);
        let incomplete = incomplete.map(|(at, why)| (at, Trouble::Incomplete(why.to_owned())));
        let dependency = &self.plan.dependency;
        let fact =
            |(at, trouble)| Fact::Trouble(MiddleTrouble { at, dependency: dependency.clone(), trouble });
        unread.chain(incomplete).map(fact).collect()
    }

    /// The pod that an address belonged to then.
    pub(in crate::middle) fn pod_of(&self, ip: IpAddr, at: Millis) -> Option<String> {
        self.lock().pod_of(ip, at)
    }

    pub(super) fn end_all(&self, state: &mut State) {
        let all: Vec<InForce> = std::mem::take(&mut state.faults).into_values().collect();
        self.tell(state, all);
    }

    pub(super) fn tell(&self, state: &mut State, ended: impl IntoIterator<Item = InForce>) {
        for mut fault in ended {
            let fact = fault.end(self.clock);
            self.push(state, fact);
        }
    }

    pub(super) fn push(&self, state: &mut State, fact: Option<FaultFact>) {
        state.facts.extend(fact.map(|fact| self.fault(fact)));
    }

    fn fault(&self, fact: FaultFact) -> Fact {
        Fact::Fault(FaultFact { dependency: self.plan.dependency.clone(), ..fact })
    }

    pub(super) fn trouble(&self, trouble: Trouble) -> Fact {
        let (at, dependency) = (self.now(), self.plan.dependency.clone());
        Fact::Trouble(MiddleTrouble { at, dependency, trouble })
    }
}

impl State {
    /// An address may belong to one pod after another: what it did belongs to the one that was known then, or to the
    /// first that was told of later.
    fn pod_of(&self, ip: IpAddr, at: Millis) -> Option<String> {
        let known = self.history.iter().filter(|(_, known, _)| *known == ip);
        let (earlier, later): (Vec<_>, Vec<_>) = known.partition(|(since, _, _)| *since <= at + 999);
        earlier.last().or(later.first()).map(|(_, _, pod)| pod.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Protocol;
    use crate::evidence::Fault;
    use crate::middle::desk::Limits;
    use crate::middle::{FaultOrder, MiddlePlan};

    fn faults(desk: &Desk) -> Vec<Fault> {
        let fault = |fact| if let Fact::Fault(fact) = fact { Some(fact.fault) } else { None };
        desk.facts().into_iter().filter_map(fault).collect()
    }

    #[tokio::test]
    async fn who_reads_the_evidence_ends_no_fault() {
        let plan =
            MiddlePlan { dependency: "db".into(), protocol: Protocol::Tcp, trace_prefix: String::new() };
        let desk = Desk::new(plan, Limits::default());
        desk.order(vec![FaultOrder { id: 1, pod: "a".into(), fault: Fault::Stall, for_ms: 60_000 }]);
        desk.aim([(IpAddr::from([10, 0, 0, 1]), "a".to_owned())].into());
        for _ in 0..2 {
            assert_eq!(faults(&desk), [Fault::Stall], "told as if it had ended now");
            assert!(desk.status().pods["a"].fault.is_some(), "it is in force");
        }
        desk.order(Vec::new());
        assert_eq!(faults(&desk), [Fault::Stall], "told once");
        assert!(desk.status().pods["a"].fault.is_none());
    }
}
