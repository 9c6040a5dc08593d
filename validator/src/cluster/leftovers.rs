//! What a run leaves in the cluster while it works, and how it is taken away again.

use std::time::Duration;

use http::Method;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::api_link::ApiLink;
use super::manifest::ROLE_LABEL;
use super::{Cluster, selector};
use crate::failure::Failure;
use crate::middle::{MIDDLE_PORT, MiddleStatus};

/// Label of every object that a run creates; the value is the run's name.
pub const RUN_LABEL: &str = "golive.dev/run";

/// Annotation of the deployment while a run works on it: the revision to go back to.
pub(super) const ROLLBACK_TO: &str = "golive.dev/rollback-to";

/// Annotation that the deployment controller keeps on each ReplicaSet.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";

/// How long middle agents may take to end their connections.
const HAND_BACK_DEADLINE: Duration = Duration::from_secs(65);

/// Removes every object of earlier runs in the namespace, gives Services their selectors back and undoes unfinished
/// rolls. Returns what was done, in words.
///
/// # Errors
/// The first one; everything else is done all the same.
pub async fn clean_up(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let mut work = Work { done: Vec::new(), failed: None };
    work.note(give_back_selectors(cluster).await);
    work.note(undo_rolls(cluster).await);
    work.note(hand_back(cluster).await);
    work.note(delete::<Deployment>(cluster, "deployment").await);
    work.note(delete::<Service>(cluster, "service").await);
    work.note(delete::<Pod>(cluster, "pod").await);
    work.note(delete::<RoleBinding>(cluster, "rolebinding").await);
    work.note(delete::<Role>(cluster, "role").await);
    work.note(delete::<ServiceAccount>(cluster, "serviceaccount").await);
    // Last, so that a clean-up which was cut short is still seen as work to do.
    work.note(delete::<Lease>(cluster, "lease").await);
    work.failed.map_or(Ok(work.done), Err)
}

/// What a clean-up has done, and the first thing that it could not do.
struct Work {
    done: Vec<String>,
    failed: Option<Failure>,
}

impl Work {
    fn note(&mut self, result: Result<Vec<String>, Failure>) {
        match result {
            Ok(done) => self.done.extend(done),
            Err(failure) if self.failed.is_none() => self.failed = Some(failure),
            Err(failure) => tracing::warn!(%failure, "clean-up"),
        }
    }
}

async fn give_back_selectors(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let mut done = Vec::new();
    let services: Api<Service> = cluster.api();
    for service in &cluster.call("list services", services.list(&ListParams::default())).await? {
        done.extend(selector::give_back(cluster, service).await?);
    }
    Ok(done)
}

async fn undo_rolls(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let mut done = Vec::new();
    let deployments: Api<Deployment> = cluster.api();
    let all = cluster.call("list deployments", deployments.list(&ListParams::default())).await?;
    for deployment in all.iter().filter(|d| d.annotations().contains_key(ROLLBACK_TO)) {
        let name = deployment.name_any();
        let revision = deployment.annotations()[ROLLBACK_TO].clone();
        let how = if restore(cluster, &name, &revision).await? {
            "goes back to"
        } else {
            "already had the template of"
        };
        done.push(format!("deployment/{name} {how} revision {revision}"));
    }
    Ok(done)
}

/// Has every middle agent end its connections when they are idle, before its pod is deleted with what is in flight.
/// An agent that does not answer has none that could be saved.
async fn hand_back(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let pods: Api<Pod> = cluster.api();
    let agents = ListParams::default().labels(&format!("{RUN_LABEL},{ROLE_LABEL}=middle"));
    let found = cluster.call("list middle agents", pods.list(&agents)).await?;
    let deadline = Instant::now() + HAND_BACK_DEADLINE;
    let waiting = found.iter().map(|pod| {
        let link = ApiLink::new(pods.clone(), pod.name_any(), MIDDLE_PORT);
        async move { drained(&link, deadline).await }
    });
    futures_util::future::join_all(waiting).await;
    Ok(Vec::new())
}

