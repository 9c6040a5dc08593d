//! Moments in which our probes of every pod failed at once.

use std::collections::BTreeMap;

use super::disturbance::{Disturbance, Source};
use crate::evidence::{Evidence, Fact, Millis};

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
    let mut silent_pods: BTreeMap<&str, Vec<Stretch>> = BTreeMap::new();
    for probe in &silent {
        silent_pods.entry(probe.pod.as_str()).or_default().push((probe.from, probe.to));
    }
    let silent_pods: Vec<Stretches> = silent_pods.into_values().map(Stretches::new).collect();
    let answered = Stretches::new(answered.iter().map(|probe| (probe.from, probe.to)).collect());
    let faults =
        evidence.facts.iter().filter_map(|f| if let Fact::Fault(fault) = f { Some(fault) } else { None });
    let broken = Stretches::new(faults.map(|fault| (fault.began, fault.ended)).collect());
    let blips = silent.iter().filter(|probe| probe.to - probe.from <= BLIP_MS);
    let at_once = blips.filter(|blip| {
        let during = (blip.from, blip.to);
        let silent = silent_pods.iter().filter(|pod| pod.meet(during)).count();
        !broken.meet(during) && !answered.meet(during) && silent >= FEWEST_PODS
    });
    let told = at_once.map(|blip| Disturbance {
        from: blip.from,
        to: blip.to,
        source: Source::Prober,
        why: "no pod answered our probes at the time, not one of them".to_owned(),
    });
    told.collect()
}

type Stretch = (Millis, Millis);

/// Stretches by when they begin, each with the latest end until then: whether one meets another is found without
/// looking at all of them.
struct Stretches(Vec<Stretch>);

impl Stretches {
    fn new(mut stretches: Vec<Stretch>) -> Self {
        stretches.sort_unstable();
        let mut latest = Millis::MIN;
        for (_, end) in &mut stretches {
            latest = latest.max(*end);
            *end = latest;
        }
        Self(stretches)
    }

    fn meet(&self, (from, to): Stretch) -> bool {
        let begun = self.0.partition_point(|(begin, _)| *begin <= to);
        self.0[..begun].last().is_some_and(|(_, latest)| *latest >= from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{ProbeFact, ProbeTarget};
    use crate::timeline::tests::header;

    fn said(pod: &str, (from, to): Stretch, answer: Result<u16, &str>) -> Fact {
        let (answer, target) = (answer.map_err(str::to_owned), ProbeTarget::Readiness);
        Fact::Probe(ProbeFact { from, to, pod: pod.into(), target, answer, samples: 1 })
    }

    fn told(facts: Vec<Fact>) -> Vec<Stretch> {
        let evidence = Evidence::new(header(), facts);
        disturbances(&evidence).iter().map(|d| (d.from, d.to)).collect()
    }

    #[test]
    fn only_a_blip_of_every_pod_at_once_is_the_probers() {
        let blips = || {
            vec![
                said("a", (0, 20_000), Ok(200)),
                said("a", (20_250, 20_500), Err("timeout")),
                said("b", (20_400, 20_600), Err("timeout")),
                said("a", (21_000, 40_000), Ok(200)),
            ]
        };
        assert_eq!(told(blips()), [(20_250, 20_500), (20_400, 20_600)]);
        let also = |fact| blips().into_iter().chain([fact]).collect();
        assert!(told(also(said("c", (1_000, 30_000), Ok(503)))).is_empty(), "one answered all the while");
        let long = said("c", (1_000, 30_000), Err("refused"));
        assert_eq!(told(also(long)).len(), 2, "that one is gone says nothing of the others");
        assert!(told(blips().drain(..2).collect()).is_empty(), "a pod alone may be at fault");
    }

    #[test]
    fn a_stretch_that_began_long_before_is_met() {
        let stretches = Stretches::new(vec![(0, 100), (10, 20), (30, 40)]);
        assert!(stretches.meet((50, 60)) && stretches.meet((100, 200)));
        assert!(!stretches.meet((101, 200)) && !stretches.meet((-5, -1)));
        assert!(!Stretches::new(Vec::new()).meet((0, 1)));
    }
}
