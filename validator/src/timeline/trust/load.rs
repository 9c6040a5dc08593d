//! Seconds in which a load agent sent late.

use std::collections::BTreeMap;

use super::disturbance::{Disturbance, Source};
use crate::evidence::{Evidence, Fact, Millis};

/// A share of late requests that is more than chance.
const LATE_SHARE: f64 = 0.05;

/// One late request in a second is no stall.
const LATE_REQUESTS: u32 = 2;

/// What was sent late may fail later, and what delayed it may have begun before.
const SPREAD_MS: Millis = 1_000;

/// One agent had to send something in this second, and too much of it left late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateSecond<'a> {
    /// Start of the second.
    pub at: Millis,
    /// The agent.
    pub agent: &'a str,
    /// Requests due.
    pub due: u32,
    /// Of these, left late or not at all.
    pub late: u32,
}

/// How many seconds the agents had something to send in, all of them together, and which of these were late.
pub fn late_seconds(evidence: &Evidence, (from, to): (Millis, Millis)) -> (usize, Vec<LateSecond<'_>>) {
    let mut seconds: BTreeMap<(Millis, &str), LateSecond> = BTreeMap::new();
    for fact in &evidence.facts {
        let Fact::Second(second) = fact else { continue };
        if second.due == 0 || second.at + 999 < from || second.at > to {
            continue;
        }
        let (at, agent) = (second.at, second.agent.as_str());
        let sum = seconds.entry((at, agent)).or_insert(LateSecond { at, agent, due: 0, late: 0 });
        sum.due += second.due;
        sum.late += second.due.saturating_sub(second.on_time);
    }
    (seconds.len(), seconds.into_values().filter(LateSecond::is_late).collect())
}

pub(super) fn disturbances(evidence: &Evidence) -> Vec<Disturbance> {
    let (_, late) = late_seconds(evidence, (Millis::MIN, Millis::MAX));
    late.iter().map(LateSecond::told).collect()
}

impl LateSecond<'_> {
    fn is_late(&self) -> bool {
        self.late >= LATE_REQUESTS && f64::from(self.late) > f64::from(self.due) * LATE_SHARE
    }

    fn told(&self) -> Disturbance {
        let Self { at, agent, due, late } = self;
        let why = format!("{late} of {due} requests of {agent} left late at the time");
        Disturbance { from: at - SPREAD_MS, to: at + 999 + SPREAD_MS, source: Source::Load, why }
    }
}
