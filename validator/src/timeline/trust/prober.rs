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
        || evidence.facts.iter().filter_map(|f| if let Fact::Probe(probe) = f { Some(probe) } else { None });
    let silent = probes().filter(|probe| probe.answer.is_err());
    let blips = silent.clone().filter(|probe| probe.to - probe.from <= BLIP_MS);
    let at_once = blips.filter(|blip| {
        let failed: BTreeSet<_> = silent.clone().filter(|other| meet(blip, other)).map(name).collect();
        let answered = probes().filter(|other| other.answer.is_ok() && meet(blip, other)).map(name).next();
        let pods: BTreeSet<_> = failed.iter().map(|(pod, _)| pod).collect();
        answered.is_none() && pods.len() >= FEWEST_PODS && !faulty(evidence, blip)
    });
    let told = at_once.map(|blip| Disturbance {
        from: blip.from,
        to: blip.to,
        source: Source::Prober,
        why: "no pod answered our probes at the time, not one of them".to_owned(),
    });
    told.collect()
}

fn name(probe: &ProbeFact) -> (&str, crate::evidence::ProbeTarget) {
    (probe.pod.as_str(), probe.target)
}

fn meet(one: &ProbeFact, other: &ProbeFact) -> bool {
    one.from <= other.to && other.from <= one.to
}

/// Whether a fault of the run was in force.
fn faulty(evidence: &Evidence, blip: &ProbeFact) -> bool {
    let in_force = |fact: &Fact| matches!(fact, Fact::Fault(f) if f.began <= blip.to && f.ended >= blip.from);
    evidence.facts.iter().any(in_force)
}
