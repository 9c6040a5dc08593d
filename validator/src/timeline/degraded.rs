//! The step in which dependencies are degraded: its faults, and what has to be known of each.

use super::{Timeline, Unmeasured};
use crate::config::{Breaker, Dependency};
use crate::evidence::{Failure, Fault, FaultFact, Millis, Outcome, RequestFact, Step};

/// Steps and faults are written down by different clocks, known to some milliseconds.
const CLOCKS_MS: Millis = 500;

/// Statements that a share needs to be told.
const FEWEST: u64 = 20;

/// A share that is so many points beside what was ordered is another one.
const OFF_POINTS: f64 = 5.0;

/// What a check is about.
pub struct Sought<'s, 'a> {
    /// The faults.
    pub fault: &'s dyn Fn(&Degraded<'a>) -> bool,
    /// Declared dependencies before which there has to be such a fault.
    pub due: &'s dyn Fn(&Dependency) -> bool,
    /// Why there is none where none is due.
    pub none: &'s str,
}

/// What was found of it.
#[derive(Debug)]
pub struct Chosen<'a> {
    /// The faults of which the agent's record is whole.
    pub all: Vec<Degraded<'a>>,
    /// Why there is no more: of each dependency of which nothing is known.
    pub open: Vec<Unmeasured>,
}

impl<'a> Chosen<'a> {
    /// Looks at each fault by itself: what cannot be told of one is no reason to forget what another one showed.
    pub fn look<T>(
        &mut self,
        look: impl Fn(&Degraded<'a>) -> Result<T, Unmeasured>,
    ) -> Vec<(Degraded<'a>, T)> {
        let mut told = Vec::new();
        for one in &self.all {
            match look(one) {
                Ok(seen) => told.push((*one, seen)),
                Err(why) => self.open.push(why),
            }
        }
        told
    }
}

/// One fault of the step.
#[derive(Clone, Copy, Debug)]
pub struct Degraded<'a> {
    /// The fault.
    pub fact: &'a FaultFact,
    /// Its line.
    pub line: usize,
    /// The declared breaker of the dependency.
    pub breaker: Option<&'a Breaker>,
}

impl Degraded<'_> {
    /// Name for the report.
    pub fn name(&self) -> String {
        format!("{} -> {}", self.fact.pod, self.fact.dependency)
    }

    /// From its begin to its end.
    pub fn during(&self) -> (Millis, Millis) {
        (self.fact.began, self.fact.ended)
    }

    /// The share of calls that was to fail, in percent, if it is an error that a breaker counts.
    pub fn failing_percent(&self) -> Option<u8> {
        let Fault::Fail { with, share_percent } = &self.fact.fault else { return None };
        let counts = match with {
            Failure::Sqlstate(_) => true,
            Failure::Status(status) => *status >= 500,
            Failure::Grpc(status) => *status != NOT_FOUND,
            Failure::FailOver | Failure::Startup(_) | Failure::ReadOnly => false,
        };
        counts.then_some(*share_percent)
    }

    /// Whether every call was answered that what it asked for is not there.
    pub fn is_client_error(&self) -> bool {
        let Fault::Fail { with, .. } = &self.fact.fault else { return false };
        match with {
            Failure::Status(status) => *status < 500,
            Failure::Grpc(status) => *status == NOT_FOUND,
            _ => false,
        }
    }

    /// Whether so large a share has to open its breaker.
    pub fn must_open(&self) -> bool {
        self.breaker.zip(self.failing_percent()).is_some_and(|(breaker, p)| breaker.opens_at_percent(p))
    }

    /// The share that was achieved, in percent; none of fewer calls than tell. Of all or none there is no other share.
    pub fn achieved_percent(&self) -> Option<f64> {
        let FaultFact { hits, met, .. } = *self.fact;
        let fewest = if self.failing_percent() == Some(100) { 1 } else { FEWEST };
        (met >= fewest).then(|| hits as f64 * 100.0 / met as f64)
    }
}

/// gRPC status code NOT_FOUND.
const NOT_FOUND: u16 = 5;

/// Calls that come at less than this share of their usual rate wait for each other.
const ALL_COME: f64 = 0.9;

