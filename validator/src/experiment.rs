//! The experiment of a run: a roll in, the dependencies broken on purpose, and a roll out; all under load. Or a look at what
//! serves, which does none of it.

mod answers;
mod circuit;
mod context;
mod degraded;
mod faults;
mod forecast;
mod hang;
mod interim;
mod loss;
mod observation;
#[cfg(test)]
mod order;
mod preparation;
mod rolls;
mod step_log;
mod subject;
mod trials;
mod usual;

pub use forecast::{Forecast, PlannedPart, Standing, forecast, in_time};
pub use observation::Observation;

use std::time::Duration;

use tokio::sync::RwLock;
use tokio::time::{Instant, sleep, timeout};

use self::context::RunContext;
use self::faults::Faults;
use self::preparation::QUIET;
use self::step_log::StepLog;
use self::usual::Usual;
use crate::events::Events;
use crate::evidence::{Evidence, Fact, Header, Millis, Step, Who};
use crate::failure::Failure;
use crate::moment::now;
use crate::plan::Plan;
use crate::platform::{Platform, Roll};
use crate::pulse::Pulse;
use crate::steer::{Agents, Back, Collector, Interposition, Stays, Target};

/// Between two parts of the experiment.
const BREATH: Duration = Duration::from_secs(2);

/// How often the validator looks whether it is late itself.
const BEAT: Duration = Duration::from_millis(500);

/// The load ends by itself after this time, whatever becomes of the validator.
const LOAD_AT_MOST: Duration = Duration::from_mins(45);

/// How long the load agents may take to stop, all of them.
const STOP: Duration = Duration::from_secs(30);

/// One experiment on one target.
pub struct Experiment<'a, P> {
    /// Where it runs.
    pub platform: &'a P,
    /// What was found of the target.
    pub target: &'a Target,
    /// What is to be done.
    pub plan: &'a Plan,
    /// Whether the candidate stays whatever is found.
    pub keep: bool,
    /// No roll may end later than this.
    pub deadline: Instant,
}

/// What the experiment notes of itself.
struct Own {
    started: Millis,
    step_log: StepLog,
    pulse: Pulse,
}

/// What a run has brought.
pub struct Ran {
    /// What was seen.
    pub evidence: Evidence,
    /// What ended it half-way, if anything did.
    pub failure: Option<Failure>,
    /// Why the roll out has brought the old template, if it has.
    pub taken_back: Option<String>,
}

/// How far the steps came.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    /// The roll out is over: nothing leads to an agent any more. Why it has brought the old template, if it has.
    Whole(Option<String>),
    /// A roll was not complete.
    Early,
}

