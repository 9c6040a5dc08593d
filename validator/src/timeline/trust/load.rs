//! Seconds in which a load agent sent late.

use std::collections::BTreeMap;

use super::{Disturbance, Source};
use crate::evidence::{Evidence, Fact, Millis};

/// A share of late requests that is more than chance.
const LATE_SHARE: f64 = 0.05;

/// One late request in a second is no stall.
const LATE_REQUESTS: u32 = 2;

/// What was sent late may fail later, and what delayed it may have begun before.
const SPREAD_MS: Millis = 1_000;

/// What one agent had to send in one second, and how much of it left late.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    due: u32,
    late: u32,
}

pub(super) fn disturbances(evidence: &Evidence) -> Vec<Disturbance> {
    let mut paces: BTreeMap<(Millis, &str), Pace> = BTreeMap::new();
    for fact in &evidence.facts {
        let Fact::Second(second) = fact else { continue };
        let pace = paces.entry((second.at, second.agent.as_str())).or_default();
        pace.due += second.due;
        pace.late += second.due.saturating_sub(second.on_time);
    }
    let late = paces.into_iter().filter(|(_, pace)| pace.is_late());
    late.map(|((at, agent), pace)| pace.told(at, agent)).collect()
}

impl Pace {
    fn is_late(self) -> bool {
        self.late >= LATE_REQUESTS && f64::from(self.late) > f64::from(self.due) * LATE_SHARE
    }

    fn told(self, at: Millis, agent: &str) -> Disturbance {
        let why = format!("{} of {} requests of {agent} left late in that second", self.late, self.due);
        Disturbance { from: at - SPREAD_MS, to: at + 999 + SPREAD_MS, source: Source::Load, why }
    }
}