async fn drained(link: &ApiLink, deadline: Instant) {
    let answer = Duration::from_secs(3);
    if timeout(answer * 2, link.send(Method::POST, "/hand-back", &())).await.is_ok_and(|told| told.is_err()) {
        return;
    }
    while Instant::now() < deadline {
        match link.ask::<MiddleStatus>("/status", answer).await {
            Ok(status) if status.connections + status.others > 0 => sleep(Duration::from_millis(250)).await,
            _ => return,
        }
    }
}

/// Deletes every object of one kind that carries our label.
async fn delete<K>(cluster: &Cluster, kind: &str) -> Result<Vec<String>, Failure>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let mut done = Vec::new();
    let api: Api<K> = cluster.api();
    let ours = ListParams::default().labels(RUN_LABEL);
    let found = cluster.call(&format!("list each {kind} of ours"), api.list(&ours)).await?;
    let at_once = DeleteParams::background().grace_period(0);
    for name in found.iter().map(ResourceExt::name_any) {
        // Its owner may have been faster.
        if cluster.call(&format!("delete {kind}/{name}"), gone(&api, &name, &at_once)).await? {
            done.push(format!("{kind}/{name} deleted"));
        }
    }
    Ok(done)
}

async fn gone<K>(api: &Api<K>, name: &str, params: &DeleteParams) -> Result<bool, kube::Error>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    match api.delete(name, params).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives the deployment the template of an earlier revision back and removes our annotation.
/// Says whether the template had to change.
///
/// # Errors
/// Exit 3 when the revision is no longer kept (`revisionHistoryLimit`).
async fn restore(cluster: &Cluster, name: &str, revision: &str) -> Result<bool, Failure> {
    let sets: Api<ReplicaSet> = cluster.api();
    let deployments: Api<Deployment> = cluster.api();
    let deployment = cluster.call("read the deployment", deployments.get(name)).await?;
    let uid = deployment.uid();
    let list = cluster.call("list replica sets", sets.list(&ListParams::default())).await?;
    let owned =
        |set: &&ReplicaSet| set.owner_references().iter().any(|owner| Some(&owner.uid) == uid.as_ref());
    let set = list
        .iter()
        .filter(owned)
        .find(|set| set.annotations().get(REVISION).is_some_and(|r| r == revision))
        .ok_or_else(|| {
            Failure::environment(format!("deployment/{name}: revision {revision} is no longer kept"))
                .hint(format!("kubectl rollout history deployment/{name}"))
        })?;
    let mut template = set.spec.clone().unwrap_or_default().template.unwrap_or_default();
    if let Some(labels) = template.metadata.as_mut().and_then(|m| m.labels.as_mut()) {
        labels.remove("pod-template-hash");
    }
    let changed = deployment.spec.as_ref().is_some_and(|spec| spec.template != template);
    let mut operations = vec![json!({
        "op": "replace", "path": "/spec/template", "value": serde_json::to_value(&template)?
    })];
    if deployment.annotations().contains_key(ROLLBACK_TO) {
        operations.push(remove_annotation());
    }
    patch(cluster, name, json!(operations)).await?;
    Ok(changed)
}

/// The operation that takes our annotation away.
pub(super) fn remove_annotation() -> serde_json::Value {
    json!({ "op": "remove", "path": format!("/metadata/annotations/{}", ROLLBACK_TO.replace('/', "~1")) })
}

/// Applies a JSON Patch to the deployment.
pub(super) async fn patch(
    cluster: &Cluster,
    name: &str,
    operations: serde_json::Value,
) -> Result<(), Failure> {
    let deployments: Api<Deployment> = cluster.api();
    let operations: json_patch::Patch = serde_json::from_value(operations)?;
    let params = PatchParams::default();
    let patch = Patch::Json::<()>(operations);
    cluster.call("patch the deployment", deployments.patch(name, &params, &patch)).await.map(drop)
}
