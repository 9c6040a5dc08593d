//! A look at what serves: a gentle load past every agent, the probes, the watches. It rolls nothing and breaks nothing.

use std::time::Duration;

use tokio::time::sleep;

use super::preparation::QUIET;
use super::step_log::StepLog;
use super::{BEAT, LOAD_AT_MOST, Ran, kept, stop};
use crate::config::Probe;
use crate::events::Events;
use crate::evidence::{Evidence, Header, Step, Who};
use crate::failure::Failure;
use crate::moment::now;
use crate::plan::{Plan, TargetPlan};
use crate::platform::Platform;
use crate::pulse::Pulse;
use crate::steer::Target;

/// How long it lasts at least: at 10 requests per second a share of 1 % shows.
const LEAST: Duration = Duration::from_mins(1);

/// How long it lasts at most, however patient a probe is.
const MOST: Duration = Duration::from_mins(5);

/// One look at one target.
pub struct Observation<'a, P> {
    /// Where it runs.
    pub platform: &'a P,
    /// What was found of the target.
    pub target: &'a Target,
    /// What is to be done.
    pub plan: &'a Plan,
}

impl<P: Platform> Observation<'_, P> {
    /// Looks on. The caller owes the clean-up of the load agents, whatever happens, and holds the Lease under the run's name.
    ///
    /// # Errors
    /// Exit 3 when the environment fails; what the target does wrong is evidence, not an error.
    ///
    /// # Cancel safety
    /// Dropping it leaves load agents behind, which end their load after a minute without a word: `cluster::clean_up` takes
    /// them away.
    pub async fn run(&self, events: &Events) -> Result<Ran, Failure> {
        let started = now();
        events.expect(QUIET + length(&self.plan.target));
        events.tell(format!("starting {} load agents", self.plan.traffic.agents));
        let agents = self.platform.agents(self.plan).await?;
        let collector = self.platform.collect(self.plan).await?;
        let prober = agents.probe(self.target.probes.clone(), collector.pods());
        agents.start(self.plan, self.target, LOAD_AT_MOST).await?;
        let (step_log, pulse) = (StepLog::default(), Pulse::start(Who::Validator, BEAT, now));
        self.steps(&step_log, events).await;
        prober.abort();
        let stopped = stop(&agents).await;
        events.tell("fetching the evidence");
        let (load, failure) = kept(agents.evidence().await, stopped);
        let mut facts = self.target.facts.clone();
        facts.extend(step_log.facts().into_iter().chain(pulse.facts()).chain(load));
        facts.extend(collector.finish().await);
        Ok(Ran { evidence: Evidence::new(Header::of(self.plan, started), facts), failure, taken_back: None })
    }

    async fn steps(&self, step_log: &StepLog, events: &Events) {
        let rate = self.plan.traffic.rate;
        for (step, length) in [(Step::Baseline, QUIET), (Step::Observation, length(&self.plan.target))] {
            let seconds = length.as_secs();
            events.tell(format!("{}: {rate} requests per second for {seconds} s, nothing else", step.name()));
            step_log.begin(step, length);
            sleep(length).await;
            step_log.end(step);
        }
    }
}

/// Twice as long as the more patient of the declared probes needs to give up.
pub(super) fn length(target: &TargetPlan) -> Duration {
    let probes = target.readiness.iter().chain(&target.liveness);
    let patience = probes.map(Probe::gives_up_after_s).max().unwrap_or_default();
    Duration::from_secs(2 * u64::from(patience)).clamp(LEAST, MOST)
}
