//! Moments in which our probes of every pod failed at once.

use std::collections::BTreeSet;

use super::disturbance::{Disturbance, Source};
use crate::evidence::{Evidence, Fact, Millis, ProbeFact};

/// Stretches without an answer up to this long are blips; what lasts longer is a state of the pods.
const BLIP_MS: Millis = 2_000;

/// Fewer pods may well have failed by chance, or for one reason.
const FEWEST_PODS: usize = 2;

/// No pod answered: not one of several, on none of its endpoints. Faults of the run, which may do the same to all pods,
/// last longer than a blip.
pub(super) fn disturbances(evidence: &Evidence) -> Vec<Disturbance> {
    let probes =
        evidence.facts.iter().filter_map(|f| if let Fact::Probe(probe) = f { Some(probe) } else { None });
    let (answered, silent): (Vec<_>, Vec<_>) = probes.partition(|probe| probe.answer.is_ok());
    let faults =
        evidence.facts.iter().filter_map(|f| if let Fact::Fault(fault) = f { Some(fault) } else { None });
    let broken: Vec<(Millis, Millis)> = faults.map(|fault| (fault.began, fault.ended)).collect();
    let blips = silent.iter().filter(|probe| probe.to - probe.from <= BLIP_MS);
    let at_once = blips.filter(|blip| {
        // Whether a fault of the run was in force.
        let faulty = broken.iter().any(|(began, ended)| *began <= blip.to && *ended >= blip.from);
        let met = |other: &&ProbeFact| meet(blip, other);
        if faulty || answered.iter().copied().any(|other| met(&other)) {
            return false;
        }
        let pods: BTreeSet<_> = silent.iter().copied().filter(met).map(|probe| probe.pod.as_str()).collect();
        pods.len() >= FEWEST_PODS
    });
    let told = at_once.map(|blip| Disturbance {
        from: blip.from,
        to: blip.to,
        source: Source::Prober,
        why: "no pod answered our probes at the time, not one of them".to_owned(),
    });
    told.collect()
}

fn meet(one: &ProbeFact, other: &ProbeFact) -> bool {
    one.from <= other.to && other.from <= one.to
}
