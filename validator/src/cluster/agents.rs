//! The load agents of one run: two pods, on two nodes where there are two.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

use super::agent_link::AgentLink;
use super::api_link::ClockOffset;
use super::manifest::{ROLE_LABEL, labels, pod_spec};
use super::{Cluster, PodTable, Probes, RUN_LABEL};
use crate::evidence::{AgentFact, Fact, Millis};
use crate::failure::Failure;
use crate::load::{DirectPlan, ImpatiencePlan, LoadPlan, PausePlan, ProbedPod, SecretHeaders};
use crate::moment::now;
use crate::plan::{Plan, TargetPlan};

/// How long an agent may need until it runs.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// An agent that hears nothing for a minute ends its load.
const WORD: Duration = Duration::from_secs(10);

/// Agents of one run.
pub struct Agents {
    agents: Vec<Agent>,
    /// Gives each agent a word now and then; ends with this value.
    _attending: JoinSet<()>,
}

struct Agent {
    link: AgentLink,
    node: String,
    clock: ClockOffset,
}

impl Agents {
    /// Creates the agents and waits until each answers.
    ///
    /// # Errors
    /// Exit 3 when a pod does not start, with the reason the kubelet gives. The pods stay for
    /// [`clean_up`](super::clean_up), which the caller owes in any case.
    pub async fn deploy(cluster: &Cluster, plan: &Plan, image: &str) -> Result<Self, Failure> {
        let pods: Api<Pod> = cluster.api();
        for number in 1..=plan.traffic.agents {
            let pod = manifest(&plan.run, number, image)?;
            cluster.call("create a load agent", pods.create(&PostParams::default(), &pod)).await?;
        }
        let deadline = Instant::now() + START_DEADLINE;
        let mut agents = Vec::new();
        for number in 1..=plan.traffic.agents {
            agents.push(started(cluster, &pods, &pod_name(&plan.run, number), image, deadline).await?);
        }
        let mut attending = JoinSet::new();
        for agent in &agents {
            attending.spawn(attend(agent.link.clone()));
        }
        Ok(Self { agents, _attending: attending })
    }

    /// Starts the load on all agents; the values of secret headers are told to each of them before.
    pub async fn start(
        &self,
        plan: &Plan,
        address: std::net::SocketAddr,
        headers: &SecretHeaders,
        at_most: Duration,
    ) -> Result<(), Failure> {
        let share = self.agents.len() as f64;
        let TargetPlan { service, namespace, .. } = &plan.target;
        for agent in &self.agents {
            let load = LoadPlan {
                agent: agent.link.pod().to_owned(),
                node: agent.node.clone(),
                address,
                host: format!("{service}.{namespace}.svc:{}", address.port()),
                rate: plan.traffic.rate / share,
                sampled: plan.traffic.sampled / share,
                requests: plan.traffic.requests.clone(),
                ports: plan.traffic.ports.clone(),
                late_after_ms: plan.policy.late_after_ms,
                at_most_s: at_most.as_secs_f64(),
                trace_prefix: plan.trace_prefix.clone(),
            };
            agent.link.headers(headers).await.map_err(|e| agent.lost(&e))?;
            agent.link.start(&load).await.map_err(|e| agent.lost(&e))?;
        }
        Ok(())
    }

    /// Keeps the first agent asking the endpoints of the pods in the table, until aborted.
    pub fn probe(&self, probes: Probes, mut pods: watch::Receiver<PodTable>) -> JoinHandle<()> {
        let link = self.agents[0].link.clone();
        let Probes { readiness, liveness } = probes;
        tokio::spawn(async move {
            let mut told = Vec::new();
            loop {
                let present: Vec<ProbedPod> = pods
                    .borrow_and_update()
                    .iter()
                    .filter_map(|(pod, brief)| {
                        let (readiness, liveness) = (readiness.clone(), liveness.clone());
                        brief.ip.map(|ip| ProbedPod { pod: pod.clone(), ip, readiness, liveness })
                    })
                    .collect();
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
                    agent: agent.link.pod().to_owned(),
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

impl Agent {
    fn lost(&self, error: &str) -> Failure {
        Failure::environment(format!("load agent {} on {}: {error}", self.link.pod(), self.node))
            .hint("look at the pod with `kubectl logs`; run again when the node is calm")
    }
}

async fn attend(link: AgentLink) {
    loop {
        sleep(WORD).await;
        // Whether an agent is gone shows when it is needed.
        link.word().await.ok();
    }
}

fn pod_name(run: &str, number: usize) -> String {
    format!("{run}-load-{number}")
}

async fn started(
    cluster: &Cluster,
    pods: &Api<Pod>,
    name: &str,
    image: &str,
    deadline: Instant,
) -> Result<Agent, Failure> {
    let mut reason = "it was not scheduled".to_owned();
    while Instant::now() < deadline {
        let pod = cluster.call("read a load agent", pods.get(name)).await?;
        let status = pod.status.clone().unwrap_or_default();
        let state = status.container_statuses.and_then(|all| all.into_iter().next()?.state);
        if let Some(waiting) = state.as_ref().and_then(|s| s.waiting.as_ref()) {
            reason = waiting.reason.clone().unwrap_or_default();
            if matches!(reason.as_str(), "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName") {
                return Err(Failure::environment(format!(
                    "the agent image `{image}` cannot be pulled: {reason}"
                ))
                .hint("`make images` builds and loads it here; elsewhere pass --agent-image"));
            }
        }
        if state.is_some_and(|s| s.running.is_some()) {
            let link = AgentLink::new(cluster, name.to_owned());
            if let Ok(clock) = link.clock().await {
                let node = pod.spec.as_ref().and_then(|s| s.node_name.clone()).unwrap_or_default();
                return Ok(Agent { link, node, clock });
            }
        }
        sleep(Duration::from_millis(250)).await;
    }
    Err(Failure::environment(format!("load agent {name} did not start within 90 s: {reason}"))
        .hint(format!("kubectl describe pod {name} -n {}", cluster.namespace())))
}

fn manifest(run: &str, number: usize, image: &str) -> Result<Pod, Failure> {
    let apart = json!({
        "weight": 100,
        "podAffinityTerm": {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": { "matchLabels": { RUN_LABEL: run, ROLE_LABEL: "load" } },
        },
    });
    let mut spec = pod_spec("load", image, &["agent".to_owned()], &json!([]));
    spec["restartPolicy"] = json!("Never");
    spec["activeDeadlineSeconds"] = json!(3600);
    spec["affinity"] =
        json!({ "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [apart] } });
    let metadata = json!({ "name": pod_name(run, number), "labels": labels(run, "load") });
    Ok(serde_json::from_value(json!({ "metadata": metadata, "spec": spec }))?)
}