impl<'a> Timeline<'a> {
    /// The faults of the step that are sought, on pods that lived through them.
    ///
    /// # Errors
    /// Why there is none: the run did not try it, what it did is not known, or none is due.
    pub fn degraded(&self, sought: &Sought<'_, 'a>) -> Result<Chosen<'a>, Unmeasured> {
        if self.step(Step::Degraded).is_none() {
            return Err(Unmeasured::NotDeclared("this run did not try it".into()));
        }
        let (begin, end) = self.between(Step::Degraded, Step::Degraded)?;
        let within = |at: Millis| (begin - CLOCKS_MS..=end + CLOCKS_MS).contains(&at);
        let all = self.faults.all.iter().filter(|(_, fact)| within(fact.began));
        let all = all.map(|(line, fact)| Degraded { fact, line: *line, breaker: self.breaker_of(fact) });
        let lived = all.filter(|one| self.deleted(&one.fact.pod) > one.fact.ended);
        let mut chosen = Chosen { all: lived.filter(|one| (sought.fault)(one)).collect(), open: Vec::new() };
        if chosen.all.is_empty() {
            // What an agent did not keep may have been there.
            self.plan().dependencies.iter().try_for_each(|d| self.trust.was_connected(&d.name))?;
        }
        let due = self.plan().dependencies.iter().filter(|d| (sought.due)(d));
        let missing = due.filter(|d| !chosen.all.iter().any(|one| one.fact.dependency == d.name));
        chosen.open.extend(missing.map(|dependency| self.why_missing(dependency)));
        match (chosen.all.is_empty(), chosen.open.first()) {
            (true, None) => return Err(Unmeasured::NotDeclared(sought.none.into())),
            (true, Some(why)) => return Err(why.clone()),
            _ => {}
        }
        let told = |name: &str| self.trust.was_read(name).and_then(|()| self.came_through(name));
        chosen.all.retain(|one| match told(&one.fact.dependency) {
            Ok(()) => true,
            Err(why) => {
                chosen.open.push(why);
                false
            }
        });
        Ok(chosen)
    }

    fn why_missing(&self, dependency: &Dependency) -> Unmeasured {
        let name = &dependency.name;
        let few = dependency.breaker.as_ref().and_then(|breaker| self.calls_enough(name, breaker).err());
        few.unwrap_or_else(|| {
            Unmeasured::NotSeen(format!("{name}: it was not done (the pool, the rate or what is usual leave no room for it), or not on a pod that lived through it"))
        })
    }

    fn breaker_of(&self, fact: &FaultFact) -> Option<&'a Breaker> {
        self.breakers().find(|(declared, _)| declared.name == fact.dependency).map(|(_, breaker)| breaker)
    }

    /// Why the share that was achieved is not the one that was ordered, if it is not. A circuit that had to open, and did,
    /// needed no more calls than it got.
    pub fn missed_share(&self, one: &Degraded) -> Option<String> {
        let ordered = one.failing_percent()?;
        let (met, name) = (one.fact.met, one.name());
        let Some(achieved) = one.achieved_percent() else {
            let opened = one.must_open() && matches!(self.all_opened_in(one), Ok(Some(_)));
            return (!opened).then(|| format!("{name}: {met} calls came while {ordered} % were to fail"));
        };
        ((achieved - f64::from(ordered)).abs() > OFF_POINTS)
            .then(|| format!("{name}: {achieved:.0} % of {met} calls failed, {ordered} % were to"))
    }

    /// Requests past the Service to the pod of a fault that their clients gave up while it was in force, and that would
    /// have had an answer in time without it.
    pub fn given_up_in(&self, one: &Degraded) -> usize {
        let (began, ended) = one.during();
        let direct = self.load.direct_requests(&one.fact.pod, (began, ended - 1));
        let given_up =
            |r: &RequestFact| r.outcome == Outcome::GaveUp && r.took_ms > self.load.usual_ms(r.template);
        direct.filter(|(_, r)| given_up(r)).count()
    }

    /// Why calls that were made slow waited for each other, if they did: fewer reached the dependency than are made, until
    /// its circuit opened. Then it was we who held the pool.
    pub fn held_the_pool(&self, one: &Degraded) -> Option<String> {
        let (began, ended) = one.during();
        let until = self.opened_in(one).ok().flatten().map_or(ended, |at| at.min(ended));
        let calls = self.calls.of(&one.fact.dependency, &one.fact.pod);
        let (usual, came) = (self.usual_rate(one), calls.per_s((began, until)));
        (came < usual * ALL_COME).then(|| {
            format!(
                "{}: {came:.0} calls per second came instead of {usual:.0}: slow ones filled its pool, it was we who held it",
                one.name()
            )
        })
    }
}
