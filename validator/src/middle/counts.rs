//! Counts the calls of each address, to a tenth of a second.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::PodNow;
use crate::evidence::{CallFact, Millis};

/// Seconds kept in all; four hours of some pods.
const MAX_SECONDS: usize = 500_000;

/// All addresses that have connected.
#[derive(Default)]
pub(super) struct Counts {
    sources: BTreeMap<IpAddr, Source>,
    kept: usize,
}

#[derive(Default)]
struct Source {
    open: u32,
    calls: u64,
    pings: u64,
    last_call: Option<Millis>,
    seconds: BTreeMap<Millis, Second>,
}

#[derive(Default)]
struct Second {
    calls: [u32; 10],
    pings: u32,
    opened: u32,
    open: u32,
}

impl Counts {
    pub(super) fn opened(&mut self, ip: IpAddr, at: Millis) {
        self.sources.entry(ip).or_default().open += 1;
        self.second(ip, at, |second| second.opened += 1);
    }

    pub(super) fn closed(&mut self, ip: IpAddr, at: Millis) {
        let source = self.sources.entry(ip).or_default();
        source.open = source.open.saturating_sub(1);
        self.second(ip, at, |_| {});
    }

    pub(super) fn call(&mut self, ip: IpAddr, at: Millis) {
        let source = self.sources.entry(ip).or_default();
        source.calls += 1;
        source.last_call = Some(at);
        let tenth = (at % 1_000 / 100) as usize;
        self.second(ip, at, |second| second.calls[tenth] += 1);
    }

    pub(super) fn ping(&mut self, ip: IpAddr, at: Millis) {
        self.sources.entry(ip).or_default().pings += 1;
        self.second(ip, at, |second| second.pings += 1);
    }

    pub(super) fn open(&self, ip: &IpAddr) -> u32 {
        self.sources.get(ip).map(|source| source.open).unwrap_or_default()
    }

    /// Open connections of everybody.
    pub(super) fn all_open(&self) -> u64 {
        self.sources.values().map(|source| u64::from(source.open)).sum()
    }

    /// Adds what an address did to what is known of its pod.
    pub(super) fn add_to(&self, ip: &IpAddr, now: &mut PodNow) {
        let Some(source) = self.sources.get(ip) else { return };
        now.calls += source.calls;
        now.pings += source.pings;
        now.open += source.open;
        now.last_call = now.last_call.max(source.last_call);
    }

    /// A second in which an address has connections open is a second to tell of, even if nothing happens.
    pub(super) fn tick(&mut self, at: Millis) {
        let busy: Vec<IpAddr> = self.sources.iter().filter(|(_, s)| s.open > 0).map(|(ip, _)| *ip).collect();
        for ip in busy {
            self.second(ip, at, |_| {});
        }
    }

    /// Every second of every address that `name` knows as a pod.
    pub(super) fn facts(
        &self,
        dependency: &str,
        name: impl Fn(IpAddr, Millis) -> Option<String>,
    ) -> Vec<CallFact> {
        let mut facts = Vec::new();
        for (ip, source) in &self.sources {
            for (at, second) in &source.seconds {
                let Some(pod) = name(*ip, *at) else { continue };
                let Second { calls, pings, opened, open } = *second;
                facts.push(CallFact {
                    at: *at,
                    dependency: dependency.to_owned(),
                    pod,
                    calls,
                    pings,
                    opened,
                    open,
                });
            }
        }
        facts
    }

    fn second(&mut self, ip: IpAddr, at: Millis, change: impl FnOnce(&mut Second)) {
        let source = self.sources.entry(ip).or_default();
        let start = at - at.rem_euclid(1_000);
        if !source.seconds.contains_key(&start) {
            if self.kept >= MAX_SECONDS {
                return;
            }
            self.kept += 1;
        }
        let second = source.seconds.entry(start).or_default();
        change(second);
        second.open = source.open;
    }
}
