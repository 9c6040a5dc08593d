//! The way back of a roll: the revision that the deployment had, noted on it, so that even a dead run can be undone.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::patches::{MANAGER, annotation};
use super::{Cluster, RUN_LABEL, aliases};
use crate::failure::Failure;
use crate::steer::Back;

/// Annotation of the deployment while a run works on it: the revision to go back to.
const ROLLBACK_TO: &str = "golive.dev/rollback-to";

/// Annotation on a deployment: how many rolls of ours came after that revision. Written with each of them, at once.
const ROLLS: &str = "golive.dev/rolls";

/// Annotation that the deployment controller keeps on each ReplicaSet.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The same for a ReplicaSet that was rolled back to: revisions that it had before.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";

/// Attempts to write what must be written, and the pause between two.
const ATTEMPTS: usize = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// How long the controller may take to see a template: until then its revision is that of the one before.
const OBSERVED: Duration = Duration::from_secs(5);

/// What stands on the deployment while a run works on it.
pub(super) struct Note {
    revision: String,
    run: String,
}

/// What has become of a deployment.
pub(super) struct Undone {
    /// In words.
    pub(super) text: String,
    pub(super) deployment: Deployment,
}

impl Note {
    /// The present revision is the one to go back to.
    pub(super) fn of(deployment: &Deployment, run: &str) -> Self {
        let revision = deployment.annotations().get(REVISION).cloned().unwrap_or_default();
        Self { revision, run: run.to_owned() }
    }

    /// The note after so many rolls, and what of the template is laid on with it: one write, so that there is no roll
    /// without its note.
    pub(super) fn fields(&self, name: &str, rolls: u32, template: Option<Value>) -> Value {
        let Self { revision, run } = self;
        let annotations = json!({ ROLLBACK_TO: revision, ROLLS: rolls.to_string(), RUN_LABEL: run });
        let mut fields = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": name, "annotations": annotations },
        });
        if let Some(template) = template {
            fields["spec"] = json!({ "template": template });
        }
        fields
    }
}

/// The run that has left its note, if one has.
pub(super) fn noted_by(deployment: &Deployment) -> Option<&str> {
    deployment.annotations().get(ROLLBACK_TO)?;
    Some(deployment.annotations().get(RUN_LABEL).map(String::as_str).unwrap_or_default())
}

/// Whether a run has rolled it, and has not gone back or let go.
pub(super) fn is_left(deployment: &Deployment) -> bool {
    noted_by(deployment).is_some() || pod(deployment).is_some_and(aliases::leads)
}

/// Leaves the deployment as it is and forgets the revision noted on it; tried some times, since a clean-up that finds the
/// note takes the candidate back. Says whether there was one: without it the old template stands there.
///
/// # Errors
/// Exit 3 with the command that does it by hand.
pub async fn keep(cluster: &Cluster, name: &str) -> Result<bool, Failure> {
    let hint = format!("before any clean-up, or the candidate is taken back: {}", forget_by_hand(name));
    repeated(async || forget(cluster, &read(cluster, name).await?).await).await.map_err(|f| f.hint(hint))
}

/// Takes the way back, if one is to be taken; tried some times, since nothing else may come before it. Says what was
/// done, without waiting for the pods.
///
/// # Errors
/// Exit 3 when the API server does not let us; a clean-up tries again.
pub(super) async fn go_back(cluster: &Cluster, name: &str, back: Back) -> Result<Option<String>, Failure> {
    repeated(async || {
        let deployment = read(cluster, name).await?;
        let undone = match back {
            Back::Old => undo(cluster, &deployment).await?,
            Back::Clean => clean(cluster, &deployment).await?,
        };
        Ok(undone.map(|undone| undone.text))
    })
    .await
}

async fn repeated<T>(work: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
    for _ in 1..ATTEMPTS {
        if let Ok(done) = work().await {
            return Ok(done);
        }
        sleep(PAUSE).await;
    }
    work().await
}

