//! Rolls the target: in, behind the agents, and out again; and waits until the last old pod is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{HostAlias, Pod};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::Cluster;
use super::rollback::{self, Note};
use super::written::Written;
use crate::failure::Failure;
use crate::moment::now;
use crate::plan::TargetPlan;
use crate::platform::Roll;
use crate::steer::{PodTable, RollEnd, Stays};

/// Annotation of the pod template that makes every roll a revision of its own.
const RESTARTED_AT: &str = "golive.dev/restarted-at";

/// How often the deployment is looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// Reasons a container waits for that say its image cannot be had. `ErrImagePull` is none yet: the kubelet tries again,
/// and `ImagePullBackOff` follows where that fails too.
const UNPULLABLE: &[&str] = &["ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"];

/// How long a new pod may be in trouble that may pass by itself: a Secret that comes later, a dependency that starts late.
const MENDS: Duration = Duration::from_mins(1);

/// Reasons a container waits for that no patience mends, once they have lasted for [`MENDS`].
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

/// The target under experiment: it remembers the revision it had.
pub struct Rollout {
    cluster: Cluster,
    name: String,
    container: String,
    candidate: Candidate,
    aliases: Vec<HostAlias>,
    pods: watch::Receiver<PodTable>,
    note: Note,
    rolls: AtomicU32,
    written: Written,
}

impl Rollout {
    /// Notes the present revision on the deployment, so that even a dead run can be undone.
    ///
    /// # Errors
    /// Exit 3 when the API server refuses.
    pub async fn prepare(
        cluster: &Cluster,
        target: &TargetPlan,
        run: &str,
        candidate: &Candidate,
        aliases: &[HostAlias],
        pods: watch::Receiver<PodTable>,
    ) -> Result<Self, Failure> {
        let name = target.deployment.clone();
        let found = rollback::read(cluster, &name).await?;
        // What an earlier run may have left in our name would be taken off with the first write of this one.
        rollback::disown(cluster, &found).await?;
        let rollout = Self {
            cluster: cluster.clone(),
            written: Written::since(cluster, &found),
            note: Note::of(&found, run),
            container: target.container.clone(),
            candidate: candidate.clone(),
            aliases: aliases.to_vec(),
            rolls: AtomicU32::new(0),
            pods,
            name,
        };
        rollout.apply(None).await?;
        Ok(rollout)
    }

    fn present(&self) -> BTreeSet<String> {
        self.pods.borrow().keys().cloned().collect()
    }

    /// What we lay on the template.
    fn template(&self, aliases: &[HostAlias]) -> Value {
        let mut pod = json!({});
        if !aliases.is_empty() {
            pod["hostAliases"] = json!(aliases);
        }
        if let Candidate::Image(image) = &self.candidate {
            pod["containers"] = json!([{ "name": self.container, "image": image }]);
        }
        let annotations = json!({ RESTARTED_AT: now().to_string() });
        json!({ "metadata": { "annotations": annotations }, "spec": pod })
    }

    /// Only the image of a candidate is somebody else's field that we take over.
    async fn apply(&self, template: Option<Value>) -> Result<(), Failure> {
        let count = u32::from(template.is_some());
        let rolls = self.rolls.fetch_add(count, Ordering::Relaxed) + count;
        let force = matches!(self.candidate, Candidate::Image(_));
        let fields = self.note.fields(&self.name, rolls, template);
        self.written.by(self.cluster.apply("roll the target", &self.name, &fields, force)).await.map(drop)
    }

