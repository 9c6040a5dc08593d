//! Creates the load agents of one run: two pods, on two nodes where there are two.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::manifest::{ROLE_LABEL, labels, pod_spec};
use super::{Cluster, RUN_LABEL};
use crate::failure::Failure;
use crate::load::AGENT_PORT;
use crate::plan::Plan;
use crate::steer::{Agents, LoadAgent};

/// How long an agent may need until it runs.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// Creates the agents and waits until each answers.
///
/// # Errors
/// Exit 3 when a pod does not start, with the reason the kubelet gives. The pods stay for
/// [`clean_up`](super::clean_up), which the caller owes in any case.
pub(super) async fn deploy(cluster: &Cluster, plan: &Plan, image: &str) -> Result<Agents, Failure> {
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
    Ok(Agents::new(agents))
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
) -> Result<LoadAgent, Failure> {
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
            let node = pod.spec.as_ref().and_then(|s| s.node_name.clone()).unwrap_or_default();
            let dial = cluster.dial(name.to_owned(), AGENT_PORT);
            if let Ok(agent) = LoadAgent::connect(name, node, dial).await {
                return Ok(agent);
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