/// Undoes the rolls of a run that has left its note, unless somebody else has rolled since: then only our aliases go.
///
/// # Errors
/// Exit 3 when the revision is no longer kept (`revisionHistoryLimit`); the aliases are gone all the same. Exit 3 when the
/// API server fails: then nothing is changed, and another try may take the whole way back.
pub(super) async fn undo(cluster: &Cluster, deployment: &Deployment) -> Result<Option<Undone>, Failure> {
    if noted_by(deployment).is_none() {
        return clean(cluster, deployment).await;
    }
    let name = deployment.name_any();
    let deployment = observed(cluster, deployment).await?;
    let Some(revision) = deployment.annotations().get(ROLLBACK_TO) else { return Ok(None) };
    let mut operations = vec![unchanged(&deployment)];
    let text = if rolled_since(&deployment, revision) {
        operations.extend(unled(&deployment));
        format!(
            "deployment/{name} was rolled by somebody else since; it stays, and does not go back to revision {revision}"
        )
    } else {
        let Some(template) = template_of(cluster, &deployment, revision).await? else {
            clean(cluster, &deployment).await?;
            return Err(no_longer_kept(&name, revision));
        };
        let template = serde_json::to_value(&template)?;
        operations.push(json!({ "op": "replace", "path": "/spec/template", "value": template }));
        format!("deployment/{name} goes back to revision {revision}")
    };
    operations.extend(removals(&deployment));
    let written = patch(cluster, &name, operations).await?;
    release(cluster, &written).await;
    Ok(Some(Undone { text, deployment: written }))
}

/// Takes our aliases off the template, and nothing else. That is a roll of ours too: not counted with those of the note,
/// it would be taken for somebody else's, and the way back would be closed.
async fn clean(cluster: &Cluster, deployment: &Deployment) -> Result<Option<Undone>, Failure> {
    let unled = unled(deployment);
    if unled.is_empty() {
        return Ok(None);
    }
    let name = deployment.name_any();
    let operations = [unchanged(deployment)].into_iter().chain(unled).chain(counted(deployment)).collect();
    let deployment = patch(cluster, &name, operations).await?;
    let text = format!("deployment/{name} leads to no agent any more, and stays as it is otherwise");
    Ok(Some(Undone { text, deployment }))
}

/// One roll more, where there is a note.
fn counted(deployment: &Deployment) -> Option<Value> {
    noted_by(deployment)?;
    let rolls = number(deployment, ROLLS).unwrap_or(0) + 1;
    // "add" replaces what is there (RFC 6902, 4.1).
    Some(json!({ "op": "add", "path": annotation(ROLLS), "value": rolls.to_string() }))
}

fn number(deployment: &Deployment, name: &str) -> Option<u64> {
    deployment.annotations().get(name)?.parse().ok()
}

/// Holds only while nobody else has changed the spec since it was read.
fn unchanged(deployment: &Deployment) -> Value {
    json!({ "op": "test", "path": "/metadata/generation", "value": deployment.metadata.generation })
}

fn unled(deployment: &Deployment) -> Vec<Value> {
    let path = "/spec/template/spec/hostAliases";
    let Some(pod) = pod(deployment).filter(|pod| aliases::leads(pod)) else { return Vec::new() };
    match aliases::without_ours(pod) {
        theirs if theirs.is_empty() => vec![json!({ "op": "remove", "path": path })],
        theirs => vec![json!({ "op": "replace", "path": path, "value": theirs })],
    }
}

/// The template's pod.
pub(super) fn pod(deployment: &Deployment) -> Option<&PodSpec> {
    deployment.spec.as_ref()?.template.spec.as_ref()
}

/// Waits until the controller has seen the present template, for a while.
async fn observed(cluster: &Cluster, deployment: &Deployment) -> Result<Deployment, Failure> {
    let mut deployment = deployment.clone();
    let deadline = Instant::now() + OBSERVED;
    loop {
        let seen = deployment.status.as_ref().and_then(|status| status.observed_generation);
        let behind = seen.is_some_and(|seen| Some(seen) < deployment.metadata.generation);
        if !behind || Instant::now() >= deadline {
            return Ok(deployment);
        }
        sleep(Duration::from_millis(100)).await;
        deployment = read(cluster, &deployment.name_any()).await?;
    }
}

