//! The faults of the run, in the order in which they began.

use crate::evidence::{Evidence, Fact, Fault, FaultFact, Millis};

/// All faults with their lines.
#[derive(Debug, Default)]
pub struct FaultView<'a> {
    /// In time order.
    pub all: Vec<(usize, &'a FaultFact)>,
}

impl<'a> FaultView<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let faults = evidence.numbered().filter_map(|(line, fact)| match fact {
            Fact::Fault(fault) => Some((line, fault)),
            _ => None,
        });
        let mut all: Vec<_> = faults.collect();
        all.sort_by_key(|(_, fault)| fault.began);
        Self { all }
    }

    /// Faults of one kind, on any pod.
    pub fn of_kind(&self, kind: fn(&Fault) -> bool) -> impl Iterator<Item = (usize, &'a FaultFact)> {
        self.all.iter().copied().filter(move |(_, fault)| kind(&fault.fault))
    }

    /// Faults of one pod at one dependency.
    pub fn on<'s>(
        &'s self,
        dependency: &'s str,
        pod: &'s str,
    ) -> impl Iterator<Item = (usize, &'a FaultFact)> + 's {
        let mine = self.all.iter().filter(move |(_, f)| f.dependency == dependency && f.pod == pod);
        mine.copied()
    }

    /// When the next fault of the same pod at the same dependency begins.
    pub fn next_after(&self, fault: &FaultFact) -> Option<Millis> {
        let mut later = self.on(&fault.dependency, &fault.pod).filter(|(_, f)| f.began >= fault.ended);
        later.next().map(|(_, f)| f.began)
    }
}
