//! Rolls the target and waits until the last old pod is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::patches::member;
use super::{Cluster, PodTable, Target, rollback};
use crate::failure::Failure;
use crate::moment::now;

/// Annotation of the pod template that makes every roll a revision of its own.
const RESTARTED_AT: &str = "golive.dev/restarted-at";

/// How often the deployment is looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// Reasons a container waits for that say its image cannot be had.
const UNPULLABLE: &[&str] = &["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"];

/// Reasons a container waits for that no patience mends.
const CRASHING: &[&str] =
    &["CreateContainerConfigError", "CreateContainerError", "CrashLoopBackOff", "RunContainerError"];

/// What the deployment is rolled to.
#[derive(Clone, Debug)]
pub enum Candidate {
    /// The same template again.
    Restart,
    /// This image in the serving container.
    Image(String),
}

/// How a roll ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollEnd {
    /// Complete, every old pod gone.
    Complete,
    /// The image of a new pod cannot be pulled, and why: says nothing about the service.
    Unpullable(String),
    /// It cannot complete, and why.
    Stuck(String),
}

/// The target under experiment: it remembers the revision it had.
pub struct Rollout {
    cluster: Cluster,
    name: String,
    container: String,
    pods: watch::Receiver<PodTable>,
    rolls: u32,
}

impl Rollout {
    /// Notes the present revision on the deployment, so that even a dead run can be undone.
    pub async fn prepare(
        cluster: &Cluster,
        target: &Target,
        pods: watch::Receiver<PodTable>,
    ) -> Result<Self, Failure> {
        let name = target.plan.deployment.clone();
        rollback::note(cluster, &name).await?;
        Ok(Self { cluster: cluster.clone(), name, container: target.container.clone(), pods, rolls: 0 })
    }

    /// Starts a roll and waits for its end; `progress` hears how many old pods are left.
    pub async fn roll(
        &mut self,
        candidate: &Candidate,
        deadline: Instant,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<RollEnd, Failure> {
        let old: BTreeSet<String> = self.pods.borrow().keys().cloned().collect();
        self.start(candidate).await?;
        loop {
            let left = self.pods.borrow().keys().filter(|pod| old.contains(*pod)).count();
            progress(old.len() - left, old.len());
            if let Some(end) = self.hopeless(&old) {
                return Ok(end);
            }
            if left == 0 && settled(&self.cluster, &self.name).await? {
                return Ok(RollEnd::Complete);
            }
            if Instant::now() >= deadline {
                return Ok(RollEnd::Stuck(format!(
                    "{left} of {} old pods are left at the deadline",
                    old.len()
                )));
            }
            sleep(PERIOD).await;
        }
    }

    async fn start(&mut self, candidate: &Candidate) -> Result<(), Failure> {
        let api: Api<Deployment> = self.cluster.api();
        let deployment = self.cluster.call("read the deployment", api.get(&self.name)).await?;
        let template = deployment.spec.as_ref().map(|s| s.template.clone()).unwrap_or_default();
        let (pointer, stamp) = ("/spec/template/metadata/annotations", now().to_string());
        let has_annotations = template.metadata.as_ref().is_some_and(|m| m.annotations.is_some());
        let mut operations = vec![if has_annotations {
            json!({ "op": "add", "path": member(pointer, RESTARTED_AT), "value": stamp })
        } else {
            json!({ "op": "add", "path": pointer, "value": { RESTARTED_AT: stamp } })
        }];
        self.rolls += 1;
        operations.push(rollback::rolls(self.rolls));
        if let Candidate::Image(image) = candidate {
            let containers = template.spec.map(|s| s.containers).unwrap_or_default();
            let index = containers.iter().position(|c| c.name == self.container).unwrap_or_default();
            let path = format!("/spec/template/spec/containers/{index}");
            operations.push(json!({ "op": "test", "path": format!("{path}/name"), "value": self.container }));
            operations.push(json!({ "op": "replace", "path": format!("{path}/image"), "value": image }));
        }
        rollback::patch(&self.cluster, &self.name, json!(operations)).await
    }

    fn hopeless(&self, old: &BTreeSet<String>) -> Option<RollEnd> {
        let pods = self.pods.borrow();
        let new = pods.iter().filter(|(name, _)| !old.contains(*name));
        let waiting = new.filter_map(|(name, brief)| Some((name, brief.waiting.as_ref()?)));
        for (name, waiting) in waiting {
            let text = format!("new pod {name}: {waiting}");
            if UNPULLABLE.iter().any(|reason| waiting.starts_with(reason)) {
                return Some(RollEnd::Unpullable(text));
            }
            if CRASHING.iter().any(|reason| waiting.starts_with(reason)) {
                return Some(RollEnd::Stuck(text));
            }
        }
        None
    }
}

/// Deletes one pod of the target as a drain of its node would: its deployment replaces it.
pub async fn delete_pod(cluster: &Cluster, pod: &str) -> Result<(), Failure> {
    let pods: Api<Pod> = cluster.api();
    cluster.call("delete a pod of the target", pods.delete(pod, &DeleteParams::default())).await.map(drop)
}

/// Waits until the deployment is at rest, at most until the deadline; says whether it is.
pub async fn at_rest_again(cluster: &Cluster, name: &str, deadline: Instant) -> Result<bool, Failure> {
    while Instant::now() < deadline {
        if settled(cluster, name).await? {
            return Ok(true);
        }
        sleep(PERIOD).await;
    }
    Ok(false)
}

async fn settled(cluster: &Cluster, name: &str) -> Result<bool, Failure> {
    let api: Api<Deployment> = cluster.api();
    let Some(deployment) = cluster.call("read the deployment", api.get_opt(name)).await? else {
        return Ok(true); // a deployment that is gone will not change any more
    };
    Ok(is_settled(&deployment))
}

/// Whether the controller has seen the newest template, and every pod of it is there and available.
pub(super) fn is_settled(deployment: &Deployment) -> bool {
    let replicas = deployment.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    status.observed_generation == deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) == replicas
        && status.replicas.unwrap_or(0) == replicas
        && status.available_replicas.unwrap_or(0) == replicas
}
