//! What a run leaves in the cluster while it works, and how it is taken away again.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::Cluster;
use crate::failure::Failure;

/// Label of every object that a run creates; the value is the run's name.
pub const RUN_LABEL: &str = "golive.dev/run";

/// Annotation of the deployment while a run works on it: the revision to go back to.
pub(super) const ROLLBACK_TO: &str = "golive.dev/rollback-to";

/// Annotation that the deployment controller keeps on each ReplicaSet.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";

/// Removes every object of earlier runs in the namespace, and undoes their unfinished rolls.
/// Returns what was done, in words.
pub async fn clean_up(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let mut done = Vec::new();
    let deployments: Api<Deployment> = cluster.api();
    let all = cluster.call("list deployments", deployments.list(&ListParams::default())).await?;
    for deployment in all.iter().filter(|d| d.annotations().contains_key(ROLLBACK_TO)) {
        let name = deployment.name_any();
        let revision = deployment.annotations()[ROLLBACK_TO].clone();
        if restore(cluster, &name, &revision).await? {
            done.push(format!("deployment/{name} goes back to revision {revision}"));
        } else {
            done.push(format!("deployment/{name} already had the template of revision {revision}"));
        }
    }
    let pods: Api<Pod> = cluster.api();
    let ours = ListParams::default().labels(RUN_LABEL);
    let found = cluster.call("list load agents", pods.list(&ours)).await?;
    let at_once = DeleteParams::default().grace_period(0);
    for name in found.iter().map(ResourceExt::name_any) {
        cluster.call("delete a load agent", pods.delete(&name, &at_once)).await?;
        done.push(format!("pod/{name} deleted"));
    }
    Ok(done)
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