/// Whether somebody else has rolled the deployment since: each roll makes one revision, and ours are counted.
fn rolled_since(deployment: &Deployment, revision: &str) -> bool {
    let (now, ours) = (number(deployment, REVISION), number(deployment, ROLLS).unwrap_or(0));
    let noted = revision.parse::<u64>().ok();
    noted.zip(now).is_some_and(|(noted, now)| now > noted + ours)
}

/// The template of a revision; none when it is no longer kept.
async fn template_of(
    cluster: &Cluster,
    deployment: &Deployment,
    revision: &str,
) -> Result<Option<PodTemplateSpec>, Failure> {
    let sets: Api<ReplicaSet> = cluster.api();
    let uid = deployment.uid();
    let list = cluster.call("list replica sets", sets.list(&ListParams::default())).await?;
    let owned =
        |set: &ReplicaSet| set.owner_references().iter().any(|owner| Some(&owner.uid) == uid.as_ref());
    let noted = |set: &ReplicaSet| {
        let had = [REVISION, REVISION_HISTORY].map(|name| set.annotations().get(name));
        had.into_iter().flatten().flat_map(|had| had.split(',')).any(|r| r == revision)
    };
    let Some(set) = list.items.into_iter().find(|set| owned(set) && noted(set)) else { return Ok(None) };
    let mut template = set.spec.unwrap_or_default().template.unwrap_or_default();
    if let Some(labels) = template.metadata.as_mut().and_then(|m| m.labels.as_mut()) {
        labels.remove("pod-template-hash");
    }
    Ok(Some(template))
}

fn no_longer_kept(name: &str, revision: &str) -> Failure {
    Failure::environment(format!("deployment/{name}: revision {revision} is no longer kept"))
        .hint(format!("to leave it as it is: {}", forget_by_hand(name)))
}

/// Leaves the deployment as it is, without our notes; says whether there were any.
async fn forget(cluster: &Cluster, deployment: &Deployment) -> Result<bool, Failure> {
    let removals = removals(deployment);
    if removals.is_empty() {
        return Ok(false);
    }
    let written = patch(cluster, &deployment.name_any(), removals).await?;
    release(cluster, &written).await;
    Ok(true)
}

/// Gives up what we own of the deployment, without changing it: whoever applies it next meets no conflict with us. That
/// it could not be given up is no reason to end anything.
async fn release(cluster: &Cluster, deployment: &Deployment) {
    if let Err(failure) = disown(cluster, deployment).await {
        tracing::warn!(%failure, "the fields that were ours still bear our name");
    }
}

/// The same, with its failure.
pub(super) async fn disown(cluster: &Cluster, deployment: &Deployment) -> Result<(), Failure> {
    let entries = deployment.metadata.managed_fields.iter().flatten().enumerate();
    let ours = entries.filter(|(_, entry)| entry.manager.as_deref() == Some(MANAGER));
    let mut operations = Vec::new();
    for (index, _) in ours.collect::<Vec<_>>().into_iter().rev() {
        let path = format!("/metadata/managedFields/{index}");
        operations.push(json!({ "op": "test", "path": format!("{path}/manager"), "value": MANAGER }));
        operations.push(json!({ "op": "remove", "path": path }));
    }
    if operations.is_empty() {
        return Ok(());
    }
    patch(cluster, &deployment.name_any(), operations).await.map(drop)
}

fn forget_by_hand(name: &str) -> String {
    format!("kubectl annotate deployment/{name} {ROLLBACK_TO}- {ROLLS}- {RUN_LABEL}-")
}

fn removals(deployment: &Deployment) -> Vec<Value> {
    let ours = [ROLLBACK_TO, ROLLS, RUN_LABEL];
    let present = ours.into_iter().filter(|name| deployment.annotations().contains_key(*name));
    present.map(|name| json!({ "op": "remove", "path": annotation(name) })).collect()
}

/// Reads the deployment.
pub(super) async fn read(cluster: &Cluster, name: &str) -> Result<Deployment, Failure> {
    let api: Api<Deployment> = cluster.api();
    cluster.call("read the deployment", api.get(name)).await
}

async fn patch(cluster: &Cluster, name: &str, operations: Vec<Value>) -> Result<Deployment, Failure> {
    cluster.patch("patch the deployment", name, operations.into()).await
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
