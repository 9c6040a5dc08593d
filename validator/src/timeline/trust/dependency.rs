//! Dependencies that were sick by themselves: an agent could not reach them although nothing was broken on purpose.

use super::disturbance::{Disturbance, Source};
use crate::evidence::{Evidence, Fact, MiddleTrouble, Millis, Trouble};

/// What failed for want of the dependency may have begun before an agent met it, and a pool takes a while to come back.
const SPREAD_MS: Millis = 5_000;

pub(super) fn disturbances(evidence: &Evidence) -> Vec<Disturbance> {
    let unreached = evidence.facts.iter().filter_map(|fact| match fact {
        Fact::Trouble(MiddleTrouble { at, dependency, trouble: Trouble::Unreached(why) }) => {
            Some((*at, dependency, why))
        }
        _ => None,
    });
    let told = unreached.map(|(at, dependency, why)| Disturbance {
        from: at - SPREAD_MS,
        to: at + SPREAD_MS,
        source: Source::Dependency(dependency.clone()),
        why: format!("{dependency} could not be reached by itself: {why}"),
    });
    told.collect()
}
