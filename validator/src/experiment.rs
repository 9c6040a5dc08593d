//! The experiment of a run: quiet phase, two rolls under load, then the traces.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::cluster::{Agents, Candidate, Cluster, Collector, RollEnd, Rollout, Target, fetch_traces};
use crate::evidence::{Edge, Evidence, Fact, Header, Millis, SCHEMA, Step, StepFact};
use crate::failure::Failure;
use crate::moment::now;
use crate::plan::Plan;
use crate::progress::Progress;

/// Load on the version as found, before anything is touched.
const BASELINE: Duration = Duration::from_secs(10);

/// Load after the last old pod is gone: twice the slowest propagation measured in a roll (1.3 s), rounded up.
const TAIL: Duration = Duration::from_secs(4);

/// Reading up to some thousand traces; a batch of spans may take 5 s to leave.
const TRACES: Duration = Duration::from_mins(2);

/// One experiment on one target.
pub struct Experiment<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// What was found of the target.
    pub target: &'a Target,
    /// What is to be done.
    pub plan: &'a Plan,
    /// What the first roll goes to.
    pub candidate: Candidate,
    /// Image of the load agents.
    pub agent_image: &'a str,
    /// No roll may end later than this.
    pub deadline: Instant,
}

impl Experiment<'_> {
    /// Runs it. Whatever happens, the caller owes the clean-up.
    ///
    /// # Errors
    /// Exit 3 when the environment fails; what the target does wrong is evidence, not an error.
    ///
    /// # Cancel safety
    /// Dropping it leaves load agents and a noted revision behind: `cluster::clean_up` removes both.
    pub async fn run(&self, progress: &mut Progress) -> Result<Evidence, Failure> {
        let started = now();
        progress.expect(self.estimate());
        progress.tell(&format!("starting {} load agents", self.plan.traffic.agents));
        let agents = Agents::deploy(self.cluster, self.plan, self.agent_image).await?;
        let collector = Collector::start(self.cluster, self.target).await?;
        let prober = agents.probe(&self.target.plan, collector.pods());
        let left = self.deadline.saturating_duration_since(Instant::now()) + TAIL + BASELINE;
        agents.start(self.plan, self.target.address, left).await?;

        let mut facts = self.target.facts.clone();
        let rolled = self.roll_twice(&collector, &mut facts, progress).await;
        prober.abort();
        agents.stop().await?;
        rolled?;
        facts.extend(agents.evidence().await?);
        facts.extend(collector.finish().await);
        self.traces(&mut facts, progress).await?;
        let header = Header {
            schema: SCHEMA.to_owned(),
            validator: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            plan: self.plan.clone(),
        };
        Ok(Evidence::new(header, facts))
    }

    async fn roll_twice(
        &self,
        collector: &Collector,
        facts: &mut Vec<Fact>,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        progress.tell(&format!("quiet phase of {} s under load", BASELINE.as_secs()));
        facts.push(step(Step::Baseline, Edge::Begin, None));
        sleep(BASELINE).await;
        facts.push(step(Step::Baseline, Edge::End, None));

        let mut rollout = Rollout::prepare(self.cluster, self.target, collector.pods()).await?;
        let candidates = [self.candidate.clone(), Candidate::Restart];
        for (number, candidate) in Step::ROLLS.into_iter().zip(candidates) {
            facts.push(step(number, Edge::Begin, None));
            let told = |gone: usize, all: usize| {
                progress.tell(&format!("{}: {gone} of {all} old pods replaced and gone", number.name()));
            };
            let end = rollout.roll(&candidate, self.deadline, told).await?;
            let trouble = match end {
                RollEnd::Complete => None,
                RollEnd::Unpullable(reason) => return Err(unpullable(&reason)),
                RollEnd::Stuck(reason) => Some(reason),
            };
            let stuck = trouble.is_some();
            facts.push(step(number, Edge::End, trouble));
            if stuck {
                break;
            }
        }
        facts.push(step(Step::Tail, Edge::Begin, None));
        sleep(TAIL).await;
        facts.push(step(Step::Tail, Edge::End, None));
        Ok(())
    }

    async fn traces(&self, facts: &mut Vec<Fact>, progress: &mut Progress) -> Result<(), Failure> {
        let wanted: Vec<(Millis, String)> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Request(request) if !request.outcome.is_lost() => {
                    request.trace_id.clone().map(|id| (request.due, id))
                }
                _ => None,
            })
            .collect();
        progress.tell(&format!("looking for the traces of {} sampled requests", wanted.len()));
        let fetch = fetch_traces(self.cluster, &self.plan.dependencies, &wanted);
        let found = timeout(TRACES, fetch)
            .await
            .map_err(|_| Failure::environment("reading the traces took more than 120 s"))??;
        facts.extend(found.into_iter().flatten().map(Fact::Trace));
        Ok(())
    }

    fn estimate(&self) -> Duration {
        let fixed = Duration::from_secs(20) + BASELINE + TAIL;
        fixed + self.target.expected_roll * 2
    }
}

fn unpullable(reason: &str) -> Failure {
    Failure::environment(format!("the candidate cannot be started: {reason}"))
        .hint("check the name and tag of --image, and that the nodes may pull it; in kind: `kind load docker-image`")
}

fn step(step: Step, edge: Edge, trouble: Option<String>) -> Fact {
    Fact::Step(StepFact { at: now(), step, edge, trouble })
}
