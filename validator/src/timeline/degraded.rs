//! The step in which dependencies are degraded: its faults, and whether a circuit opened in them.

use super::{Timeline, Unmeasured};
use crate::config::Breaker;
use crate::evidence::{Failure, Fault, FaultFact, Millis, Outcome, RequestFact, Step};

/// Calls that stop for so long were stopped by the circuit, if its open time is not shorter.
const OPEN_MS: Millis = 3_000;

/// Steps and faults are written down by different clocks, known to some milliseconds.
const CLOCKS_MS: Millis = 500;

/// Statements that a share needs to be told.
const FEWEST: u64 = 20;

/// A share that is so many points beside what was ordered is another one.
const OFF_POINTS: f64 = 5.0;

/// Calls come so much more often when failed ones are repeated.
const REPEATED: f64 = 1.25;

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

    /// The share that was achieved, in percent; none of fewer calls than tell.
    pub fn achieved_percent(&self) -> Option<f64> {
        let FaultFact { hits, met, .. } = *self.fact;
        (met >= FEWEST).then(|| hits as f64 * 100.0 / met as f64)
    }

    /// Why the share that was achieved is not the one that was ordered, if it is not.
    pub fn missed_share(&self) -> Option<String> {
        let ordered = self.failing_percent()?;
        let (met, name) = (self.fact.met, self.name());
        let Some(achieved) = self.achieved_percent() else {
            return Some(format!("{name}: {met} calls came while {ordered} % were to fail"));
        };
        ((achieved - f64::from(ordered)).abs() > OFF_POINTS)
            .then(|| format!("{name}: {achieved:.0} % of {met} calls failed, {ordered} % were to"))
    }
}

/// gRPC status code NOT_FOUND.
const NOT_FOUND: u16 = 5;

impl<'a> Timeline<'a> {
    /// The faults of the step that are wanted, on pods that lived through them.
    ///
    /// # Errors
    /// Why there is none: the run did not try it, what it did is not known, or `none`, which says what was needed.
    pub fn degraded(
        &self,
        wanted: impl Fn(&Degraded<'a>) -> bool,
        none: &str,
    ) -> Result<Vec<Degraded<'a>>, Unmeasured> {
        if self.step(Step::Degraded).is_none() {
            return Err(Unmeasured::NotDeclared("this run did not try it".into()));
        }
        let (begin, end) = self.between(Step::Degraded, Step::Degraded)?;
        let within = |at: Millis| (begin - CLOCKS_MS..=end + CLOCKS_MS).contains(&at);
        let all = self.faults.all.iter().filter(|(_, fact)| within(fact.began));
        let all = all.map(|(line, fact)| Degraded { fact, line: *line, breaker: self.breaker_of(fact) });
        let lived = all.filter(|one| self.deleted(&one.fact.pod) > one.fact.ended);
        let chosen: Vec<Degraded> = lived.filter(wanted).collect();
        if chosen.is_empty() {
            return Err(Unmeasured::NotDeclared(none.into()));
        }
        chosen.iter().try_for_each(|one| self.trust.was_read(&one.fact.dependency))?;
        Ok(chosen)
    }

    fn breaker_of(&self, fact: &FaultFact) -> Option<&'a Breaker> {
        self.breakers().find(|(declared, _)| declared.name == fact.dependency).map(|(_, breaker)| breaker)
    }

    /// When calls stopped for as long as only a circuit stops them, while a fault was in force or just after it.
    ///
    /// # Errors
    /// It would not show, or the circuit was open before.
    pub fn opened_in(&self, one: &Degraded) -> Result<Option<Millis>, Unmeasured> {
        let FaultFact { dependency, pod, began, ended, .. } = one.fact;
        let limit = self.telling_pause(dependency, OPEN_MS)?;
        let calls = self.calls.of(dependency, pod);
        if calls.within((began - limit, *began)) == 0 {
            return Err(Unmeasured::NotSeen(format!("{} made no call before it", one.name())));
        }
        let next = self.faults.next_after(one.fact).unwrap_or(Millis::MAX);
        let until = next.min(ended + limit).min(self.deleted(pod));
        let (pause, since) = calls.longest_pause((*began, until));
        Ok((pause >= limit).then_some(since))
    }

    /// Requests, to whichever pod, that their clients gave up while a fault was in force.
    pub fn given_up_in(&self, one: &Degraded) -> usize {
        let (began, ended) = one.during();
        let given_up = |r: &RequestFact| r.outcome == Outcome::GaveUp && (began..=ended).contains(&r.due);
        self.load.requests.iter().filter(|(_, r)| given_up(r)).count()
    }

    /// Whether failed calls are repeated, in words: then fewer requests fail than calls do.
    pub fn repeats(&self, one: &Degraded) -> Option<String> {
        let FaultFact { dependency, pod, began, ended, .. } = one.fact;
        let calls = self.calls.of(dependency, pod);
        let per_s = |(from, to): (Millis, Millis)| {
            calls.within((from, to)) as f64 * 1000.0 / (to - from).max(1) as f64
        };
        // The rate before it, as far as nothing else was going on there; and while calls failed, until they stopped.
        let stopped = self.opened_in(one).ok().flatten().unwrap_or(*ended);
        let (before, meanwhile) = (per_s((began - BEFORE_MS, *began)), per_s((*began, stopped)));
        let chance = 2.0 * (before * 1000.0 / BEFORE_MS as f64).sqrt();
        (meanwhile > before * REPEATED + chance).then(|| {
            format!("{meanwhile:.0} calls per second instead of {before:.0}: failed ones are repeated")
        })
    }
}

/// How long the rate before a fault is looked at.
const BEFORE_MS: Millis = 3_000;
