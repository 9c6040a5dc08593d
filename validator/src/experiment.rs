//! The experiment of a run: quiet phases and two rolls under load, then the dependencies broken on purpose.

mod circuit;
mod diary;
mod faults;
mod forecast;
mod hang;
mod loss;
mod rolls;
mod stage;
mod trials;

pub use forecast::{Forecast, forecast};

use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::diary::Diary;
use self::faults::Faults;
use self::stage::Stage;
use crate::cluster::{Agents, Candidate, Cluster, Collector, Interposition, Site, Target};
use crate::evidence::{Evidence, Fact, Header, SCHEMA, Step};
use crate::failure::Failure;
use crate::moment::now;
use crate::plan::Plan;
use crate::progress::Progress;

/// Load on the version as found, before anything is touched; and load through the agents, to compare.
const QUIET: Duration = Duration::from_secs(10);

/// Between two parts of the experiment.
const BREATH: Duration = Duration::from_secs(2);

/// The load ends by itself after this time, whatever becomes of the validator.
const LOAD_AT_MOST: Duration = Duration::from_mins(45);

/// One experiment on one target.
pub struct Experiment<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// What was found of the target.
    pub target: &'a Target,
    /// Its dependencies, and where agents can stand before them.
    pub sites: &'a [Site],
    /// What is to be done.
    pub plan: &'a Plan,
    /// What the first roll goes to.
    pub candidate: Candidate,
    /// Image of the agents.
    pub agent_image: &'a str,
    /// No roll may end later than this.
    pub deadline: Instant,
}

impl Experiment<'_> {
    /// Runs it; when the environment fails half-way, gives what was seen until then, and the failure.
    /// Whatever happens, the caller owes the clean-up. The caller holds the Lease under the run's name.
    ///
    /// # Errors
    /// Exit 3 when the environment fails; what the target does wrong is evidence, not an error.
    ///
    /// # Cancel safety
    /// Dropping it leaves agents, Services that lead to them and a noted revision behind: `cluster::clean_up` undoes
    /// all of it. Faults end by themselves.
    pub async fn run(&self, progress: &mut Progress) -> Result<(Evidence, Option<Failure>), Failure> {
        let started = now();
        progress.expect(self.estimate());
        progress.tell(&format!("starting {} load agents", self.plan.traffic.agents));
        let agents = Agents::deploy(self.cluster, self.plan, self.agent_image).await?;
        let before = self.sites.len();
        progress.tell(&format!("starting middle agents before {before} dependencies"));
        let mut middle =
            Interposition::prepare(self.cluster, self.plan, self.sites, self.agent_image).await?;
        let collector = Collector::start(self.cluster, self.target).await?;
        let prober = agents.probe(&self.target.plan, collector.pods());
        agents.start(self.plan, self.target.address, &self.target.headers, LOAD_AT_MOST).await?;

        let diary = Diary::default();
        let ran = self.steps(&agents, &mut middle, &collector, &diary, progress).await;
        prober.abort();
        let stopped = agents.stop().await;
        progress.tell("fetching the evidence");
        let load = agents.evidence().await;
        let mut facts = self.target.facts.clone();
        facts.extend(diary.facts());
        let (load, failure) = kept(load, ran.and(stopped));
        facts.extend(load);
        facts.extend(middle.finish().await);
        facts.extend(collector.finish().await);
        let header = Header {
            schema: SCHEMA.to_owned(),
            validator: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            plan: self.plan.clone(),
        };
        Ok((Evidence::new(header, facts), failure))
    }

    async fn steps(
        &self,
        agents: &Agents,
        middle: &mut Interposition,
        collector: &Collector,
        diary: &Diary,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        progress.tell(&format!("baseline: load for {} s, nothing else", QUIET.as_secs()));
        diary.begin(Step::Baseline, QUIET);
        sleep(QUIET).await;
        diary.end(Step::Baseline);
        progress.tell("leading the dependencies' Services to the middle agents");
        middle.take_over(self.sites, collector.pods()).await?;
        let stage = Stage {
            cluster: self.cluster,
            target: self.target,
            plan: self.plan,
            agents,
            middle,
            pods: collector.pods(),
            faults: Faults::new(middle),
            diary,
        };
        tokio::select! {
            ran = self.through_the_agents(&stage, progress) => ran?,
            // What was seen until here is judged; a check says why the rest is missing.
            what = middle.disturbed() => progress.tell(&format!("ending early: {what}")),
        }
        progress.tell("handing the connections back");
        diary.begin(Step::HandBack, Duration::ZERO);
        middle.hand_back().await?;
        diary.end(Step::HandBack);
        Ok(())
    }

    async fn through_the_agents(&self, stage: &Stage<'_>, progress: &mut Progress) -> Result<(), Failure> {
        if !rolls::run(stage, &self.candidate, self.deadline, progress).await? {
            return Ok(());
        }
        let pods = stage.serving();
        stage.direct(&pods).await?;
        hang::run(stage, &pods, progress).await?;
        // What was let in before must not meet the next faults, nor be counted among what they met.
        sleep(BREATH).await;
        progress.tell("dependencies are lost: one of each pod, then all, then the other one");
        // A pod was replaced meanwhile, if there is a collector to be gone.
        let pods = stage.serving();
        loss::run(stage, &pods).await?;
        stage.direct(&[]).await
    }

    /// As far as the declared times tell.
    fn estimate(&self) -> Duration {
        let breaker = self.plan.dependencies.iter().find_map(|d| d.breaker.as_ref());
        let trials = breaker.map_or(0.0, |b| 2.5 * b.open_for.0 + 2.0 * b.opens.memory_s() + 30.0);
        let fixed = Duration::from_mins(2) + QUIET * 2;
        fixed + self.target.expected_roll * 2 + Duration::from_secs_f64(trials)
    }
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