impl<P: Platform> Experiment<'_, P> {
    /// Runs it; when the environment fails half-way, gives what was seen until then, and the failure. Whatever it is that
    /// ends it early, the way back is taken before an agent is stopped and before anything is fetched.
    /// Whatever happens, the caller owes the clean-up. The caller holds the Lease under the run's name.
    ///
    /// # Errors
    /// Exit 3 when the environment fails; what the target does wrong is evidence, not an error.
    ///
    /// # Cancel safety
    /// Dropping it leaves agents, a template that may lead to them and a noted revision behind: `cluster::clean_up`
    /// undoes all of it. Faults end by themselves.
    pub async fn run(&self, events: &Events) -> Result<Ran, Failure> {
        let started = now();
        events.expect(self.estimate());
        events.tell(format!("starting {} load agents", self.plan.traffic.agents));
        let agents = self.platform.agents(self.plan).await?;
        let collector = self.platform.collect(self.plan).await?;
        let before = self.plan.dependencies.len();
        events.tell(format!("starting the guardian, and middle agents before {before} dependencies"));
        let (middle, lead) = self.platform.interpose(self.plan, collector.pods()).await?;
        let prober = agents.probe(self.target.probes.clone(), collector.pods());
        agents.start(self.plan, self.target, LOAD_AT_MOST).await?;

        let own =
            Own { started, step_log: StepLog::default(), pulse: Pulse::start(Who::Validator, BEAT, now) };
        let ran = Box::pin(self.steps(&agents, (&middle, &lead), &collector, &own, events)).await;
        let ran = self.back(ran, &middle, events).await;
        prober.abort();
        let stopped = stop(&agents).await;
        events.tell("fetching the evidence");
        let load = agents.evidence().await;
        let mut facts = self.target.facts.clone();
        facts.extend(own.step_log.facts().into_iter().chain(own.pulse.facts()));
        let (ran, taken_back) = ran.map_or_else(|failure| (Err(failure), None), |why| (Ok(()), why));
        let (load, failure) = kept(load, ran.and(stopped));
        facts.extend(load);
        facts.extend(middle.evidence().await);
        facts.extend(collector.finish().await);
        Ok(Ran { evidence: Evidence::new(Header::of(self.plan, started), facts), failure, taken_back })
    }

    async fn steps(
        &self,
        agents: &Agents,
        (middle, lead): (&Interposition, &P::Lead),
        collector: &Collector,
        Own { started, step_log, pulse }: &Own,
        events: &Events,
    ) -> Result<Ended, Failure> {
        events.tell(format!("baseline: load for {} s, nothing else", QUIET.as_secs()));
        step_log.begin(Step::Baseline, QUIET);
        sleep(QUIET).await;
        step_log.end(Step::Baseline);
        let usual = Usual::of(&preparation::answered(agents, self.plan).await?);
        let rollout = self.platform.rollout(self.plan, lead, collector.pods()).await?;
        let context = RunContext {
            platform: self.platform,
            target: self.target,
            plan: self.plan,
            agents,
            middle,
            collector,
            pods: collector.pods(),
            faults: Faults::new(middle),
            step_log,
            pulse,
            usual,
            impatience: RwLock::default(),
        };
        tokio::select! {
            ran = self.in_and_out(&context, &rollout, *started, events) => ran,
            lost = middle.lost() => Err(lost),
            changed = rollout.changed() => Err(changed),
        }
    }

    async fn in_and_out(
        &self,
        context: &RunContext<'_>,
        rollout: &P::Rollout,
        started: Millis,
        events: &Events,
    ) -> Result<Ended, Failure> {
        if !rolls::roll_in(context, rollout, self.deadline, events).await? {
            return Ok(Ended::Early);
        }
        preparation::run(context, events).await?;
        self.faults(context, events).await?;
        let (stays, why) = if self.keep {
            (Stays::Candidate, String::new())
        } else {
            let (stays, why) = interim::stays(context, Header::of(self.plan, started)).await;
            let what = if stays == Stays::Old { "the old template" } else { "the candidate's" };
            events.tell(format!("the roll out brings {what}: {why}"));
            (stays, why)
        };
        let complete = Box::pin(rolls::roll_out(context, rollout, stays, self.deadline, events)).await?;
        Ok(if complete { Ended::Whole((stays == Stays::Old).then_some(why)) } else { Ended::Early })
    }

    async fn faults(&self, context: &RunContext<'_>, events: &Events) -> Result<(), Failure> {
        let pods = context.serving();
        context.direct(&pods).await?;
        hang::run(context, &pods, events).await?;
        // What was let in before must not meet the next faults, nor be counted among what they met.
        sleep(BREATH).await;
        degraded::run(context, events).await?;
        sleep(BREATH).await;
        events.tell("dependencies are lost: one of each pod, then all, then the other one");
        // A pod was replaced meanwhile, if there is a collector to be gone.
        let pods = context.serving();
        loss::run(context, &pods).await?;
        context.direct(&[]).await
    }

    /// Takes the way back unless the roll out was, and ends what is still broken: agents that are listened to do not fail
    /// open. Where it cannot be taken the clean-up tries again, and says so. Gives why a whole run has brought the old
    /// template, if it has.
    async fn back(
        &self,
        ran: Result<Ended, Failure>,
        middle: &Interposition,
        events: &Events,
    ) -> Result<Option<String>, Failure> {
        if let Ok(Ended::Whole(taken_back)) = ran {
            return Ok(taken_back);
        }
        let back = if self.keep { Back::Clean } else { Back::Old };
        match self.platform.go_back(self.plan, back).await {
            Ok(done) => done.iter().for_each(|line| events.tell(line)),
            Err(failure) => events.tell(format!("the way back: {failure}")),
        }
        middle.calm().await;
        ran.map(|_| None)
    }

    /// As far as the declared times tell.
    fn estimate(&self) -> Duration {
        forecast(self.plan, self.target.expected_roll).about()
    }
}

/// Ends the load; it ends by itself where that is not heard.
async fn stop(agents: &Agents) -> Result<(), Failure> {
    let late = |_| Err(Failure::environment("the load agents did not stop within 30 s"));
    timeout(STOP, agents.stop()).await.unwrap_or_else(late)
}

/// What the load agents saw, and the first failure: one lost agent takes nothing along of what all others saw.
fn kept(load: Result<Vec<Fact>, Failure>, ran: Result<(), Failure>) -> (Vec<Fact>, Option<Failure>) {
    match (load, ran) {
        (Ok(facts), ran) => (facts, ran.err()),
        (Err(lost), ran) => (Vec::new(), Some(ran.err().unwrap_or(lost))),
    }
}

#[cfg(test)]
mod tests {
    use super::kept;
    use crate::failure::Failure;

    #[test]
    fn a_lost_load_agent_is_a_failure_and_the_first_failure_is_told() {
        let failed = |text: &str| Err(Failure::environment(text));
        let told = |failure: Option<Failure>| failure.map(|failure| failure.to_string()).unwrap_or_default();
        assert!(kept(Ok(Vec::new()), Ok(())).1.is_none());
        assert!(told(kept(failed("agent").map(|()| Vec::new()), Ok(())).1).contains("agent"));
        assert!(told(kept(failed("agent").map(|()| Vec::new()), failed("step")).1).contains("step"));
    }
}
