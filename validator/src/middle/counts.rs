//! Counts the calls of each address, to a tenth of a second.

use std::collections::BTreeMap;

use super::PodNow;
use crate::evidence::{CallFact, Millis};
use crate::middle::Origin;

/// Seconds kept in all; an hour of a hundred pods.
const MAX_SECONDS: usize = 500_000;

/// So long it may take until we are told that an address is a pod of the target. What others did is forgotten then.
const UNKNOWN_MS: Millis = 60_000;

/// All addresses that have connected.
#[derive(Default)]
pub(super) struct Counts {
    sources: BTreeMap<Origin, Source>,
    kept: usize,
    /// The last second that was looked at.
    ticked: i64,
    /// Since when seconds are missing.
    pub(super) overflown: Option<Millis>,
}

#[derive(Default)]
struct Source {
    open: u32,
    most_open: u32,
    calls: u64,
    pings: u64,
    last_call: Option<Millis>,
    seconds: BTreeMap<Millis, Second>,
}

#[derive(Default)]
struct Second {
    calls: [u32; 10],
    pings: u32,
    set_up: u32,
    opened: u32,
    open: u32,
    sent: u64,
    received: u64,
}

impl Counts {
    pub(super) fn opened(&mut self, origin: Origin, at: Millis) {
        self.sources.entry(origin).or_default().open += 1;
        self.second(origin, at, |second| second.opened += 1);
    }

    pub(super) fn closed(&mut self, origin: Origin, at: Millis) {
        let source = self.sources.entry(origin).or_default();
        source.open = source.open.saturating_sub(1);
        self.second(origin, at, |_| {});
    }

    pub(super) fn call(&mut self, origin: Origin, at: Millis) {
        let source = self.sources.entry(origin).or_default();
        source.calls += 1;
        source.last_call = Some(at);
        let tenth = (at % 1_000 / 100) as usize;
        self.second(origin, at, |second| second.calls[tenth] += 1);
    }

    pub(super) fn ping(&mut self, origin: Origin, at: Millis) {
        self.sources.entry(origin).or_default().pings += 1;
        self.second(origin, at, |second| second.pings += 1);
    }

    pub(super) fn set_up(&mut self, origin: Origin, at: Millis) {
        self.second(origin, at, |second| second.set_up += 1);
    }

    pub(super) fn bytes(&mut self, origin: Origin, at: Millis, sent: u64, received: u64) {
        self.second(origin, at, |second| {
            second.sent += sent;
            second.received += received;
        });
    }

    pub(super) fn open(&self, origin: &Origin) -> u32 {
        self.sources.get(origin).map(|source| source.open).unwrap_or_default()
    }

    /// Open connections of everybody.
    pub(super) fn all_open(&self) -> u64 {
        self.sources.values().map(|source| u64::from(source.open)).sum()
    }

    /// Adds what an address did to what is known of its pod.
    pub(super) fn add_to(&self, origin: &Origin, now: &mut PodNow) {
        let Some(source) = self.sources.get(origin) else { return };
        now.calls += source.calls;
        now.pings += source.pings;
        now.open += source.open;
        now.most_open += source.most_open;
        now.last_call = now.last_call.max(source.last_call);
    }

    /// A second in which an address has connections open is a second to tell of, even if nothing happens.
    pub(super) fn tick(&mut self, at: Millis, is_target: impl Fn(&Origin) -> bool) {
        if at.div_euclid(1_000) == self.ticked {
            return;
        }
        self.ticked = at.div_euclid(1_000);
        // Once in a second: a pool that replaces its connections has both for a moment.
        for source in self.sources.values_mut() {
            source.most_open = source.most_open.max(source.open);
        }
        self.forget(at, is_target);
        let busy: Vec<Origin> =
            self.sources.iter().filter(|(_, s)| s.open > 0).map(|(origin, _)| *origin).collect();
        for origin in busy {
            self.second(origin, at, |_| {});
        }
    }

    /// Forgets what addresses did that turned out to be somebody else's.
    fn forget(&mut self, at: Millis, is_target: impl Fn(&Origin) -> bool) {
        for (_, source) in self.sources.iter_mut().filter(|(origin, _)| !is_target(origin)) {
            let kept = source.seconds.split_off(&(at - UNKNOWN_MS));
            self.kept -= source.seconds.len();
            source.seconds = kept;
        }
        self.sources
            .retain(|origin, source| source.open > 0 || !source.seconds.is_empty() || is_target(origin));
    }

    /// Every second of every address that `name` knows as a pod.
    pub(super) fn facts(
        &self,
        dependency: &str,
        name: impl Fn(Origin, Millis) -> Option<String>,
    ) -> Vec<CallFact> {
        let mut facts = Vec::new();
        for (origin, source) in &self.sources {
            for (at, second) in &source.seconds {
                let Some(pod) = name(*origin, *at) else { continue };
                let Second { calls, pings, set_up, opened, open, sent, received } = *second;
                facts.push(CallFact {
                    at: *at,
                    dependency: dependency.to_owned(),
                    pod,
                    calls,
                    pings,
                    set_up,
                    opened,
                    open,
                    sent,
                    received,
                });
            }
        }
        facts
    }

    fn second(&mut self, origin: Origin, at: Millis, change: impl FnOnce(&mut Second)) {
        let source = self.sources.entry(origin).or_default();
        let start = at - at.rem_euclid(1_000);
        if !source.seconds.contains_key(&start) {
            if self.kept >= MAX_SECONDS {
                self.overflown.get_or_insert(start);
                return;
            }
            self.kept += 1;
        }
        let second = source.seconds.entry(start).or_default();
        change(second);
        second.open = source.open;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bystander_uses_up_no_room_and_a_pod_keeps_every_second() {
        let (pod, other) = (
            Origin::from(std::net::IpAddr::from([10, 0, 0, 1])),
            Origin::from(std::net::IpAddr::from([10, 0, 0, 2])),
        );
        let mut counts = Counts::default();
        for origin in [pod, other] {
            counts.opened(origin, 0);
        }
        for second in 0..200 {
            for origin in [pod, other] {
                counts.call(origin, second * 1_000 + 100);
            }
            counts.tick(second * 1_000 + 500, |origin| *origin == pod);
        }
        assert_eq!(counts.kept, 200 + 60);
        assert_eq!(counts.open(&other), 1, "its connection is still there");
        let facts = counts.facts("db", |origin, _| (origin == pod).then(|| "a".to_owned()));
        assert_eq!((facts.len(), counts.overflown), (200, None));
    }

    #[test]
    fn what_is_not_kept_is_told() {
        let pod = Origin::from(std::net::IpAddr::from([10, 0, 0, 1]));
        let mut counts = Counts::default();
        (0..=MAX_SECONDS as Millis).for_each(|second| counts.call(pod, second * 1_000));
        assert_eq!(counts.overflown, Some(MAX_SECONDS as Millis * 1_000));
    }
}
