//! Steers the load agents of one run.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::api_link::ClockOffset;
use super::dial::Dial;
use super::load_link::LoadLink;
use super::{PodTable, Probes, Target};
use crate::evidence::{AgentFact, Fact, Millis};
use crate::failure::Failure;
use crate::load::{DirectPlan, ImpatiencePlan, LoadPlan, PausePlan, ProbedPod};
use crate::moment::now;
use crate::plan::Plan;

/// An agent that hears nothing for a minute ends its load.
const WORD: Duration = Duration::from_secs(10);

/// Agents of one run.
pub struct Agents {
    agents: Vec<LoadAgent>,
    /// Gives each agent a word now and then; ends with this value.
    _attending: JoinSet<()>,
}

/// One that answers.
pub(crate) struct LoadAgent {
    link: LoadLink,
    name: String,
    node: String,
    clock: ClockOffset,
}

impl Agents {
    /// Steers these.
    pub(crate) fn new(agents: Vec<LoadAgent>) -> Self {
        let attending = agents.iter().map(|agent| attend(agent.link.clone())).collect();
        Self { agents, _attending: attending }
    }

    /// Starts the load on all agents; the values of secret headers are told to each of them before.
    pub async fn start(&self, plan: &Plan, target: &Target, at_most: Duration) -> Result<(), Failure> {
        let share = self.agents.len() as f64;
        for agent in &self.agents {
            let load = LoadPlan {
                agent: agent.name.clone(),
                node: agent.node.clone(),
                address: target.address,
                host: target.host.clone(),
                rate: plan.traffic.rate / share,
                sampled: plan.traffic.sampled / share,
                requests: plan.traffic.requests.clone(),
                ports: plan.traffic.ports.clone(),
                late_after_ms: plan.limits().late_after_ms,
                at_most_s: at_most.as_secs_f64(),
                trace_prefix: plan.trace_prefix.clone(),
            };
            agent.link.headers(&target.headers).await.map_err(|e| agent.lost(&e))?;
            agent.link.start(&load).await.map_err(|e| agent.lost(&e))?;
        }
        Ok(())
    }

    /// Keeps the first agent asking the endpoints of the pods in the table, until aborted.
    pub fn probe(&self, probes: Probes, mut pods: watch::Receiver<PodTable>) -> JoinHandle<()> {
        let link = self.agents[0].link.clone();
        tokio::spawn(async move {
            let mut told = Vec::new();
            loop {
                let probed = |(pod, brief): (&String, &super::PodBrief)| brief.probed(pod, &probes);
                let present: Vec<ProbedPod> = pods.borrow_and_update().iter().filter_map(probed).collect();
                if present != told {
                    match link.probes(&present).await {
                        Ok(()) => told = present,
                        Err(error) => tracing::warn!(%error, "the agent does not take the list of pods"),
                    }
                }
                if pods.changed().await.is_err() {
                    return;
                }
            }
        })
    }

    /// Sends GETs past the Service to these pods from now on, at the plan's rate in all; no pod ends it.
    ///
    /// # Errors
    /// Exit 3 when an agent does not take it.
    pub async fn direct(&self, plan: &DirectPlan) -> Result<(), Failure> {
        let rate = plan.rate / self.agents.len() as f64;
        let plan = DirectPlan { rate, ..plan.clone() };
        for agent in &self.agents {
            agent.link.direct(&plan).await.map_err(|e| agent.lost(&e))?;
        }
        Ok(())
    }

    /// Nothing is due for a while.
    pub async fn pause(&self, length: Duration) -> Result<(), Failure> {
        let plan = PausePlan { for_ms: length.as_millis() as u64 };
        for agent in &self.agents {
            agent.link.pause(plan).await.map_err(|e| agent.lost(&e))?;
        }
        Ok(())
    }

    /// Clients of every class give up early for a while.
    ///
    /// # Errors
    /// Exit 3 when an agent does not take it.
    pub async fn impatient(&self, gives_up_after: Duration, length: Duration) -> Result<(), Failure> {
        let (gives_up_after_ms, for_ms) = (gives_up_after.as_millis() as u64, length.as_millis() as u64);
        for agent in &self.agents {
            let plan = ImpatiencePlan { gives_up_after_ms, for_ms };
            agent.link.impatience(plan).await.map_err(|e| agent.lost(&e))?;
        }
        Ok(())
    }

    /// Ends the load; in-flight requests may finish.
    pub async fn stop(&self) -> Result<(), Failure> {
        for agent in &self.agents {
            agent.link.stop().await.map_err(|e| agent.lost(&e))?;
        }
        Ok(())
    }

    /// Fetches what the agents have seen until now, on the validator's clock.
    pub async fn evidence(&self) -> Result<Vec<Fact>, Failure> {
        let mut facts = Vec::new();
        for agent in &self.agents {
            let after = agent.link.clock().await.map_err(|e| agent.lost(&e))?;
            for clock in [agent.clock, after] {
                facts.push(Fact::Agent(AgentFact {
                    at: now(),
                    agent: agent.name.clone(),
                    node: agent.node.clone(),
                    offset_ms: clock.offset_ms,
                    uncertainty_ms: clock.uncertainty_ms,
                }));
            }
            let seen = agent.link.evidence().await.map_err(|e| agent.lost(&e))?;
            let offset = agent.clock.offset_ms.round() as Millis;
            facts.extend(seen.into_iter().map(|fact| fact.shifted(offset)));
        }
        Ok(facts)
    }
}

impl LoadAgent {
    /// Connects to one that was just started.
    ///
    /// # Errors
    /// Why it does not answer yet.
    pub(crate) async fn connect(name: &str, node: String, dial: Dial) -> Result<Self, String> {
        let link = LoadLink::new(dial);
        let clock = link.clock().await?;
        Ok(Self { link, name: name.to_owned(), node, clock })
    }

    fn lost(&self, error: &str) -> Failure {
        Failure::environment(format!("load agent {} on {}: {error}", self.name, self.node))
            .hint("run again when its node is calm")
    }
}

async fn attend(link: LoadLink) {
    loop {
        sleep(WORD).await;
        // Whether an agent is gone shows when it is needed.
        link.word().await.ok();
    }
}
