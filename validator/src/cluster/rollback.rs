//! The way back of a roll: the revision that the deployment had, noted on it, so that even a dead run can be undone.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Cluster;
use super::patches::annotation;
use crate::failure::Failure;

/// Annotation of the deployment while a run works on it: the revision to go back to.
const ROLLBACK_TO: &str = "golive.dev/rollback-to";

/// Annotation on a deployment: how many rolls of ours came after that revision. Written with each of them, at once.
const ROLLS: &str = "golive.dev/rolls";

/// Annotation that the deployment controller keeps on each ReplicaSet.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Attempts to let the candidate stay, and the pause between two.
const KEEP_ATTEMPTS: usize = 3;
const KEEP_PAUSE: Duration = Duration::from_secs(1);

/// Notes the present revision.
pub(super) async fn note(cluster: &Cluster, name: &str) -> Result<(), Failure> {
    let revision = read(cluster, name).await?.annotations().get(REVISION).cloned().unwrap_or_default();
    let notes = json!([{ "op": "add", "path": annotation(ROLLBACK_TO), "value": revision }, rolls(0)]);
    patch(cluster, name, notes).await
}

/// The operation that notes how many rolls there were; it belongs into the patch of each.
pub(super) fn rolls(count: u32) -> Value {
    json!({ "op": "add", "path": annotation(ROLLS), "value": count.to_string() })
}

/// Leaves the deployment as it is and forgets the revision noted on it; tried some times, since a clean-up that finds the
/// note takes the candidate back.
///
/// # Errors
/// Exit 3 with the command that does it by hand.
pub async fn keep(cluster: &Cluster, name: &str) -> Result<(), Failure> {
    let forgotten = async || forget(cluster, &read(cluster, name).await?).await;
    for _ in 1..KEEP_ATTEMPTS {
        if forgotten().await.is_ok() {
            return Ok(());
        }
        sleep(KEEP_PAUSE).await;
    }
    let hint = format!("before any clean-up, or the candidate is taken back: {}", forget_by_hand(name));
    forgotten().await.map_err(|failure| failure.hint(hint))
}

/// Undoes the rolls of a run that has left its note, unless somebody else has rolled since; says what was done.
///
/// # Errors
/// Exit 3 when the revision is no longer kept (`revisionHistoryLimit`).
pub(super) async fn undo(cluster: &Cluster, deployment: &Deployment) -> Result<Option<String>, Failure> {
    let Some(revision) = deployment.annotations().get(ROLLBACK_TO) else { return Ok(None) };
    let name = deployment.name_any();
    if rolled_since(deployment, revision) {
        forget(cluster, deployment).await?;
        return Ok(Some(format!(
            "deployment/{name} was rolled by somebody else since; it stays, and does not go back to revision {revision}"
        )));
    }
    let template = template_of(cluster, deployment, revision).await?;
    let changed = deployment.spec.as_ref().is_some_and(|spec| spec.template != template);
    let mut operations =
        vec![json!({ "op": "replace", "path": "/spec/template", "value": serde_json::to_value(&template)? })];
    operations.extend(removals(deployment));
    patch(cluster, &name, json!(operations)).await?;
    let how = if changed { "goes back to" } else { "already had the template of" };
    Ok(Some(format!("deployment/{name} {how} revision {revision}")))
}

/// Whether somebody else has rolled the deployment since: each roll makes one revision, and ours are counted.
fn rolled_since(deployment: &Deployment, revision: &str) -> bool {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    let annotation = |name| number(deployment.annotations().get(name).map(String::as_str));
    let (noted, now, ours) = (number(Some(revision)), annotation(REVISION), annotation(ROLLS).unwrap_or(0));
    noted.zip(now).is_some_and(|(noted, now)| now > noted + ours)
}

async fn template_of(
    cluster: &Cluster,
    deployment: &Deployment,
    revision: &str,
) -> Result<PodTemplateSpec, Failure> {
    let sets: Api<ReplicaSet> = cluster.api();
    let (name, uid) = (deployment.name_any(), deployment.uid());
    let list = cluster.call("list replica sets", sets.list(&ListParams::default())).await?;
    let owned =
        |set: &ReplicaSet| set.owner_references().iter().any(|owner| Some(&owner.uid) == uid.as_ref());
    let noted = |set: &ReplicaSet| set.annotations().get(REVISION).is_some_and(|r| r == revision);
    let set = list.items.into_iter().find(|set| owned(set) && noted(set)).ok_or_else(|| {
        Failure::environment(format!("deployment/{name}: revision {revision} is no longer kept"))
            .hint(format!("to leave it as it is: {}", forget_by_hand(&name)))
    })?;
    let mut template = set.spec.unwrap_or_default().template.unwrap_or_default();
    if let Some(labels) = template.metadata.as_mut().and_then(|m| m.labels.as_mut()) {
        labels.remove("pod-template-hash");
    }
    Ok(template)
}

/// Leaves the deployment as it is, without our notes.
async fn forget(cluster: &Cluster, deployment: &Deployment) -> Result<(), Failure> {
    let removals = removals(deployment);
    if removals.is_empty() { Ok(()) } else { patch(cluster, &deployment.name_any(), json!(removals)).await }
}

fn forget_by_hand(name: &str) -> String {
    format!("kubectl annotate deployment/{name} {ROLLBACK_TO}- {ROLLS}-")
}

fn removals(deployment: &Deployment) -> Vec<Value> {
    let ours = [ROLLBACK_TO, ROLLS].into_iter().filter(|name| deployment.annotations().contains_key(*name));
    ours.map(|name| json!({ "op": "remove", "path": annotation(name) })).collect()
}

async fn read(cluster: &Cluster, name: &str) -> Result<Deployment, Failure> {
    let api: Api<Deployment> = cluster.api();
    cluster.call("read the deployment", api.get(name)).await
}

/// Applies a JSON Patch to the deployment.
pub(super) async fn patch(cluster: &Cluster, name: &str, operations: Value) -> Result<(), Failure> {
    cluster.patch::<Deployment>("patch the deployment", name, operations).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_came_after_a_dead_run_is_not_rolled_back() {
        let deployment = |now: &str, rolls: Option<&str>| -> Deployment {
            let mut annotations = json!({ ROLLBACK_TO: "4", REVISION: now });
            if let Some(rolls) = rolls {
                annotations[ROLLS] = json!(rolls);
            }
            serde_json::from_value(json!({ "metadata": { "annotations": annotations } })).unwrap()
        };
        for (now, rolls, since) in [
            ("4", None, false),
            ("5", None, true),
            ("4", Some("1"), false), // the controller has not seen it yet
            ("5", Some("1"), false),
            ("6", Some("1"), true),
            ("6", Some("2"), false),
            ("7", Some("2"), true),
        ] {
            assert_eq!(rolled_since(&deployment(now, rolls), "4"), since, "{now} {rolls:?}");
        }
    }
}
