//! What a timeline tells of circuits, or why it cannot.

use super::{Circuit, Opening, opening, pace, telling_pause};
use crate::config::{Breaker, Dependency, Pace};
use crate::evidence::{FaultFact, Millis, Step};
use crate::timeline::{Timeline, Unmeasured};

/// Requests to each pod past the Service.
const DIRECT_PER_S: f64 = 10.0;

impl<'a> Timeline<'a> {
    /// Declared breakers, by dependency.
    pub fn breakers(&self) -> impl Iterator<Item = (&'a Dependency, &'a Breaker)> + use<'a> {
        self.plan().dependencies.iter().filter_map(|d| Some((d, d.breaker.as_ref()?)))
    }

    /// Every circuit that was put under test, or why one was not.
    pub fn tested_circuits(&self) -> Result<&[Circuit<'a>], Unmeasured> {
        if self.breakers().next().is_none() {
            return Err(Unmeasured::NotDeclared("the target file declares no circuit breaker".into()));
        }
        // Whoever was let go before the end of the hang has not shown what it does.
        self.between(Step::Hang, Step::Hang)?;
        for (dependency, _) in self.breakers() {
            let name = dependency.name.as_str();
            self.trust.was_read(name)?;
            self.came_through(name)?;
            if !self.circuits.iter().any(|circuit| circuit.dependency == name) {
                return Err(Unmeasured::NotSeen(format!("the calls to {name} were not made to hang")));
            }
        }
        self.breakers().try_for_each(|(dependency, breaker)| self.calls_enough(&dependency.name, breaker))?;
        Ok(&self.circuits)
    }

    /// Whether the load makes as many calls as a circuit needs to open. A call makes one statement at least, and so
    /// does a request. Processes of a pod share its calls.
    ///
    /// # Errors
    /// It does not, or how many come is not known.
    pub fn calls_enough(&self, dependency: &str, breaker: &Breaker) -> Result<(), Unmeasured> {
        let Some((needed, why)) = breaker.opens.needs() else { return Ok(()) };
        let plan = self.plan();
        let requests = plan.traffic.rate / f64::from(plan.target.replicas.max(1)) + DIRECT_PER_S;
        let per_pod = self.quiet_calls_per_s(dependency)?.min(requests);
        let calls = per_pod / f64::from(breaker.per_process);
        let few = || {
            format!(
                "{calls:.1} calls per second and circuit at {dependency} are fewer than {why}: raise the rate"
            )
        };
        if calls < needed { Err(Unmeasured::NotSeen(few())) } else { Ok(()) }
    }

    /// What became of the circuit while calls hung that their callers gave up before their deadline.
    pub fn abandoned_opening(&self, hang: &FaultFact, breaker: &Breaker) -> Opening {
        let pace = pace(hang, &self.calls, self.span(Step::Quiet));
        let latest = breaker.opens_between_s(pace).1 + Breaker::LATE_S;
        let hung_s = (hang.ended - hang.began) as f64 / 1000.0;
        opening(hang, breaker, pace, (&self.load, &self.trust), hung_s - latest)
    }

    /// When the slowest circuit with this breaker has to be open, in seconds after its calls began to fail.
    pub fn opens_by_s(&self, breaker: &Breaker) -> f64 {
        let mine = self.circuits.iter().filter(|circuit| std::ptr::eq(circuit.breaker, breaker));
        mine.map(|circuit| circuit.opens_between_s().1)
            .fold(breaker.opens_between_s(Pace::FASTEST).1, f64::max)
    }

    /// How long calls of a pod must stop for it to look like an open circuit: this long, or less when the open time is
    /// shorter. Nothing can be said if the pod makes so few calls that the stretch may be chance.
    pub fn telling_pause(&self, dependency: &str, at_most: Millis) -> Result<Millis, Unmeasured> {
        let breaker = self.breakers().find(|(declared, _)| declared.name == dependency);
        let (pause, needed) = telling_pause(breaker.map(|(_, breaker)| breaker), at_most);
        let rate = self.quiet_calls_per_s(dependency)?;
        let few = || {
            let pause_s = pause as f64 / 1000.0;
            format!(
                "{rate:.1} calls per second and pod at {dependency} are too few to tell a pause of {pause_s} s"
            )
        };
        if rate < needed {
            return Err(Unmeasured::NotSeen(few()));
        }
        Ok(pause)
    }

    /// Every circuit and by when it was open; without an answer if one did not, which is for its own check to say.
    pub fn opened_circuits(&self) -> Result<Vec<(&Circuit<'a>, Millis)>, Unmeasured> {
        let opened = self.tested_circuits()?.iter().map(|circuit| match &circuit.opening {
            Opening::At(opened) => Ok((circuit, opened.by)),
            Opening::Never => {
                Err(Unmeasured::NotSeen(format!("the circuit of {} never opened", circuit.pod)))
            }
            Opening::Unseen(reason) => Err(Unmeasured::NotSeen(reason.clone())),
        });
        opened.collect()
    }
}
