//! Losses: data stores that were taken away from a pod altogether, and when each came back.

use super::{Timeline, Unmeasured};
use crate::config::{Dependency, Need, Protocol};
use crate::evidence::{Fault, FaultFact, Millis, Step};

/// One pod and everything that it lost from [`Step::Loss`] on, in order.
#[derive(Clone, Debug)]
pub struct Loss<'a> {
    /// The pod.
    pub pod: &'a str,
    /// The faults with their lines; the first one is the only one for a while.
    pub faults: Vec<(usize, &'a FaultFact)>,
}

/// Steps and faults are written down by different clocks, known to some milliseconds.
const CLOCKS_MS: Millis = 500;

/// Calls that have stopped for so long were stopped by the circuit, if its open time is not shorter.
const STOPPED_MS: Millis = 2_000;

impl<'a> Loss<'a> {
    /// The first fault.
    pub fn first(&self) -> &'a FaultFact {
        self.faults[0].1
    }

    /// When the last one ended.
    pub fn ended(&self) -> Millis {
        self.faults.iter().map(|(_, fault)| fault.ended).max().unwrap_or_default()
    }

    /// The dependencies that were away at a moment.
    pub fn away_at(&self, moment: Millis) -> Vec<&'a str> {
        let away = self.faults.iter().filter(|(_, f)| (f.began..=f.ended).contains(&moment));
        away.map(|(_, f)| f.dependency.as_str()).collect()
    }
}

impl<'a> Timeline<'a> {
    /// The faults of a loss that take what readiness needs.
    pub fn needed<'l>(&self, loss: &'l Loss<'a>) -> impl Iterator<Item = &'a FaultFact> + use<'l, 'a> {
        let stores = self.promised_stores().filter(|store| store.readiness == Need::Required);
        let needed: Vec<&str> = stores.map(|store| store.name.as_str()).collect();
        loss.faults.iter().map(|(_, fault)| *fault).filter(move |f| needed.contains(&f.dependency.as_str()))
    }

    /// Whether a loss could touch nothing for the policy's time, because the pod had stopped to call before it: its circuit
    /// was open from what had been done to the dependency in the step before, and the next trial was not due yet.
    pub fn found_circuit_open(&self, fault: &FaultFact) -> bool {
        let breaker = self.breakers().find(|(d, _)| d.name == fault.dependency).map(|(_, breaker)| breaker);
        let (Some(breaker), Some(degraded)) = (breaker, self.step(Step::Degraded)) else { return false };
        let Ok(pause) = self.telling_pause(&fault.dependency, STOPPED_MS) else { return false };
        let calls = self.calls.of(&fault.dependency, &fault.pod);
        let last = calls.last_before(fault.began).unwrap_or_default();
        let touched_by = fault.began + (self.plan().limits().max_fault_effect_s * 1000.0) as Millis;
        let trial_by = ((breaker.open_for.0 + breaker.deadline.0) * 1000.0) as Millis + STOPPED_MS;
        fault.fault.is_loss()
            && fault.began >= degraded.begin
            && fault.began - last >= pause
            && calls.within((fault.began, touched_by)) == 0
            && fault.began <= last.max(degraded.begin) + trial_by
    }

    /// What each pod lost, or why none lost anything.
    pub fn losses(&self) -> Result<Vec<Loss<'a>>, Unmeasured> {
        let stores: Vec<&str> = self.promised_stores().map(|dependency| dependency.name.as_str()).collect();
        if stores.is_empty() {
            return Err(Unmeasured::NotDeclared("the target file declares no data store".into()));
        }
        self.data_stores().try_for_each(|store| self.trust.was_read(&store.name))?;
        let came = |name: &&str| self.trust.was_connected(name).and_then(|()| self.came_through(name));
        stores.iter().try_for_each(came)?;
        let (begin, _) = self.between(Step::Loss, Step::Loss)?;
        let mut losses: Vec<Loss> = Vec::new();
        let since = self.faults.of_kind(Fault::is_loss).filter(|(_, f)| f.began >= begin - CLOCKS_MS);
        for (line, fault) in since.filter(|(_, f)| stores.contains(&f.dependency.as_str())) {
            match losses.iter_mut().find(|loss| loss.pod == fault.pod) {
                Some(loss) => loss.faults.push((line, fault)),
                None => losses.push(Loss { pod: &fault.pod, faults: vec![(line, fault)] }),
            }
        }
        if losses.is_empty() {
            return Err(Unmeasured::NotSeen("no pod lost a dependency".into()));
        }
        Ok(losses)
    }

    /// Of those that readiness is asked about: what no pod lost before it lost others. What is promised of it alone is not known.
    pub fn never_alone(&self, losses: &[Loss]) -> Vec<&'a str> {
        let alone = self.step(Step::Loss).map_or(Millis::MAX, |span| span.end.unwrap_or(Millis::MAX));
        let first = |loss: &Loss, name: &str| {
            loss.first().dependency == name && loss.first().began < alone - CLOCKS_MS
        };
        let is_first = |name: &str| losses.iter().any(|loss| first(loss, name));
        self.promised_stores().map(|store| store.name.as_str()).filter(|name| !is_first(name)).collect()
    }

    /// Until when a pod without this dependency lacked data stores alone: from then on its answers tell of something else,
    /// such as a loss of what is spoken over `tcp`.
    pub fn tells_until(&self, pods: impl Fn(&str) -> bool, (begin, end): (Millis, Millis)) -> Millis {
        let is_store = |name: &str| self.data_stores().any(|store| store.name == name);
        let others = self.faults.of_kind(Fault::is_loss).map(|(_, fault)| fault);
        let others = others.filter(|f| pods(&f.pod) && !is_store(&f.dependency));
        let during = others.filter(|f| f.began < end && f.ended > begin);
        during.map(|f| f.began).min().unwrap_or(end)
    }

    /// Declared dependencies that a service cannot be whole without.
    pub fn data_stores(&self) -> impl Iterator<Item = &'a Dependency> + use<'a> {
        let all = self.plan().dependencies.iter();
        all.filter(|dependency| dependency.protocol.is_store())
    }

    /// Those that are lost and of whose loss the file says what readiness makes of it.
    pub fn promised_stores(&self) -> impl Iterator<Item = &'a Dependency> + use<'a> {
        self.plan().dependencies.iter().filter(|dependency| dependency.is_promised())
    }

    /// Faults that took the collector away from one pod.
    pub fn collector_away(&self) -> Result<Vec<(usize, &'a FaultFact)>, Unmeasured> {
        let mut collectors = self.plan().dependencies.iter().filter(|d| d.protocol == Protocol::Otlp);
        let Some(collector) = collectors.next() else {
            return Err(Unmeasured::NotDeclared("the target file declares no collector".into()));
        };
        self.trust.was_connected(&collector.name)?;
        let away = self.faults.of_kind(Fault::is_loss).filter(|(_, f)| f.dependency == collector.name);
        let away: Vec<_> = away.collect();
        if away.is_empty() {
            return Err(Unmeasured::NotSeen(format!("{} was not taken away from any pod", collector.name)));
        }
        Ok(away)
    }
}