    async fn end(
        &self,
        old: &BTreeSet<String>,
        deadline: Instant,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<RollEnd, Failure> {
        let mut crashing = BTreeMap::new();
        loop {
            let left = self.pods.borrow().keys().filter(|pod| old.contains(*pod)).count();
            progress(old.len() - left, old.len());
            if let Some(end) = self.hopeless(old, &mut crashing) {
                return Ok(end);
            }
            match rollback::read(&self.cluster, &self.name).await {
                Ok(deployment) if left == 0 && is_settled(&deployment) => return Ok(RollEnd::Complete),
                Ok(deployment) => {
                    if let Some(reason) = stalled(&deployment) {
                        return Ok(RollEnd::Stuck(reason));
                    }
                }
                // An API server that does not answer for a moment ends no roll.
                Err(failure) => tracing::warn!(%failure, "the roll cannot be looked at"),
            }
            if Instant::now() >= deadline {
                let left = format!("{left} of {} old pods are left at the deadline", old.len());
                return Ok(RollEnd::OutOfTime(left));
            }
            sleep(PERIOD).await;
        }
    }

    /// `crashing` holds since when each new pod has been in trouble without having been ready again.
    fn hopeless(&self, old: &BTreeSet<String>, crashing: &mut BTreeMap<String, Instant>) -> Option<RollEnd> {
        let pods = self.pods.borrow();
        crashing.retain(|pod, _| pods.get(pod).is_some_and(|brief| !brief.ready));
        let new = pods.iter().filter(|(name, _)| !old.contains(*name));
        let waiting = new.filter_map(|(name, brief)| Some((name, brief.waiting.as_ref()?)));
        for (name, waiting) in waiting {
            let text = format!("new pod {name}: {waiting}");
            if UNPULLABLE.iter().any(|reason| waiting.starts_with(reason)) {
                return Some(RollEnd::Unpullable(text));
            }
            if CRASHING.iter().any(|reason| waiting.starts_with(reason)) {
                let since = crashing.entry(name.clone()).or_insert_with(Instant::now);
                if since.elapsed() >= MENDS {
                    return Some(RollEnd::Stuck(text));
                }
            }
        }
        None
    }
}

impl Roll for Rollout {
    async fn roll_in(
        &self,
        deadline: Instant,
        progress: impl FnMut(usize, usize),
    ) -> Result<RollEnd, Failure> {
        let old = self.present();
        self.apply(Some(self.template(&self.aliases))).await?;
        self.end(&old, deadline, progress).await
    }

    async fn roll_out(
        &self,
        stays: Stays,
        deadline: Instant,
        progress: impl FnMut(usize, usize),
    ) -> Result<RollEnd, Failure> {
        let old = self.present();
        match stays {
            Stays::Candidate => self.apply(Some(self.template(&[]))).await?,
            Stays::Old => {
                let back = async {
                    let found = rollback::read(&self.cluster, &self.name).await?;
                    Ok(rollback::undo(&self.cluster, &found).await?.map_or(found, |undone| undone.deployment))
                };
                self.written.by(Box::pin(back)).await?;
            }
        }
        self.end(&old, deadline, progress).await
    }

    async fn changed(&self) -> Failure {
        self.written.changed().await
    }
}

/// What the deployment controller says when `progressDeadlineSeconds` are over, about the present template.
fn stalled(deployment: &Deployment) -> Option<String> {
    let status = deployment.status.as_ref()?;
    if status.observed_generation != deployment.metadata.generation {
        return None;
    }
    let mut conditions = status.conditions.iter().flatten();
    let given_up = conditions.find(|c| c.type_ == "Progressing" && c.status == "False")?;
    let (reason, message) = (given_up.reason.as_deref(), given_up.message.as_deref());
    Some(format!("{}: {}", reason.unwrap_or("Progressing=False"), message.unwrap_or_default()))
}

/// Deletes one pod of the target as a drain of its node would: its deployment replaces it.
///
/// # Errors
/// Exit 3 when the API server refuses.
pub(super) async fn delete_pod(cluster: &Cluster, pod: &str) -> Result<(), Failure> {
    let pods: Api<Pod> = cluster.api();
    cluster.call("delete a pod of the target", pods.delete(pod, &DeleteParams::default())).await.map(drop)
}

/// Waits until the deployment is at rest, at most until the deadline; says whether it is.
///
/// # Errors
/// Exit 3 when it cannot be read.
pub async fn at_rest_again(cluster: &Cluster, name: &str, deadline: Instant) -> Result<bool, Failure> {
    let api: Api<Deployment> = cluster.api();
    while Instant::now() < deadline {
        let found = cluster.call("read the deployment", api.get_opt(name)).await?;
        // A deployment that is gone will not change any more.
        if found.as_ref().is_none_or(is_settled) {
            return Ok(true);
        }
        sleep(PERIOD).await;
    }
    Ok(false)
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

#[cfg(test)]
mod tests;
